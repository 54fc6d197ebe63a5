/* SPDX-License-Identifier: MIT */
/* tests/bare_heap.h: a heap with no floor above it: no mutators, no collector, no safepoints.
 * Threads: the including test makes its own caches, one a thread, and takes care of phases. */
#ifndef TRI__TESTS_BARE_HEAP_H
#define TRI__TESTS_BARE_HEAP_H

#include <check.h>

#include "bare_hooks.h"

static void bare_heap_start(size_t reserve)
{
    ck_assert_int_eq(tri__heap_init(reserve, SIZE_MAX, &bare_hooks), 0);
}

#endif
