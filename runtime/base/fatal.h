/* SPDX-License-Identifier: MIT */
/* base/fatal.h: the end of the program when a rule is broken, and the assertions that find it out.
 *
 * One message on stderr: what happened, where, how to mend it. Running out of memory is never
 * fatal; it is a return value.
 * Threads: any, also from a signal handler: the message is built on the stack and goes out by
 * write(2). */
#ifndef TRI__BASE_FATAL_H
#define TRI__BASE_FATAL_H

#include <tricolor/base.h>

/* Prints "tricolor: ", the message and a line end, then aborts. */
_Noreturn void tri__fatal(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

/* The same message without the abort. errno is left as it was. */
void tri__warn(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

_Noreturn void tri__assert_failed(const char *expression, const char *file, int line)
    __attribute__((cold));

/* Always on, so it must be cheap. */
#define TRI__ASSERT(condition)                                                                     \
    (TRI__LIKELY(condition) ? (void)0 : tri__assert_failed(#condition, __FILE__, __LINE__))

/* Only in --enable-debug builds; elsewhere it is compiled, so that it cannot rot, and never
 * evaluated. */
#ifdef TRI__DEBUG
#define TRI__CHECK(condition) TRI__ASSERT(condition)
#else
#define TRI__CHECK(condition) ((void)sizeof((condition) ? 1 : 0))
#endif

#endif
