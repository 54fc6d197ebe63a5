/* SPDX-License-Identifier: MIT */
/* tests/hot.h: makes a type hot, without waiting for a mixture of types that does, or by one; and
 * sees a type end.
 *
 * Threads: the calling one, attached; the type is hot in it and in no other. */
#ifndef TRI__TESTS_HOT_H
#define TRI__TESTS_HOT_H

#include <check.h>
#include <sched.h>

#include "collected.h"
#include "heap/cache.h"
#include "heap/resolve.h"
#include "mutator/mutator.h"

static inline struct tri__cache *own_cache(void)
{
    return &tri__mutator_self()->writer.cache;
}

static inline bool is_typed(const void *p)
{
    return tri__span_is_typed(tri__span_at((uintptr_t)p));
}

static inline size_t typed_span_bytes(const tri_type *type)
{
    return tri__class_info[tri__typed_class(type)].pages * TRI__PAGE_BYTES;
}

/* false: so many slow allocations were not enough. */
static inline bool gets_hot(const tri_type *type, size_t most)
{
    struct tri__heat_table *heat = &own_cache()->heat;

    for (size_t i = 0; i < most; i++) {
        if (tri__typed_run(type) != 0 && tri__typed_is_hot_here(heat, type))
            return true;
        tri__typed_missed(heat, type);
    }
    return tri__typed_run(type) != 0 && tri__typed_is_hot_here(heat, type);
}

static inline void warm(const tri_type *type)
{
    ck_assert(gets_hot(type, typed_span_bytes(type) / type->slot_size + 1));
}

/* Another thread may have the table's lock, and no processor: whoever allocates does not wait for it,
 * so however many tries do not help until that thread has run again. */
static inline void warm_among_threads(const tri_type *type)
{
    while (!gets_hot(type, typed_span_bytes(type) / type->slot_size + 1))
        TRI_BLOCKING
            sched_yield();
}

/* By what they allocate alone: after a while both leave the slow path, each in its own run. Of two
 * small ones that may be a run of the common class for one of them. */
static inline void check_types_in_turn(const tri_type *a, const tri_type *b)
{
    size_t slots = tri__class_info[tri__typed_class(a)].slots;
    unsigned typed = 0;

    for (size_t i = 0; i < 20 * slots; i++) {
        const tri_type *type = i % 2 != 0 ? a : b;
        struct tri__run *run = tri__run_of(type);
        uintptr_t next = run->current, end = run->end;
        void *p = tri_alloc(type);

        ck_assert_ptr_nonnull(p);
        if (i < 10 * slots)
            continue;
        typed |= (unsigned)is_typed(p) << i % 2;
        ck_assert_msg((uintptr_t)p == next || next == end, "%s: slow", type->name);
    }
    ck_assert_uint_ne(typed, 0);
    ck_assert(a->size <= TRI__BITMAP_BYTES || typed == 3);
}

/* ---- the end of types ---- */

#define ENOUGH_CYCLES 8 /* stacks may hold on to an object for some */

static inline bool is_gone_soon(const tri_type *type)
{
    for (int i = 0; i < ENOUGH_CYCLES && !tri_type_retired(type); i++)
        collect();
    return tri_type_retired(type);
}

/* Without objects: no sooner, since a mark that has begun may meet it, and no later. */
static inline void check_end_after_a_whole_cycle(tri_type *type)
{
    ck_assert(!tri_type_retired(type));
    ck_assert_int_eq(tri_type_retire(type), 0);
    ck_assert(!tri_type_retired(type));
    collect();
    ck_assert(!tri_type_retired(type));
    collect();
    ck_assert(tri_type_retired(type));
}

#endif
