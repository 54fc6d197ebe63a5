/* SPDX-License-Identifier: MIT */
/* Span descriptors and the bits of their slots.
 *
 * Owns: the pool of descriptors. Locks: none; the pool is a lock-free stack over slabs that are never unmapped before shutdown. */
#include "heap/span.h"

#include <string.h>

#include "base/fatal.h"
#include "base/os.h"

_Static_assert(offsetof(struct tri__span, link) == 0, "tri__span_of_link casts");

#define SLAB_BYTES ((size_t)256 << 10)

/* Slabs of descriptors form a chain through their first word, for shutdown. */
struct slab {
    struct slab *next;
    struct tri__span spans[];
};

static struct tri__stack unused;
static struct slab *slabs; /* atomic */

static bool slab_new(void)
{
    struct slab *slab = tri__os_map(SLAB_BYTES);
    size_t count = (SLAB_BYTES - offsetof(struct slab, spans)) / sizeof(struct tri__span);

    if (slab == NULL)
        return false;
    slab->next = tri__load_relaxed(&slabs);
    while (!tri__cas_acqrel(&slabs, &slab->next, slab)) /* rel -> acq in tri__span_release_all() */
        continue;
    for (size_t i = 0; i < count; i++)
        tri__stack_push(&unused, &slab->spans[i].link);
    return true;
}

void tri__span_release_all(void)
{
    struct slab *slab = tri__load_acquire(&slabs);

    while (slab != NULL) {
        struct slab *next = slab->next;

        tri__os_unmap(slab, SLAB_BYTES);
        slab = next;
    }
    slabs = NULL;
    tri__stack_init(&unused);
}

static struct tri__span *descriptor_take(void)
{
    struct tri__stack_entry *link = tri__stack_pop(&unused);

    while (link == NULL && slab_new())
        link = tri__stack_pop(&unused);
    return link == NULL ? NULL : tri__span_of_link(link);
}

static void place_metadata(struct tri__span *span)
{
    const struct tri__class_info *info = &tri__class_info[span->span_class];

    span->pairs = &span->own_pair;
    span->bits = NULL;
    if (info->pairs_offset != 0)
        span->pairs = (struct tri__pair *)(span->base + info->pairs_offset);
    if (info->bits_offset != 0)
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
    place_metadata(span);
    tri__span_reset(span);
    return span;
}

void tri__span_delete(struct tri__span *span)
{
    tri__stack_push(&unused, &span->link);
}

void tri__span_reset(struct tri__span *span)
{
    span->next_slot = 0;
    for (uint32_t i = 0; i < tri__span_groups(span); i++) {
        tri__store_relaxed(&span->pairs[i].mark, 0);
        tri__store_relaxed(&span->pairs[i].alloc, 0);
    }
}

/* Bits [low, high) of one group, 0 <= low < high <= 64. */
static inline uint64_t bit_range(uint32_t low, uint32_t high)
{
    return (~UINT64_C(0) >> (64 - (high - low))) << low;
}

/* First slot at or after `from` whose allocation bit, flipped by `flip`, is set; span->slots if there is none. */
static uint32_t find_slot(const struct tri__span *span, uint32_t from, uint64_t flip)
{
    for (uint32_t group = from / 64; group < tri__span_groups(span); group++) {
        uint64_t word = tri__load_relaxed(&span->pairs[group].alloc) ^ flip;

        if (group == from / 64)
            word &= ~UINT64_C(0) << (from % 64);
        if (word != 0) {
            uint32_t slot = group * 64 + (uint32_t)__builtin_ctzll(word);

            return slot < span->slots ? slot : span->slots;
        }
    }
    return span->slots;
}

bool tri__span_next_run(const struct tri__span *span, uint32_t limit, uint32_t *first, uint32_t *count)
{
    uint32_t start = find_slot(span, span->next_slot, ~UINT64_C(0));
    uint32_t end;

    if (start == span->slots)
        return false;
    end = find_slot(span, start, 0);
    *first = start;
    *count = end - start < limit ? end - start : limit;
    return true;
}

/* Calls `body` with the group and the mask of each group that [first, first + count) touches. */
#define FOR_EACH_GROUP(first, count, group, mask, body)                                            \
    do {                                                                                           \
        uint32_t slot_ = (first), end_ = (first) + (count);                                        \
        while (slot_ < end_) {                                                                     \
            uint32_t group = slot_ / 64;                                                           \
            uint32_t stop_ = (group + 1) * 64 < end_ ? (group + 1) * 64 : end_;                    \
            uint64_t mask = bit_range(slot_ % 64, stop_ - group * 64);                             \
            body;                                                                                  \
            slot_ = stop_;                                                                         \
        }                                                                                          \
    } while (0)

void tri__span_set_alloc(struct tri__span *span, uint32_t first, uint32_t count)
{
    FOR_EACH_GROUP(first, count, group, mask, {
        uint64_t *alloc = &span->pairs[group].alloc;

        /* rel -> acq in tri__resolve(): who sees the bit sees the zeroed slot and, while marking, its mark. */
        tri__store_release(alloc, tri__load_relaxed(alloc) | mask);
    });
}

void tri__span_clear_alloc(struct tri__span *span, uint32_t first, uint32_t count)
{
    FOR_EACH_GROUP(first, count, group, mask, {
        uint64_t *alloc = &span->pairs[group].alloc;

        tri__store_release(alloc, tri__load_relaxed(alloc) & ~mask);
    });
}

void tri__span_set_marks(struct tri__span *span, uint32_t first, uint32_t count)
{
    /* Atomic: markers set bits of other slots in the same group at the same time. */
    FOR_EACH_GROUP(first, count, group, mask, tri__fetch_or_relaxed(&span->pairs[group].mark, mask));
}

void tri__span_clear_marks(struct tri__span *span, uint32_t first, uint32_t count)
{
    FOR_EACH_GROUP(first, count, group, mask, tri__fetch_and_relaxed(&span->pairs[group].mark, ~mask));
}
#undef FOR_EACH_GROUP

uint32_t tri__span_sweep(struct tri__span *span, uint32_t *freed)
{
    uint32_t live = 0, before = 0;

    for (uint32_t i = 0; i < tri__span_groups(span); i++) {
        uint64_t mark = tri__load_relaxed(&span->pairs[i].mark);
        uint64_t alloc = tri__load_relaxed(&span->pairs[i].alloc);

        TRI__ASSERT((mark & ~alloc) == 0); /* a free slot was marked [inv.mark.allocated] */
        live += (uint32_t)__builtin_popcountll(mark);
        before += (uint32_t)__builtin_popcountll(alloc);
        tri__store_release(&span->pairs[i].alloc, mark);
        tri__store_relaxed(&span->pairs[i].mark, 0);
    }
    *freed = before - live;
    span->next_slot = 0;
    span->dirty |= *freed != 0;
    return live;
}
