/* SPDX-License-Identifier: MIT */
/* Span descriptors and the colours of their slots.
 *
 * Owns: the pool of descriptors. Locks: none. */
#include "heap/span.h"

#include <string.h>

#include "base/fatal.h"
#include "base/pool.h"
#include "heap/check.h"
#include "heap/double_check.h"
#include "heap/graves.h"
#include "heap/resolve.h"
#include "layout/heap_bits.h"

_Static_assert(offsetof(struct tri__span, link) == 0, "tri__span_of_link casts");

#define SLAB_BYTES ((size_t)256 << 10)

static struct tri__pool descriptors = TRI__POOL_OF(struct tri__span, SLAB_BYTES);

void tri__span_release_all(void)
{
    tri__pool_release(&descriptors);
}

static struct tri__span *descriptor_take(void)
{
    struct tri__stack_entry *link = tri__pool_take(&descriptors);

    return link == NULL ? NULL : tri__span_of_link(link);
}

void tri__spans_rebuild(bool (*is_used)(struct tri__stack_entry *descriptor))
{
    tri__pool_rebuild(&descriptors, is_used);
}

static void place_metadata(struct tri__span *span)
{
    const struct tri__class_info *info = &tri__class_info[span->span_class];

    span->colours = span->own_colours;
    span->bits = NULL;
    if (info->colours_offset != 0)
        span->colours = (uint8_t *)(span->base + info->colours_offset);
    if (info->kind == TRI__KIND_BITMAP)
        span->bits = (uint64_t *)(span->base + info->bits_offset);
}

struct tri__span *tri__span_new(uintptr_t base, size_t pages, uint8_t span_class, bool dirty)
{
    struct tri__span *span = descriptor_take();

    if (span == NULL)
        return NULL;
    span->base = base;
    span->pages = pages;
    span->span_class = span_class;
    span->slot_bytes = pages << TRI__PAGE_SHIFT;
    span->slots = 1;
    if (span_class != TRI__LARGE_SPAN) {
        span->slot_bytes = tri__class_info[span_class].size;
        span->slots = tri__class_info[span_class].slots;
    }
    span->dirty = dirty;
    tri__store_relaxed(&span->type, NULL);
    span->own = NULL;
    tri__graves_open(base, pages << TRI__PAGE_SHIFT);
    place_metadata(span);
    tri__span_reset(span);
    return span;
}

/* Where the page has room, at its end next to the colours: a marker has that line at hand. */
void tri__span_set_type(struct tri__span *span, const tri_type *type)
{
    const struct tri__class_info *info = &tri__class_info[span->span_class];
    struct tri__page_type *in_page = (struct tri__page_type *)(span->base + info->bits_offset);

    TRI__ASSERT(info->kind == TRI__KIND_TYPED && type->size <= span->slot_bytes);
    tri__store_relaxed(&span->type, type);
    if (info->bits_offset == 0)
        return;
    type = tri__type_to_store(type);
    tri__store_relaxed(&in_page->type, type);
    tri__store_relaxed(&in_page->mask, type->size <= TRI__BITMAP_BYTES
                                           ? tri__type_object_mask(type, type->size)
                                           : 0);
}

void tri__span_delete(struct tri__span *span)
{
    TRI__CHECK(span->own == NULL); /* freed by tri__span_free() */
    tri__pool_give(&descriptors, &span->link);
}

static bool is_used(struct tri__stack_entry *link)
{
    const struct tri__span *span = tri__span_of_link(link);

    return tri__in_heap(span->base) && tri__span_at(span->base) == span &&
           tri__load_relaxed(&tri__heap.page_class[tri__page_of(span->base)]) != TRI__NO_SPAN;
}

size_t tri__check_descriptors(struct tri__check *check, size_t *all)
{
    *all = tri__pool_count(&descriptors);
    return tri__check_pool(check, &descriptors, "span descriptors", is_used);
}

/* ---- eight colours at a time ---- */

