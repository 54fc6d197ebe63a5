/* SPDX-License-Identifier: MIT */
/* The structural check of spans, of the central lists, and of a thread's cache.
 *
 * A span that was popped is the check's own until it is pushed back, like anybody's
 * [inv.span.owner]; threads that want one meanwhile take fresh pages. No mark is running, so nobody
 * changes colours of a span that is not his [inv.colour.writer]. */
#include "base/os.h"
#include "heap/check.h"
#include "heap/extent.h"
#include "heap/type_notes.h"

/* Where a span was found: lists are numbered from 1 on, caches from the other end. A thread may
 * leave a span to another one that is looked at later. */
#define LIST_PLACES (4 * TRI__LISTS)
#define CACHE_PLACES (UINT16_MAX - LIST_PLACES)

/* ---- the const fields ---- */

static bool place_is_right(const struct tri__span *span)
{
    size_t pages = tri__page_heap_committed(&tri__heap.pages);

    return tri__in_heap(span->base) && span->base % TRI__PAGE_BYTES == 0 && span->pages != 0 &&
           tri__page_of(span->base) < pages && span->pages <= pages - tri__page_of(span->base);
}

static bool is_one_slot(const struct tri__span *span)
{
    return span->slots == 1 && span->slot_bytes == span->pages << TRI__PAGE_SHIFT &&
           span->colours == span->own_colours;
}

static bool is_cut_by_class(const struct tri__span *span, const struct tri__class_info *info)
{
    const uint8_t *colours = info->colours_offset == 0
                                 ? span->own_colours
                                 : (const uint8_t *)(span->base + info->colours_offset);
    const uint64_t *bits =
        info->kind == TRI__KIND_BITMAP ? (const uint64_t *)(span->base + info->bits_offset) : NULL;

    return span->pages == info->pages && span->slots == info->slots &&
           span->slot_bytes == info->size && span->colours == colours && span->bits == bits;
}

bool tri__check_shape(struct tri__check *check, const struct tri__span *span)
{
    const struct tri__class_info *info = &tri__class_info[span->span_class];
    bool is_alone = span->span_class == TRI__LARGE_SPAN || span->span_class == TRI__ARENA_SPAN;

    if (span->span_class == TRI__NO_SPAN || span->span_class >= TRI__PAGE_CLASSES ||
        !place_is_right(span)) {
        tri__check_defect(check,
                          "the span %p has class %u and %zu pages at %#zx, of a heap at %#zx",
                          (const void *)span, span->span_class, span->pages, (size_t)span->base,
                          (size_t)tri__heap.base);
        return false;
    }
    if (is_alone ? is_one_slot(span) : is_cut_by_class(span, info))
        return true;
    tri__check_defect(
        check,
        "the span at %#zx has %zu pages, %u slots of %zu bytes, colours at %p and bits "
        "at %p: its class %u has others",
        (size_t)span->base, span->pages, span->slots, span->slot_bytes, (const void *)span->colours,
        (const void *)span->bits, span->span_class);
    return false;
}

/* ---- a span that nobody else has ---- */

static uint8_t colour_of(const struct tri__span *span, uint32_t slot)
{
    return tri__load_relaxed(&span->colours[slot]);
}

/* Of those behind the last slot, which fill up a group of eight, none may look taken. */
static uint32_t count_taken(struct tri__check *check, const struct tri__span *span)
{
    uint32_t count = 0, wrong = 0, first = 0;

    for (uint32_t slot = 0; slot < tri__span_groups(span) * 8; slot++) {
        uint8_t colour = colour_of(span, slot);
        bool is_right = colour == TRI__FREE || (colour == TRI__WHITE && slot < span->slots);

        if (!is_right && wrong++ == 0)
            first = slot;
        count += colour != TRI__FREE && slot < span->slots;
    }
    if (wrong != 0)
        tri__check_defect(
            check,
            "slot %u of the span at %#zx, which has %u, has colour %u while no mark is "
            "running; %u such in all",
            first, (size_t)span->base, span->slots, colour_of(span, first), wrong);
    return count;
}

static void check_free_slots(struct tri__check *check, const struct tri__span *span)
{
    for (uint32_t slot = 0; slot < span->slots; slot++)
        if (colour_of(span, slot) == TRI__FREE &&
            !tri__check_is_zero(span->base + slot * span->slot_bytes, span->slot_bytes)) {
            tri__check_defect(check,
                              "slot %u of the span at %#zx is free and not zero, but the span "
                              "is not dirty",
                              slot, (size_t)span->base);
            return;
        }
}

