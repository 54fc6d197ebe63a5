/* SPDX-License-Identifier: MIT */
/* Thread caches: cutting runs, taking spans, giving both back.
 *
 * Locks: none; the page heap takes its own when fresh pages are needed. */
#include "heap/cache.h"

#include <string.h>

#include "base/chaos.h"
#include "base/fatal.h"
#include "base/os.h"
#include "heap/double_check.h"
#include "heap/graves.h"
#include "heap/type_notes.h"
#include "heap/watch.h"
#include "layout/heap_bits.h"
#include "layout/type.h"

/* A run is zeroed when it is cut, at most this far ahead, so that its lines are still in the
 * first-level cache when they are used. */
#define RUN_BYTES ((uint32_t)8192)

/* Unswept full spans a refill looks at before it takes fresh pages:
 * bounds the delay of one refill. */
#define SWEEP_TRIES 8

void tri__cache_init(struct tri__cache *cache, struct tri__cache_phase phase)
{
    memset(cache, 0, sizeof *cache);
    cache->front.runs[TRI__NO_SPAN].current = 1; /* never has room, not even for a size of 0 */
    cache->side = phase.side;
    cache->black = phase.black;
    cache->sweeping = phase.sweeping;
}

static void hold(struct tri__cache *cache, unsigned number, struct tri__span *span)
{
    cache->spans[number] = span;
    if (span != NULL)
        cache->used[number / 64] |= UINT64_C(1) << (number % 64);
    else
        cache->used[number / 64] &= ~(UINT64_C(1) << (number % 64));
}

/* What a run is laid out for when it is cut. A run that fits no type is tagged with its own
 * address, which no type's tag equals; so are all
 * while uses are watched [inv.verify.watched], and those for leaf objects while types are noted. */
static const void *tag_of(const struct tri__run *run, const struct tri__span *span,
                          const tri_type *type)
{
    if (TRI__UNLIKELY((tri__watched & TRI__WATCH_USES) != 0))
        return run;
    switch ((enum tri__kind)tri__class_info[span->span_class].kind) {
    case TRI__KIND_LEAF:
        return TRI__LIKELY(!tri__types_are_noted()) ? (const void *)&tri_type_bytes : run;
    case TRI__KIND_TYPED:
        return type;
    case TRI__KIND_BITMAP:
        return type != NULL && type->run_tag == type ? (const void *)type : run;
    default:
        return run;
    }
}

/* What was noted of what lay there before is no type of slots that are not handed out. */
static void note_types(const struct tri__run *run, const struct tri__span *span,
                       const tri_type *type, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        tri__type_note(run->current + i * span->slot_bytes, run->tag == type ? type : NULL);
}

/* Writes `type`'s layout into the run's slots, so that allocating that type writes nothing; a typed
 * span has its layout already. */
static void lay_out(struct tri__run *run, const struct tri__span *span, const tri_type *type,
                    uint32_t count)
{
    size_t offset = run->current - span->base;

    run->tag = tag_of(run, span, type);
    if (TRI__UNLIKELY(tri__types_are_noted()))
        note_types(run, span, type, count);
    if (run->tag != type)
        return;
    if (span->bits != NULL)
        tri__heap_bits_fill(span->bits, offset / TRI_WORD, (unsigned)(span->slot_bytes / TRI_WORD),
                            count, tri__type_object_mask(type, type->size));
    tri__double_check_run(span, (uint32_t)(offset / span->slot_bytes), count, type);
}

/* The order matters to markers that resolve a stray word to one of these slots: contents, layout,
 * and the colour last, with release [inv.alloc.publish]. */
