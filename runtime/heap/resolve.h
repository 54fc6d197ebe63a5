/* SPDX-License-Identifier: MIT */
/* From any word to the object it points into, or to nothing; and the colour of that object.
 *
 * A word may hold anything: every bound is checked (in the range, page in use, index below the slot count, slot allocated)
 * [inv.resolve.bounds]. No locks; any thread, at any time. What is found stays valid while the caller keeps the object alive or a mark is running. */
#ifndef TRI__HEAP_RESOLVE_H
#define TRI__HEAP_RESOLVE_H

#include "base/fault.h"
#include "heap/heap.h"

struct tri__ref {
    uintptr_t base; /* of the slot */
    struct tri__pair *pair;
    uint64_t bit; /* of the slot in its pair */
    uint8_t span_class;
};

/* For spans whose pairs are in the descriptor. */
static inline bool tri__locate_in_span(uintptr_t address, uint8_t span_class, struct tri__ref *ref)
{
    const struct tri__span *span = tri__load_relaxed(&tri__heap.page_span[tri__page_of(address)]);
    unsigned index = tri__slot_index(&tri__class_info[span_class], address - span->base);

    if (index >= span->slots)
        return false;
    ref->base = span->base + index * span->slot_bytes;
    ref->pair = span->pairs;
    ref->bit = UINT64_C(1) << index;
    return true;
}

/* Finds the slot without looking at its bits, so that a marker can prefetch them. */
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
    if (TRI__UNLIKELY(info->pairs_offset == 0))
        return tri__locate_in_span(address, ref->span_class, ref);
    page = address & ~(uintptr_t)(TRI__PAGE_BYTES - 1);
    index = tri__slot_index(info, address - page);
    if (index >= info->slots)
        return false;
    ref->base = page + index * info->size;
    ref->pair = (struct tri__pair *)(page + info->pairs_offset) + index / 64;
    ref->bit = UINT64_C(1) << (index % 64);
    return true;
}

static inline bool tri__is_allocated(const struct tri__ref *ref)
{
    /* acq <- rel in tri__span_set_alloc() */
    return (tri__load_acquire(&ref->pair->alloc) & ref->bit) != 0;
}

static inline bool tri__resolve(uintptr_t address, struct tri__ref *ref)
{
    return tri__locate(address, ref) && tri__is_allocated(ref);
}

/* Makes a white object grey: true for the one caller that did. The plain test first keeps the line shared. */
static inline bool tri__mark(const struct tri__ref *ref)
{
    if (tri__load_relaxed(&ref->pair->mark) & ref->bit)
        return false;
    if (!tri__is_allocated(ref))
        return false;
    /* Relaxed: the object's contents were published to us by its thread's answer to H1, or it is black already:
     * then its mark was set before its allocation bit, and the or returns it [inv.alloc.black]. */
    return (tri__fetch_or_relaxed(&ref->pair->mark, ref->bit) & ref->bit) == 0;
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