static bool page_names_type(const struct tri__span *span, const tri_type *type)
{
    const struct tri__class_info *info = &tri__class_info[span->span_class];
    const struct tri__page_type *in_page =
        (const struct tri__page_type *)(span->base + info->bits_offset);

    if (info->bits_offset == 0)
        return true;
    return tri__load_relaxed(&in_page->type) == type &&
           (!tri__class_has_mask(info) ||
            tri__load_relaxed(&in_page->mask) == tri__type_object_mask(type, type->size));
}

/* As far as its type is known: with verification on. The last bit says how many elements there are,
 * so that one too few at the end is not seen. */
static bool layout_is_right(const struct tri__ref *ref)
{
    const struct tri__class_info *info = &tri__class_info[ref->span_class];
    const tri_type *type = tri__noted_type(ref);
    struct tri__extent extent = {0, 0};

    if (type == NULL)
        return true;
    if (!tri__extent_of(ref, type, &extent))
        extent.bytes = type->size;
    if (extent.bytes > info->size)
        extent.bytes = info->size;
    return tri__ref_bits(ref, info) == tri__type_object_mask(type, extent.bytes);
}

/* Slots that were not handed out have no noted type, or its layout already. */
static void check_layouts(struct tri__check *check, const struct tri__span *span)
{
    struct tri__ref ref;

    if (span->bits == NULL || !tri__types_are_noted())
        return;
    for (uint32_t slot = 0; slot < span->slots; slot++) {
        uintptr_t base = span->base + slot * span->slot_bytes;

        if (colour_of(span, slot) == TRI__FREE || !tri__locate(base, &ref) || layout_is_right(&ref))
            continue;
        tri__check_defect(check,
                          "slot %u of the span at %#zx has pointers where its type, '%s', has "
                          "none, or none where it has some",
                          slot, (size_t)span->base, tri__type_label(tri__noted_type(&ref)));
        return;
    }
}

static void check_type(struct tri__check *check, const struct tri__span *span)
{
    const tri_type *type = tri__load_relaxed(&span->type);

    if (tri__span_is_typed(span)) {
        if (type == NULL || !tri__type_has_state(type) || type->size > span->slot_bytes ||
            !page_names_type(span, type))
            tri__check_defect(check, "the typed span at %#zx has type %p, which does not fit",
                              (size_t)span->base, (const void *)type);
    } else if (span->span_class != TRI__LARGE_SPAN && type != NULL) {
        tri__check_defect(check, "the span at %#zx has type %p, but is of class %u",
                          (size_t)span->base, (const void *)type, span->span_class);
    }
}

static bool is_entered(const struct tri__span *span)
{
    size_t page = tri__page_of(span->base);

    return tri__load_relaxed(&tri__heap.page_class[page]) == span->span_class &&
           tri__load_relaxed(&tri__heap.page_span[page]) == span;
}

/* Returns the number of slots that are taken. */
static uint32_t check_span(struct tri__check *check, const struct tri__span *span)
{
    uint32_t taken = count_taken(check, span);

    check->taken_bytes += taken * span->slot_bytes;
    if (!is_entered(span))
        tri__check_defect(check, "the span at %#zx, of class %u, is not in the page table",
                          (size_t)span->base, span->span_class);
    if (span->next_slot > span->slots)
        tri__check_defect(check, "the next slot of the span at %#zx is %u, of %u",
                          (size_t)span->base, span->next_slot, span->slots);
    if (span->span_class == TRI__LARGE_SPAN && taken == 0)
        tri__check_defect(check, "the large span at %#zx has no object", (size_t)span->base);
    if (!span->dirty && span->span_class != TRI__LARGE_SPAN)
        check_free_slots(check, span);
    check_type(check, span);
    return taken;
}

/* false: it was found in the same place before. In another one a thread may have found it, and put it
 * here: that is told with the sums [inv.check.alone]. */
static bool note_place(struct tri__check *check, const struct tri__span *span, uint16_t place)
{
    size_t page = tri__page_of(span->base);
    uint16_t before;

    if (!tri__in_heap(span->base) || page >= check->pages)
        return true; /* wrong, which is told later; or newer than the check */
    before = check->places[page];
    check->places[page] = place;
    if (before == place) {
        tri__check_defect(check, "the span at %#zx is twice on a list, or in a cache",
                          (size_t)span->base);
        return false;
    }
    if (before != 0) {
        check->moved_spans++;
        check->moved = span->base;
    }
    return true;
}

