/* SPDX-License-Identifier: MIT */
/* base/tsan.h: tells ThreadSanitizer of the orderings it cannot see, those made by inline assembly
 * in other libraries.
 *
 * Each pair is trust: TSan believes it and no longer checks it. So they stand only in ck_shim.h and
 * rcu_shim.c, where the library documents the order. A token is a static object, or lives in memory
 * that is never given back while it is used. */
#ifndef TRI__BASE_TSAN_H
#define TRI__BASE_TSAN_H

#if defined(__SANITIZE_THREAD__)
#define TRI__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TRI__TSAN 1
#endif
#endif

#ifdef TRI__TSAN

void __tsan_acquire(void *address);
void __tsan_release(void *address);

static inline void tri__tsan_acquire(void *token) { __tsan_acquire(token); }
static inline void tri__tsan_release(void *token) { __tsan_release(token); }

#else

static inline void tri__tsan_acquire(void *token) { (void)token; }
static inline void tri__tsan_release(void *token) { (void)token; }

#endif
#endif
