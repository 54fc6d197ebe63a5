/* SPDX-License-Identifier: MIT */
/* tests/bare_heap.h: a heap with no floor above it: no mutators, no collector, no safepoints.
 * Threads: the including test makes its own caches, one a thread, and takes care of phases. */
#ifndef TRI__TESTS_BARE_HEAP_H
#define TRI__TESTS_BARE_HEAP_H

#include <check.h>
#include <stdlib.h>

#include "heap/cache.h"
#include "heap/heap.h"

static struct tri__cache *bare_attach(void)
{
    abort(); /* nothing here allocates through the public functions */
}

static void bare_safepoint(struct tri__cache *cache)
{
    (void)cache;
}

static void bare_refilled(struct tri__cache *cache, uint64_t start)
{
    (void)cache, (void)start;
}

static bool bare_out_of_memory(struct tri__cache *cache, size_t bytes, unsigned attempt)
{
    (void)cache, (void)bytes, (void)attempt;
    return false;
}

static void bare_heap_start(size_t reserve)
{
    static const struct tri__heap_hooks hooks = {
        .attach = bare_attach,
        .safepoint = bare_safepoint,
        .refilled = bare_refilled,
        .out_of_memory = bare_out_of_memory,
    };
    ck_assert_int_eq(tri__heap_init(reserve, SIZE_MAX, &hooks), 0);
}

#endif