/* ---- the central lists ---- */

struct place {
    struct tri__stack *stack;
    unsigned list;
    bool full, swept;
    uint16_t number;
};

/* A typed span may be on any list of typed ones [inv.typed.lists]. */
static bool belongs(const struct tri__span *span, unsigned list)
{
    return tri__span_is_typed(span) ? list >= TRI__SPAN_CLASSES : list == span->span_class;
}

static void check_listed(struct tri__check *check, const struct tri__span *span,
                         const struct place *place)
{
    uint32_t first, count;

    if (!tri__check_shape(check, span))
        return;
    if (!belongs(span, place->list))
        tri__check_defect(check, "the span at %#zx, of class %u, is on list %u", (size_t)span->base,
                          span->span_class, place->list);
    if (!place->swept)
        tri__check_defect(check,
                          "the span at %#zx is on the side of list %u that was swept and has "
                          "to be empty",
                          (size_t)span->base, place->list);
    check_span(check, span);
    check_layouts(check, span);
    if (place->full && place->swept && tri__span_next_run(span, 1, &first, &count))
        tri__check_defect(check, "the span at %#zx is listed as full, and its slot %u is free",
                          (size_t)span->base, first);
}

/* All that are there, the last one first. A list that leads back into itself ends where it does. */
static struct tri__stack_entry *pop_all(struct tri__check *check, const struct place *place)
{
    struct tri__stack_entry *link, *chain = NULL;

    for (size_t left = check->pages; left > 0; left--) {
        link = tri__stack_pop(place->stack);
        if (link == NULL || !note_place(check, tri__span_of_link(link), place->number))
            break;
        link->next = chain;
        chain = link;
    }
    return chain;
}

/* Popped before they are looked at, so that a thread that fills spans is not run after; and pushed
 * back in their order. */
static void check_list(struct tri__check *check, const struct place *place)
{
    struct tri__stack_entry *chain = pop_all(check, place);

    while (chain != NULL) {
        struct tri__stack_entry *link = chain;

        chain = link->next;
        check_listed(check, tri__span_of_link(link), place);
        tri__stack_push(place->stack, link);
    }
}

void tri__check_lists(struct tri__check *check)
{
    uint16_t number = 0;

    for (unsigned list = 0; list < TRI__LISTS; list++)
        for (unsigned side = 0; side < 4; side++) {
            struct tri__central *central = &tri__heap.central[list];
            struct place place = {side < 2 ? &central->partial[side] : &central->full[side - 2],
                                  list, side >= 2, side % 2 == check->swept, ++number};

            check_list(check, &place);
        }
}

/* ---- the cache of a thread that is claimed ---- */

static void check_run(struct tri__check *check, const struct tri__run *run,
                      const struct tri__span *span, unsigned number)
{
    size_t offset = run->current - span->base, end = run->end - span->base;

    if (offset > end || end > span->slots * span->slot_bytes || offset % span->slot_bytes != 0 ||
        end % span->slot_bytes != 0) {
        tri__check_defect(check,
                          "run %u goes from %#zx to %#zx, in the span at %#zx with slots of "
                          "%zu bytes",
                          number, (size_t)run->current, (size_t)run->end, (size_t)span->base,
                          span->slot_bytes);
        return;
    }
    if (end / span->slot_bytes > span->next_slot)
        tri__check_defect(check, "run %u ends behind slot %u, the next one of its span at %#zx",
                          number, span->next_slot, (size_t)span->base);
    for (size_t slot = offset / span->slot_bytes; slot < end / span->slot_bytes; slot++)
        if (colour_of(span, (uint32_t)slot) == TRI__FREE)
            tri__check_defect(check, "slot %zu of the span at %#zx is in run %u, and free", slot,
                              (size_t)span->base, number);
    if (!tri__check_is_zero(run->current, end - offset))
        tri__check_defect(check, "what run %u has not handed out, from %#zx to %#zx, is not zero",
                          number, (size_t)run->current, (size_t)run->end);
}

