/* SPDX-License-Identifier: MIT */
/* tests/hot.h: makes a type hot, without waiting for a mixture of types that does.
 *
 * Threads: the calling one, attached; the type is hot in it and in no other. */
#ifndef TRI__TESTS_HOT_H
#define TRI__TESTS_HOT_H

#include <check.h>

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

static inline void warm(const tri_type *type)
{
    struct tri__heat_table *heat = &own_cache()->heat;
    size_t most = typed_span_bytes(type) / type->slot_size;

    for (size_t i = 0;
         i <= most && (tri__typed_run(type) == 0 || !tri__typed_is_hot_here(heat, type)); i++)
        tri__typed_missed(heat, type);
    ck_assert_uint_ne(tri__typed_run(type), 0);
    ck_assert(tri__typed_is_hot_here(heat, type));
}

#endif