static bool cut_run(struct tri__cache *cache, unsigned number, struct tri__span *span,
                    const tri_type *type)
{
    struct tri__run *run = &cache->front.runs[number];
    uint32_t limit = RUN_BYTES > span->slot_bytes ? RUN_BYTES / (uint32_t)span->slot_bytes : 1;
    uint32_t first, count;
    size_t bytes;

    TRI__ASSERT(!tri__span_is_typed(span) || span->type == type); /* [inv.typed.layout] */
    limit = tri__chaos_less(TRI__CHAOS_REFILL, 1, limit);
    if (!tri__span_next_run(span, limit, &first, &count))
        return false;
    bytes = count * span->slot_bytes;
    run->current = span->base + first * span->slot_bytes;
    run->end = run->current + bytes;
    tri__graves_open(run->current, bytes);
    if (span->dirty)
        memset((void *)run->current, 0, bytes);
    lay_out(run, span, type, count);
    tri__chaos(TRI__CHAOS_PAINT);
    tri__span_paint(span, first, count, tri__cache_colour(cache));
    span->next_slot = first + count;
    tri__add_single_writer(&cache->unreported, bytes);
    if (tri__span_is_typed(span))
        tri__typed_refilled(&cache->heat, type, number, bytes);
    return true;
}

static bool has_room(const struct tri__span *span)
{
    uint32_t first, count;

    return tri__span_next_run(span, 1, &first, &count);
}

void tri__file_span(struct tri__span *span, uint8_t side)
{
    struct tri__central *central = &tri__heap.central[tri__span_list(span)];

    tri__stack_push(has_room(span) ? &central->partial[side] : &central->full[side], &span->link);
}

/* Sweeps a span that the caller has popped: true if anything in it is alive. */
static bool sweep(struct tri__span *span)
{
    uint32_t freed, live;

    tri__chaos(TRI__CHAOS_SWEEP_SPAN);
    if (tri__graves_are_kept())
        tri__graves_note(span);
    live = tri__span_sweep(span, &freed);
    if (tri__graves_are_kept() && freed != 0)
        tri__graves_fill(span);
    tri__fetch_add_relaxed(&tri__heap.freed, freed * span->slot_bytes);
    return live != 0;
}

static struct tri__span *pop(struct tri__stack *stack)
{
    struct tri__stack_entry *link = tri__stack_pop(stack);

    return link == NULL ? NULL : tri__span_of_link(link);
}

static struct tri__span *pop_unswept(uint8_t unswept, unsigned list)
{
    struct tri__central *central = &tri__heap.central[list];
    struct tri__span *span = pop(&central->partial[unswept]);

    return span != NULL ? span : pop(&central->full[unswept]);
}

bool tri__sweep_one(uint8_t unswept, unsigned list)
{
    struct tri__span *span = pop_unswept(unswept, list);

    if (span == NULL)
        return false;
    if (sweep(span))
        tri__file_span(span, unswept ^ 1);
    else
        tri__span_free(span);
    return true;
}

size_t tri__sweep_list(uint8_t unswept, unsigned list)
{
    size_t count = 0;

    while (tri__sweep_one(unswept, list))
        count++;
    return count;
}

/* May slots for `type` be cut from the span? A typed span may be on a list that has become another
 * type's [inv.typed.lists]. */
static bool suits(const struct tri__span *span, const tri_type *type)
{
    return !tri__span_is_typed(span) || span->type == type;
}

/* Sweeps until a span with room turns up; an empty one is kept. */
static struct tri__span *take_unswept(struct tri__cache *cache, unsigned list, const tri_type *type)
{
    for (int tries = 0; tries < SWEEP_TRIES; tries++) {
        struct tri__span *span = pop_unswept(cache->side ^ 1, list);
        bool alive;

        if (span == NULL)
            return NULL;
        alive = sweep(span);
        if (suits(span, type) && (!alive || has_room(span)))
            return span;
        if (alive)
            tri__file_span(span, cache->side);
        else
            tri__span_free(span);
    }
    return NULL;
}

static bool take_pages(struct tri__cache *cache, size_t pages, uintptr_t *base, bool *dirty)
{
    if (pages > TRI__PAGE_CACHE_MAX_PAGES)
        return tri__page_heap_alloc(&tri__heap.pages, pages, base, dirty);
    if (tri__page_cache_alloc(&cache->pages, pages, base, dirty))
        return true;
    if (pages > 1) /* the window is fragmented or used up: do not throw single pages away for it */
        return tri__page_heap_alloc(&tri__heap.pages, pages, base, dirty);
    return tri__page_heap_fill_cache(&tri__heap.pages, &cache->pages) &&
           tri__page_cache_alloc(&cache->pages, pages, base, dirty);
}