static void check_cached(struct tri__check *check, const struct tri__cache *cache, unsigned number)
{
    const struct tri__span *span = cache->spans[number];
    bool is_listed = (cache->used[number / 64] >> (number % 64) & 1) != 0;

    if (is_listed != (span != NULL))
        tri__check_defect(check, "run %u %s a span, but its bit says otherwise", number,
                          span != NULL ? "has" : "has not");
    if (span == NULL || !tri__check_shape(check, span))
        return;
    note_place(check, span, (uint16_t)(UINT16_MAX - check->caches % CACHE_PLACES));
    if (tri__span_is_typed(span) ? number < TRI__SPAN_CLASSES : number != span->span_class)
        tri__check_defect(check, "run %u has the span at %#zx, of class %u", number,
                          (size_t)span->base, span->span_class);
    check_span(check, span);
    check_layouts(check, span);
    check_run(check, &cache->front.runs[number], span, number);
}

/* To the page heap they are in use; to the page table they are not. */
static bool window_is_right(const struct tri__page_cache *pages)
{
    size_t first = tri__page_of(pages->base);
    bool right = (pages->dirty & ~pages->vacant) == 0;

    if (tri__page_cache_is_empty(pages))
        return right;
    if (!tri__in_heap(pages->base) || pages->base % TRI__PAGE_BYTES != 0 || first % 64 != 0)
        return false;
    tri__page_heap_lock(&tri__heap.pages);
    for (uint64_t bits = pages->vacant; bits != 0; bits &= bits - 1) {
        size_t page = first + (size_t)__builtin_ctzll(bits);

        right &= page < tri__page_heap_committed(&tri__heap.pages) &&
                 tri__page_is_used_locked(&tri__heap.pages, page) &&
                 tri__load_relaxed(&tri__heap.page_class[page]) == TRI__NO_SPAN;
    }
    tri__page_heap_unlock(&tri__heap.pages);
    return right;
}

void tri__check_cache(struct tri__check *check, const struct tri__cache *cache)
{
    check->caches++;
    for (unsigned number = 0; number < TRI__RUNS; number++)
        check_cached(check, cache, number);
    if (!window_is_right(&cache->pages))
        tri__check_defect(check,
                          "a page cache at %#zx has pages %#llx, of which %#llx are dirty; "
                          "some are not its own",
                          (size_t)cache->pages.base, (unsigned long long)cache->pages.vacant,
                          (unsigned long long)cache->pages.dirty);
    if (cache->tiny > cache->tiny_end)
        tri__check_defect(check, "the block of tiny objects ends at %#zx, before %#zx",
                          (size_t)cache->tiny_end, (size_t)cache->tiny);
    if (cache->black || cache->side != check->swept)
        tri__check_defect(check, "a cache is of another phase: side %u, black %u", cache->side,
                          cache->black);
    check->vacant_pages += (size_t)__builtin_popcountll(cache->pages.vacant);
    check->unreported += tri__load_relaxed(&cache->unreported);
    check->given_back += cache->given_back;
}

/* ---- typed spans: each type knows how many it has ---- */

struct counted {
    const tri_type *type;
    size_t spans;
};

struct counts {
    struct counted *entries; /* a hash table, at most half full */
    size_t room;
};

static void count_type(struct counts *counts, const tri_type *type)
{
    size_t i = (size_t)((uintptr_t)type / sizeof(uint64_t) * UINT64_C(0x9e3779b97f4a7c15) >> 32);

    while (counts->entries[i % counts->room].type != NULL &&
           counts->entries[i % counts->room].type != type)
        i++;
    counts->entries[i % counts->room].type = type;
    counts->entries[i % counts->room].spans++;
}

static void count_types(const struct tri__check *check, struct counts *counts)
{
    for (size_t page = 0; page < check->pages; page++) {
        const struct tri__span *span = tri__load_relaxed(&tri__heap.page_span[page]);

        if (check->places[page] != 0 && tri__span_is_typed(span))
            count_type(counts, span->type);
    }
}

/* Without memory for the table this is left out. */
void tri__check_typed_counts(struct tri__check *check)
{
    struct counts counts = {.room = 2 * check->table_spans + 1};

    counts.entries = tri__os_map(counts.room * sizeof *counts.entries);
    if (counts.entries == NULL)
        return;
    count_types(check, &counts);
    for (size_t i = 0; i < counts.room; i++) {
        const tri_type *type = counts.entries[i].type;

        if (type != NULL && tri__typed_spans(type) != counts.entries[i].spans)
            tri__check_defect(check, "type '%s' is said to have %u spans, and has %zu",
                              type->name != NULL ? type->name : "?", tri__typed_spans(type),
                              counts.entries[i].spans);
    }
    tri__os_unmap(counts.entries, counts.room * sizeof *counts.entries);
}
