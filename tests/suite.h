/* SPDX-License-Identifier: MIT */
/* tests/suite.h: the end of every main of a Check program, and of every test: before
 * tri_shutdown(), or where a test ends without it, the structure of the heap is checked. */
#ifndef TRI__TESTS_SUITE_H
#define TRI__TESTS_SUITE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <tricolor.h>

#include "heap/watch.h"
#include "mutator/attach.h"
#include "mutator/registry.h"
#include "mutator/stack.h"
#include "run_suite.h"
#include "sanitized.h"

/* Set by a test that leaves the heap in a state in which it cannot be. */
static bool heap_is_left_wrong __attribute__((unused));

static pid_t suite_runner;

/* The check is a cycle, and TSan lets no child of a process with threads start one. */
static inline bool may_start_threads(void)
{
    return !HAS_TSAN || getppid() == suite_runner || getpid() == suite_runner;
}

/* Ends a mark that the test holds itself; NULL: it holds none (phase.h). */
static void (*end_held_mark)(void) __attribute__((unused));

/* A test that ends with no other thread attached has a heap that can be checked. The others are
 * few. */
static inline bool heap_is_its_own(void)
{
    return !heap_is_left_wrong && may_start_threads() && tri__mutators_are_open() &&
           tri__registry_size() == 1 && tri__mutator_self()->blocking_depth == 0 &&
           tri__stack_is_own(tri__mutator_self());
}

static inline int count_defects(void)
{
    if (!heap_is_its_own())
        return 0;
    if (end_held_mark != NULL)
        end_held_mark();
    return tri__self->barrier == tri__barrier_at_rest() ? tri_heap_check() : 0;
}

/* At the exit of the process that Check has made for a test; that of the program itself, and a
 * child that a test has made, are no different. */
static inline void check_heap(void)
{
    int defects = count_defects();

    if (defects == 0)
        return;
    fprintf(stderr, "tri_heap_check() at the end of the test: %d\n", defects);
    abort();
}

static inline void check_and_shut_down(void)
{
    check_heap();
    tri_shutdown();
}
#define tri_shutdown() check_and_shut_down()

static inline int run_checked_suite(Suite *suite)
{
    suite_runner = getpid();
    atexit(check_heap);
    return run_suite(suite);
}
#define run_suite(suite) run_checked_suite(suite)

#endif