static struct tri__span *span_on_fresh_pages(struct tri__cache *cache, uint8_t span_class)
{
    size_t pages = tri__class_info[span_class].pages;
    struct tri__span *span;
    uintptr_t base;
    bool dirty;

    if (!take_pages(cache, pages, &base, &dirty))
        return NULL;
    span = tri__span_new(base, pages, span_class, dirty);
    if (span == NULL)
        tri__page_heap_free(&tri__heap.pages, base, pages);
    return span;
}

static struct tri__span *take_fresh(struct tri__cache *cache, unsigned number, const tri_type *type)
{
    bool typed = number >= TRI__SPAN_CLASSES;
    struct tri__span *span;

    if (typed && !tri__typed_is_hot_here(&cache->heat, type))
        return NULL; /* it would be half empty for long [inv.typed.bounded] */
    span = span_on_fresh_pages(cache, typed ? tri__typed_class(type) : (uint8_t)number);
    if (span == NULL)
        return NULL;
    if (typed) {
        tri__span_set_type(span, type);
        /* Before it is published; taken back in tri__span_free() [inv.typed.count]. */
        tri__fetch_add_relaxed(&TRI__TYPE_STATE(type)->spans, 1);
    }
    tri__span_publish(span);
    return span;
}

/* No swept span with room is left: work that the thread would not have without a collector,
 * so it is booked as a delay. */
static struct tri__span *take_span_slow(struct tri__cache *cache, unsigned number,
                                        const tri_type *type)
{
    struct tri__span *span = NULL;
    uint64_t start = tri__os_now();

    if (cache->sweeping)
        span = take_unswept(cache, number, type);
    if (span == NULL)
        span = take_fresh(cache, number, type);
    tri__heap.hooks.refilled(cache, start);
    return span;
}

/* Spans that are on the list by mistake go where they belong; few at a time. */
static struct tri__span *take_span(struct tri__cache *cache, unsigned number, const tri_type *type)
{
    for (int tries = 0; tries < SWEEP_TRIES; tries++) {
        struct tri__span *span = pop(&tri__heap.central[number].partial[cache->side]);

        if (span == NULL)
            break;
        if (suits(span, type))
            return span;
        tri__file_span(span, cache->side);
    }
    return take_span_slow(cache, number, type);
}

static void forget_run(struct tri__run *run)
{
    run->current = 0;
    run->end = 0;
    run->tag = NULL;
}

/* Is there a span to be had for the type's own run? What others have left over may be used up, but
 * no fresh one is taken for a type that is not hot in this thread [inv.typed.bounded]. Such types
 * are asked about for each object, so a look has to do: no clock, and no delay to be booked. */
static bool may_have_typed(const struct tri__cache *cache, unsigned number, const tri_type *type)
{
    struct tri__central *central = &tri__heap.central[number];
    uint8_t swept = cache->side, unswept = cache->side ^ 1;

    return tri__typed_is_hot_here(&cache->heat, type) ||
           !tri__stack_is_empty(&central->partial[swept]) ||
           (cache->sweeping && (!tri__stack_is_empty(&central->partial[unswept]) ||
                                !tri__stack_is_empty(&central->full[unswept])));
}

bool tri__cache_refill(struct tri__cache *cache, unsigned number, const tri_type *type)
{
    struct tri__span *span = cache->spans[number];

    tri__chaos(TRI__CHAOS_REFILL);
    if (span == NULL && number >= TRI__SPAN_CLASSES && !may_have_typed(cache, number, type))
        return false;
    /* The run became another type's. What it was stays until H4: slots of a cut run cannot be given
     * back while a mark is running. */
    if (span != NULL && !suits(span, type))
        return false;
    while (span == NULL || !cut_run(cache, number, span, type)) {
        if (span != NULL)
            tri__stack_push(&tri__heap.central[tri__span_list(span)].full[cache->side],
                            &span->link);
        span = take_span(cache, number, type);
        hold(cache, number, span);
        if (span == NULL) {
            forget_run(&cache->front.runs[number]); /* its tag would keep the next type out */
            return false;
        }
    }
    return true;
}

