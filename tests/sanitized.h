/* SPDX-License-Identifier: MIT */
/* tests/sanitized.h: is a sanitizer at work that has memory of its own? Then neither the process's
 * address space nor a limit on it says anything about the library. */
#ifndef TRI__TESTS_SANITIZED_H
#define TRI__TESTS_SANITIZED_H

#ifdef __has_feature
#define HAS_SANITIZER(name) __has_feature(name)
#else
#define HAS_SANITIZER(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    HAS_SANITIZER(address_sanitizer) || HAS_SANITIZER(thread_sanitizer)
enum { IS_SANITIZED = 1 };
#else
enum { IS_SANITIZED = 0 };
#endif

#endif
