/* SPDX-License-Identifier: MIT */
/* From any word to the object it points into, or to nothing; and the colour of that object.
 *
 * A word may hold anything: every bound is checked (in the range, page in use, index below the slot
 * count, slot allocated) [inv.resolve.bounds]. No locks; any thread, at any time. What is found
 * stays valid while the caller keeps the object alive or a mark is running. */
#ifndef TRI__HEAP_RESOLVE_H
#define TRI__HEAP_RESOLVE_H

#include "heap/heap.h"

struct tri__ref {
    uintptr_t base;  /* of the slot */
    uint8_t *colour; /* atomic: enum tri__colour */
    uint8_t span_class;
};

/* For spans whose colours are in the descriptor. */
static inline bool tri__locate_in_span(uintptr_t address, uint8_t span_class, struct tri__ref *ref)
{
    const struct tri__span *span = tri__load_relaxed(&tri__heap.page_span[tri__page_of(address)]);
    unsigned index = tri__slot_index(&tri__class_info[span_class], address - span->base);

    if (index >= span->slots)
        return false;
    ref->base = span->base + index * span->slot_bytes;
    ref->colour = span->colours + index;
    return true;
}

/* Finds the slot without looking at its colour, so that a marker can prefetch it. */
static inline bool tri__locate(uintptr_t address, struct tri__ref *ref)
{
    const struct tri__class_info *info;
    uintptr_t page;
    unsigned index;

    if (!tri__in_heap(address))
        return false;
    /* acq <- rel in tri__span_publish() */
    ref->span_class = tri__load_acquire(&tri__heap.page_class[tri__page_of(address)]);
    if (ref->span_class == TRI__NO_SPAN)
        return false;
    info = &tri__class_info[ref->span_class];
    if (TRI__UNLIKELY(info->colours_offset == 0))
        return tri__locate_in_span(address, ref->span_class, ref);
    page = address & ~(uintptr_t)(TRI__PAGE_BYTES - 1);
    index = tri__slot_index(info, address - page);
    if (index >= info->slots)
        return false;
    ref->base = page + index * info->size;
    ref->colour = (uint8_t *)(page + info->colours_offset + index);
    return true;
}

static inline bool tri__is_allocated(const struct tri__ref *ref)
{
    /* acq <- rel in tri__span_paint() */
    return tri__load_acquire(ref->colour) != TRI__FREE;
}

/* Is a slot black, and all seen that was written to it before it was painted? For who walks a span, and
 * may come to what is born at this moment. A colour is stored alone, or with the seven beside it: acq <-
 * both rel in tri__span_paint(). */
static inline bool tri__is_black(const uint8_t *colour)
{
    if (tri__load_acquire(colour) != TRI__BLACK)
        return false;
    (void)tri__load_acquire((const uint64_t *)((uintptr_t)colour & ~(uintptr_t)7));
    return true;
}

/* For chunks of arenas, whose one slot has many values: ref->base becomes that of the value, found
 * in the chunk's log. false: no value, or the arena was freed. */
bool tri__arena_resolve(uintptr_t address, struct tri__ref *ref);

/* As tri__locate(), but in a chunk of an arena it finds the value. */
static inline bool tri__locate_object(uintptr_t address, struct tri__ref *ref)
{
    return tri__locate(address, ref) &&
           (TRI__LIKELY(ref->span_class != TRI__ARENA_SPAN) || tri__arena_resolve(address, ref));
}

static inline bool tri__resolve(uintptr_t address, struct tri__ref *ref)
{
    return tri__locate_object(address, ref) && tri__is_allocated(ref);
}

/* Makes a white object grey. true: the caller has to scan it. Two markers that meet at one
 * object may both be told so, which costs a second scan and nothing else: a plain store is
 * much cheaper than an atomic operation that says who was first (docs/performance.md). What a
 * white object holds was published by its thread's answer to H2; what is born later is
 * black [inv.alloc.black]. */
static inline bool tri__mark(const struct tri__ref *ref)
{
    if (tri__load_acquire(ref->colour) != TRI__WHITE)
        return false;
    tri__store_relaxed(ref->colour, (uint8_t)TRI__BLACK);
    return true;
}

static inline struct tri__span *tri__span_at(uintptr_t address)
{
    return tri__load_relaxed(&tri__heap.page_span[tri__page_of(address)]);
}

/* Bytes of the slot. */
static inline size_t tri__ref_bytes(const struct tri__ref *ref)
{
    if (TRI__UNLIKELY(ref->span_class == TRI__LARGE_SPAN))
        return tri__span_at(ref->base)->slot_bytes;
    return tri__class_info[ref->span_class].size;
}

#endif