#define EACH UINT64_C(0x0101010101010101)

static uint64_t *group_of(const struct tri__span *span, uint32_t group)
{
    return (uint64_t *)(void *)(span->colours + group * 8);
}

/* A 1 in the byte of each slot that is taken; of each that is black. */
static uint64_t taken(uint64_t colours)
{
    return (colours | colours >> 1) & EACH;
}

static uint64_t black(uint64_t colours)
{
    return colours >> 1 & EACH;
}

/* Sum of the word's bytes. */
static uint32_t add_bytes(uint64_t bytes)
{
    uint64_t pairs =
        (bytes & UINT64_C(0x00ff00ff00ff00ff)) + (bytes >> 8 & UINT64_C(0x00ff00ff00ff00ff));

    return (uint32_t)(pairs * UINT64_C(0x0001000100010001) >> 48);
}

void tri__span_reset(struct tri__span *span)
{
    span->next_slot = 0;
    for (uint32_t group = 0; group < tri__span_groups(span); group++)
        tri__store_relaxed(group_of(span, group), 0);
}

/* First slot at or after `from` that is taken, or not; span->slots if there is none. */
static uint32_t find_slot(const struct tri__span *span, uint32_t from, bool wanted)
{
    for (uint32_t group = from / 8; group < tri__span_groups(span); group++) {
        uint64_t found = taken(tri__load_relaxed(group_of(span, group))) ^ (wanted ? 0 : EACH);

        if (group == from / 8)
            found &= ~UINT64_C(0) << (from % 8 * 8);
        if (found != 0) {
            uint32_t slot = group * 8 + (uint32_t)__builtin_ctzll(found) / 8;

            return slot < span->slots ? slot : span->slots;
        }
    }
    return span->slots;
}

bool tri__span_next_run(const struct tri__span *span, uint32_t limit, uint32_t *first,
                        uint32_t *count)
{
    uint32_t start = find_slot(span, span->next_slot, false);
    uint32_t end;

    if (start == span->slots)
        return false;
    end = find_slot(span, start, true);
    *first = start;
    *count = end - start < limit ? end - start : limit;
    return true;
}

/* Whole groups by words; a group that is shared with other slots byte by byte, for
 * markers may be storing to those. */
void tri__span_paint(struct tri__span *span, uint32_t first, uint32_t count,
                     enum tri__colour colour)
{
    uint32_t slot = first, end = first + count;

    while (slot < end) {
        if (slot % 8 == 0 && end - slot >= 8) {
            /* rel -> acq in tri__is_allocated(), here and below */
            tri__store_release(group_of(span, slot / 8), EACH * (uint64_t)colour);
            slot += 8;
        } else {
            tri__store_release(&span->colours[slot], (uint8_t)colour);
            slot++;
        }
    }
}

uint32_t tri__span_whiten(struct tri__span *span)
{
    uint32_t count = 0;

    for (uint32_t group = 0; group < tri__span_groups(span); group++) {
        uint64_t colours = tri__load_relaxed(group_of(span, group)), white = taken(colours);

        if (colours != white) /* else the page stays shared with the parent */
            tri__store_relaxed(group_of(span, group), white);
        count += add_bytes(white);
    }
    span->next_slot = 0;
    span->dirty = true;
    return count;
}

uint32_t tri__span_sweep(struct tri__span *span, uint32_t *freed)
{
    uint64_t live = 0, before = 0; /* a count in each byte: a span has less than 256 groups */

    for (uint32_t group = 0; group < tri__span_groups(span); group++) {
        uint64_t colours = tri__load_relaxed(group_of(span, group));

        live += black(colours);
        before += taken(colours);
        /* rel -> acq in tri__is_allocated() */
        tri__store_release(group_of(span, group), black(colours));
    }
    *freed = add_bytes(before) - add_bytes(live);
    span->next_slot = 0;
    span->dirty |= *freed != 0;
    return add_bytes(live);
}
