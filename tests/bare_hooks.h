/* SPDX-License-Identifier: MIT */
/* tests/bare_hooks.h: what a heap with no floor above it calls: no mutators, no collector, no
 * safepoints. */
#ifndef TRI__TESTS_BARE_HOOKS_H
#define TRI__TESTS_BARE_HOOKS_H

#include <stdlib.h>

#include "heap/cache.h"
#include "heap/heap.h"
#include "layout/type_hold.h"

static inline struct tri__cache *bare_attach(void)
{
    abort(); /* nothing here allocates through the public functions */
}

static inline void bare_safepoint(struct tri__cache *cache)
{
    (void)cache;
}

static inline void bare_refilled(struct tri__cache *cache, uint64_t start)
{
    (void)cache, (void)start;
}

static inline bool bare_out_of_memory(struct tri__cache *cache, size_t bytes, unsigned attempt)
{
    (void)cache, (void)bytes, (void)attempt;
    return false;
}

static void bare_hold_type(const tri_type *type)
{
    tri__type_hold(type, false);
}

static const struct tri__heap_hooks bare_hooks = {
    .attach = bare_attach,
    .safepoint = bare_safepoint,
    .refilled = bare_refilled,
    .hold_type = bare_hold_type,
    .out_of_memory = bare_out_of_memory,
};

#endif
