/* SPDX-License-Identifier: MIT */
/* The layout oracle at run time: each layout that is written is read back, by the iterator that the
 * collector uses, and held against the definition (layout/oracle.h): the whole object, and a random
 * range of whole words inside it, which no other code chooses. What lies behind the data up to the
 * end of the slot must be zero, because the iterator may tile over it. On a difference both are
 * written out, and the program ends.
 *
 * Only in --enable-debug builds, where it is on unless TRICOLOR_VERIFY=off; elsewhere the hooks are
 * nothing. They stand where a layout is complete and no program has seen the object yet.
 * Threads: any; each checks what it has written itself. */
#ifndef TRI__HEAP_DOUBLE_CHECK_H
#define TRI__HEAP_DOUBLE_CHECK_H

#include "base/fault.h"
#include "heap/span.h"
#include "layout/type.h"

#ifdef TRI__DEBUG

/* On or off; `seed` is of the random ranges, 0: any. Before the first allocation. */
void tri__double_check_init(bool on, uint64_t seed);

/* The object at base holds `bytes` bytes of `type` (NULL: leaf), and is all zero behind them. */
void tri__double_check_object(uintptr_t base, const tri_type *type, size_t bytes);

/* Slots of a run, each laid out for one value of `type`, and all zero. They are one layout, so the
 * random range is in one of them. */
void tri__double_check_run(const struct tri__span *span, uint32_t first, uint32_t count,
                           const tri_type *type);

#else

static inline void tri__double_check_init(bool on, uint64_t seed)
{
    (void)on, (void)seed;
}

static inline void tri__double_check_object(uintptr_t base, const tri_type *type, size_t bytes)
{
    (void)base, (void)type, (void)bytes;
}

static inline void tri__double_check_run(const struct tri__span *span, uint32_t first,
                                         uint32_t count, const tri_type *type)
{
    (void)span, (void)first, (void)count, (void)type;
}

#endif

/* The type to be stored in a footer or a descriptor: `type`, unless a fault wants it wrong. */
static inline const tri_type *tri__type_to_store(const tri_type *type)
{
    if (!tri__fault(TRI__FAULT_CORRUPT_LAYOUT) || type == NULL)
        return type;
    return type == &tri_type_ptr ? &tri_type_bytes : &tri_type_ptr;
}

#endif
