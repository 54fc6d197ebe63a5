/* SPDX-License-Identifier: MIT */
/* tests/coverage.h: included before everything else by scripts/coverage's build: what a process has
 * counted is written before it ends by abort() or _exit(), as most of the children do in which
 * tests let the library die. */
#ifndef TRI__TESTS_COVERAGE_H
#define TRI__TESTS_COVERAGE_H

#if !defined(__ASSEMBLER__) && !defined(__cplusplus)
#include <stdlib.h>
#include <unistd.h>

void __gcov_dump(void);

/* The status may be a call, whose lines count. */
static inline _Noreturn void coverage_exit(int status)
{
    __gcov_dump();
    _exit(status);
}

#define abort() (__gcov_dump(), abort())
#define _exit(status) coverage_exit(status)
#endif

#endif
