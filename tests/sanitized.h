/* SPDX-License-Identifier: MIT */
/* tests/sanitized.h: is a sanitizer at work that has memory of its own? Then neither the process's
 * address space nor a limit on it says anything about the library. */
#ifndef TRI__TESTS_SANITIZED_H
#define TRI__TESTS_SANITIZED_H

#ifdef __has_feature
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
enum { HAS_ASAN = 1 };
#else
enum { HAS_ASAN = 0 };
#endif

#if defined(__SANITIZE_THREAD__) || HAS_FEATURE(thread_sanitizer)
enum { HAS_TSAN = 1 };
#else
enum { HAS_TSAN = 0 };
#endif

enum { IS_SANITIZED = HAS_ASAN || HAS_TSAN };

#endif