/* The unused slots of a run, as slot numbers of its span. */
static uint32_t run_rest(const struct tri__run *run, const struct tri__span *span, uint32_t *first)
{
    *first = (uint32_t)((run->current - span->base) / span->slot_bytes);
    return (uint32_t)((run->end - run->current) / span->slot_bytes);
}

/* Frees the slots that the run has not handed out. Only while no mark is running: a marker that has
 * resolved a stray word to one of them could otherwise blacken a free slot [inv.colour.writer]. */
static void give_run_back(struct tri__cache *cache, struct tri__run *run, struct tri__span *span)
{
    uint32_t first, count = run_rest(run, span, &first);

    if (count == 0)
        return;
    tri__span_paint(span, first, count, TRI__FREE);
    span->next_slot = first;
    span->dirty = true;
    cache->given_back += count * span->slot_bytes;
}

#define FOR_EACH_USED(cache, number)                                                           \
    for (unsigned word_ = 0; word_ < sizeof(cache)->used / sizeof(cache)->used[0]; word_++)        \
        for (uint64_t bits_ = (cache)->used[word_]; bits_ != 0; bits_ &= bits_ - 1)                \
            for (unsigned number = word_ * 64 + (unsigned)__builtin_ctzll(bits_), once_ = 1;   \
                 once_; once_ = 0)

void tri__cache_arm(struct tri__cache *cache)
{
    cache->sweeping = false;
    tri__cache_report(cache);
}

void tri__cache_blacken(struct tri__cache *cache)
{
    cache->black = true;
    FOR_EACH_USED(cache, number) {
        struct tri__span *span = cache->spans[number];
        uint32_t first, count = run_rest(&cache->front.runs[number], span, &first);

        tri__span_paint(span, first, count, tri__cache_colour(cache));
    }
    /* Its block is white: what is allocated from now on must not be. */
    cache->tiny = cache->tiny_end = 0;
    tri__cache_report(cache);
}

void tri__cache_flip(struct tri__cache *cache)
{
    FOR_EACH_USED(cache, number) {
        struct tri__span *span = cache->spans[number];

        give_run_back(cache, &cache->front.runs[number], span);
        forget_run(&cache->front.runs[number]);
        tri__stack_push(&tri__heap.central[tri__span_list(span)].partial[cache->side],
                        &span->link);
        cache->spans[number] = NULL;
    }
    memset(cache->used, 0, sizeof cache->used);
    cache->tiny = cache->tiny_end = 0; /* its block may be swept */
    /* A thread that sleeps for long keeps no pages from the others. */
    tri__page_cache_flush(&tri__heap.pages, &cache->pages);
    cache->black = false;
    cache->sweeping = true;
    cache->side ^= 1;
    tri__heat_cool(&cache->heat);
    tri__cache_report(cache);
}

void tri__cache_drop(struct tri__cache *cache)
{
    FOR_EACH_USED(cache, number) {
        struct tri__span *span = cache->spans[number];

        if (!cache->black)
            give_run_back(cache, &cache->front.runs[number], span);
        forget_run(&cache->front.runs[number]);
        tri__file_span(span, cache->side);
        cache->spans[number] = NULL;
    }
    memset(cache->used, 0, sizeof cache->used);
    cache->tiny = cache->tiny_end = 0;
    tri__page_cache_flush(&tri__heap.pages, &cache->pages);
    tri__cache_report(cache);
}
#undef FOR_EACH_USED

void tri__cache_report(struct tri__cache *cache)
{
    if (cache->unreported != 0)
        tri__fetch_add_relaxed(&tri__heap.allocated, cache->unreported);
    if (cache->given_back != 0)
        tri__fetch_add_relaxed(&tri__heap.given_back, cache->given_back);
    tri__store_relaxed(&cache->unreported, 0);
    cache->given_back = 0;
}
