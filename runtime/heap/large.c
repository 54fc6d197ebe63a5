/* SPDX-License-Identifier: MIT */
/* Objects with a span of their own.
 *
 * The span is listed, and its colour set, before any safepoint, so that it belongs to one side of
 * one cycle; the memory is zeroed after that, outside all locks, in pieces with safepoints
 * between them. Until the type is stored a marker finds nothing to scan in it: all it could hold
 * is zero [inv.large.zeroing]. */
#include <string.h>

#include "heap/cache.h"
#include "heap/double_check.h"
#include "heap/type_notes.h"
#include "layout/own_mask.h"

#define ZERO_BYTES ((size_t)256 << 10)

static struct tri__span *take_large(size_t pages, bool *dirty)
{
    struct tri__span *span;
    uintptr_t base;

    if (!tri__page_heap_alloc(&tri__heap.pages, pages, &base, dirty))
        return NULL;
    span = tri__span_new(base, pages, TRI__LARGE_SPAN, *dirty);
    if (span == NULL)
        tri__page_heap_free(&tri__heap.pages, base, pages);
    return span;
}

/* The same with a layout of the object's own, if the type's mask is too large to be kept. */
static struct tri__span *take_laid_out(const tri_type *type, size_t pages, bool *dirty)
{
    struct tri__own_layout *own = NULL;
    struct tri__span *span;

    if (type != NULL && tri__own_layout_is_wanted(type)) {
        own = tri__own_layout_new(type);
        if (own == NULL)
            return NULL;
    }
    span = take_large(pages, dirty);
    if (span != NULL)
        span->own = own;
    else
        tri__own_layout_free(own);
    return span;
}

static void enter_large(struct tri__cache *cache, struct tri__span *span)
{
    tri__type_note(span->base, NULL); /* what was there is not zero yet, and no type's */
    tri__span_paint(span, 0, 1, tri__cache_colour(cache));
    tri__span_publish(span);
    tri__add_single_writer(&cache->unreported, span->slot_bytes);
    tri__stack_push(&tri__heap.central[TRI__LARGE_SPAN].full[cache->side], &span->link);
}

/* The caller's stack holds `base`, so the safepoints in here keep the object. */
static void zero_in_pieces(struct tri__cache *cache, uintptr_t base, size_t bytes)
{
    for (size_t done = 0; done < bytes; done += ZERO_BYTES) {
        size_t piece = bytes - done < ZERO_BYTES ? bytes - done : ZERO_BYTES;

        memset((void *)(base + done), 0, piece);
        tri__heap.hooks.safepoint(cache);
    }
}

uintptr_t tri__large_alloc(struct tri__cache *cache, const tri_type *type, size_t bytes)
{
    size_t pages = bytes / TRI__PAGE_BYTES + (bytes % TRI__PAGE_BYTES != 0);
    struct tri__span *span;
    uintptr_t base;
    bool dirty;

    tri__heap_take_over();
    tri__heap.hooks.safepoint(cache);
    if (pages > tri__heap.bytes >> TRI__PAGE_SHIFT)
        return 0;
    span = take_laid_out(type, pages, &dirty);
    if (span == NULL)
        return 0;
    base = span->base;
    enter_large(cache, span);
    if (dirty)
        zero_in_pieces(cache, base, pages << TRI__PAGE_SHIFT);
    tri__store_release(&span->type, tri__type_to_store(type)); /* rel -> acq in tri__ref_type() */
    tri__double_check_object(base, type, bytes);
    tri__heap.hooks.safepoint(cache);
    return base;
}
