/* SPDX-License-Identifier: MIT */
/* Thread caches: runs, what is done when one is cut, giving back, arming, flipping, sweeping. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <tricolor/type.h>

#include "bare_heap.h"
#include "cache_subjects.h"
#include "heap/object.h"
#include "suite.h"

#define RESERVE ((size_t)16 << 20)

/* Five words, in slots of six. */
typedef struct five {
    void *a, *b;
    long c;
    void *d, *e;
} five;
TRI_TYPE(five, a, b, d, e);

static const struct tri__cache_phase idle, marking = {.black = true};
static struct tri__cache cache, other;

static void start(void)
{
    bare_heap_start(RESERVE);
    tri__cache_init(&cache, idle);
    tri__cache_init(&other, idle);
}

static struct tri__run *run_of(struct tri__cache *of, unsigned c)
{
    return &of->front.runs[c];
}

static uintptr_t take(struct tri__cache *from, unsigned c, const tri_type *type)
{
    struct tri__run *run = run_of(from, c);
    uintptr_t slot;
    if (run->current == run->end && !tri__cache_refill(from, (uint8_t)c, type))
        return 0;
    slot = run->current;
    run->current += tri__class_info[c].size;
    ck_assert_uint_le(run->current, run->end);
    return slot;
}

/* Takes n slots and returns the first; the run goes on from there. */
static uintptr_t take_some(struct tri__cache *from, unsigned c, unsigned n)
{
    uintptr_t first = take(from, c, NULL);
    ck_assert_uint_ne(first, 0);
    for (unsigned i = 1; i < n; i++)
        ck_assert_uint_ne(take(from, c, NULL), 0);
    return first;
}

static enum tri__colour colour(uintptr_t slot)
{
    struct tri__ref ref;
    ck_assert(tri__locate(slot, &ref));
    ck_assert_uint_eq(ref.base, slot);
    return (enum tri__colour)*ref.colour;
}

static void check_colours(uintptr_t first, uintptr_t end, unsigned c, enum tri__colour expected)
{
    for (uintptr_t slot = first; slot < end; slot += tri__class_info[c].size)
        ck_assert_uint_eq(colour(slot), expected);
}

/* ---- runs ---- */

static void check_run(unsigned c, enum tri__colour born)
{
    struct tri__run *run = run_of(&cache, c);
    size_t size = tri__class_info[c].size, bytes;
    bool leaf = tri__class_info[c].kind == TRI__KIND_LEAF;
    ck_assert(tri__cache_refill(&cache, (uint8_t)c, NULL));
    bytes = run->end - run->current;
    ck_assert_uint_ge(bytes, size);
    ck_assert_uint_eq(bytes % size, 0);
    ck_assert(bytes <= 8192 || bytes == size);
    ck_assert(is_zero(run->current, bytes));
    check_colours(run->current, run->end, c, born);
    ck_assert_ptr_eq(run->tag, leaf ? (const void *)&tri_type_bytes : (const void *)run);
    ck_assert_uint_eq(cache.unreported, bytes);
    cache.unreported = 0;
}

START_TEST(a_run_of_every_class)
{
    start();
    for (unsigned c = 2; c < TRI__SPAN_CLASSES; c++)
        check_run(c, TRI__WHITE);
    cache.black = true;
    for (unsigned c = 2; c < TRI__SPAN_CLASSES; c++) {
        run_of(&cache, c)->current = run_of(&cache, c)->end;
        check_run(c, TRI__BLACK);
    }
}
END_TEST

static int by_address(const void *a, const void *b)
{
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

/* As many slots as some spans have must fill so many spans, whatever runs they came in. */
static void check_spans_are_used_up(unsigned c)
{
    static uintptr_t slots[3 * 1024];
    struct tri__class_info info = tri__class_info[c];
    size_t count = 3 * (size_t)info.slots, spans = 0;
    for (size_t i = 0; i < count; i++) {
        slots[i] = take(&cache, c, NULL);
        ck_assert_uint_ne(slots[i], 0);
        ck_assert(is_zero(slots[i], info.size));
        memset((void *)slots[i], FILL, info.size);
    }
    qsort(slots, count, sizeof slots[0], by_address);
    for (size_t i = 0; i < count; i++) {
        ck_assert(i == 0 || slots[i] - slots[i - 1] >= info.size);
        spans += i == 0 || tri__span_at(slots[i]) != tri__span_at(slots[i - 1]);
    }
    ck_assert_uint_eq(spans, 3);
}

START_TEST(every_slot_is_handed_out_once)
{
    start();
    for (unsigned c = 2; c < TRI__SPAN_CLASSES; c++)
        check_spans_are_used_up(c);
}
END_TEST

static uint64_t layout_of(uintptr_t slot)
{
    struct tri__type_pointers it;
    struct tri__ref ref;
    uint64_t mask = 0;
    uintptr_t word;
    ck_assert(tri__resolve(slot, &ref));
    it = tri__type_pointers_of_ref(&ref);
    while ((word = tri__type_pointers_next(&it)) != 0)
        mask |= UINT64_C(1) << ((word - slot) / TRI_WORD);
    return mask;
}

START_TEST(a_run_is_laid_out_for_its_type)
{
    unsigned c = TRI__SPAN_CLASS(TRI__SIZE_CLASS(sizeof(five)), 0);
    start();
    for (int i = 0; i < 400; i++) {
        ck_assert_uint_eq(layout_of(take(&cache, FOUR, &tri_type_four)), 0x9);
        ck_assert_ptr_eq(run_of(&cache, FOUR)->tag, &tri_type_four);
        ck_assert_uint_eq(layout_of(take(&cache, c, &tri_type_five)), 0x1b);
    }
}
END_TEST

/* ---- giving back ---- */

START_TEST(dropping_gives_back_what_is_unused)
{
    uintptr_t first, next;
    size_t size = sizeof(four), slots = tri__class_info[FOUR].slots;
    start();
    first = take_some(&cache, FOUR, 3);
    memset((void *)first, FILL, 3 * size);
    tri__cache_drop(&cache);
    ck_assert_uint_eq(tri__heap_in_use(), 3 * size);
    check_colours(first, first + 3 * size, FOUR, TRI__WHITE);
    check_colours(first + 3 * size, first + slots * size, FOUR, TRI__FREE);
    ck_assert_uint_eq(tri__page_heap_used(&tri__heap.pages), 1);
    ck_assert(tri__page_cache_is_empty(&cache.pages));
    next = take_some(&other, FOUR, (unsigned)slots - 3);
    ck_assert_uint_eq(next, first + 3 * size);
    ck_assert_uint_eq(run_of(&other, FOUR)->current, first + slots * size);
}
END_TEST

/* A marker may be about to blacken one of them. */
START_TEST(dropping_while_black_keeps_the_run)
{
    uintptr_t first, end;
    start();
    tri__cache_init(&cache, marking);
    first = take_some(&cache, FOUR, 3);
    end = run_of(&cache, FOUR)->end;
    tri__cache_drop(&cache);
    check_colours(first, end, FOUR, TRI__BLACK);
    ck_assert_uint_eq(tri__heap_in_use(), end - first);
    ck_assert_uint_eq(run_of(&cache, FOUR)->end, 0);
}
END_TEST

START_TEST(what_was_given_back_is_zeroed_again)
{
    uintptr_t first;
    start();
    first = take(&cache, FOUR, NULL);
    memset((void *)first, FILL, sizeof(four) * 2); /* a bug of the program: one object too far */
    tri__cache_drop(&cache);
    ck_assert_uint_eq(take(&other, FOUR, NULL), first + sizeof(four));
    ck_assert(is_zero(first + sizeof(four), sizeof(four)));
}
END_TEST

/* ---- phases ---- */

static void check_first(const uintptr_t *first, enum tri__colour rest)
{
    for (unsigned c = 2; c < TRI__SPAN_CLASSES; c++) {
        struct tri__run *run = run_of(&cache, c);
        ck_assert_uint_eq(colour(first[c]), TRI__WHITE);
        check_colours(run->current, run->end, c, rest);
    }
}

/* While others may still store to it without a barrier, a new object has to be white. */
START_TEST(arming_ends_sweeping_only)
{
    uintptr_t first[TRI__SPAN_CLASSES];
    start();
    for (unsigned c = 2; c < TRI__SPAN_CLASSES; c++)
        first[c] = take(&cache, c, NULL);
    cache.sweeping = true;
    tri__cache_arm(&cache);
    ck_assert(!cache.black && !cache.sweeping);
    ck_assert_uint_eq(cache.side, 0);
    ck_assert_uint_eq(cache.unreported, 0);
    check_first(first, TRI__WHITE);
    for (unsigned i = 0; i < 2 * tri__class_info[FOUR].slots; i++)
        ck_assert_uint_eq(colour(take(&cache, FOUR, NULL)), TRI__WHITE);
}
END_TEST

START_TEST(blackening_paints_the_rest_of_each_run)
{
    uintptr_t first[TRI__SPAN_CLASSES];
    start();
    for (unsigned c = 2; c < TRI__SPAN_CLASSES; c++)
        first[c] = take(&cache, c, NULL);
    tri__cache_arm(&cache);
    cache.tiny = cache.tiny_end = first[FOUR];
    tri__cache_blacken(&cache);
    ck_assert(cache.black && !cache.sweeping);
    ck_assert_uint_eq(cache.side, 0);
    ck_assert_uint_eq(cache.tiny_end, 0);
    check_first(first, TRI__BLACK);
    for (unsigned i = 0; i < 2 * tri__class_info[FOUR].slots; i++)
        ck_assert_uint_eq(colour(take(&cache, FOUR, NULL)), TRI__BLACK);
}
END_TEST

/* What handshakes make of a cache from the beginning of a mark to its end. */
static void pass_a_mark(void)
{
    tri__cache_arm(&cache);
    tri__cache_blacken(&cache);
    tri__cache_flip(&cache);
}

/* Slots 0 and 1 white, 2 and 3 black, as they are after a mark that has found nothing. */
static uintptr_t two_white_two_black(void)
{
    uintptr_t first;
    start();
    first = take_some(&cache, FOUR, 2);
    tri__cache_arm(&cache);
    tri__cache_blacken(&cache);
    ck_assert_uint_eq(take_some(&cache, FOUR, 2), first + 2 * sizeof(four));
    memset((void *)first, FILL, 4 * sizeof(four));
    return first;
}

START_TEST(flipping_gives_back_and_changes_sides)
{
    uintptr_t first = two_white_two_black(), end = run_of(&cache, FOUR)->end;
    size_t size = sizeof(four);
    tri__cache_flip(&cache);
    check_colours(first, first + 2 * size, FOUR, TRI__WHITE);
    check_colours(first + 2 * size, first + 4 * size, FOUR, TRI__BLACK);
    check_colours(first + 4 * size, end, FOUR, TRI__FREE);
    ck_assert(!cache.black && cache.sweeping);
    ck_assert_uint_eq(cache.side, 1);
    ck_assert_uint_eq(run_of(&cache, FOUR)->current, 0);
    ck_assert_uint_eq(run_of(&cache, FOUR)->end, 0);
    ck_assert_ptr_null(cache.spans[FOUR]);
    ck_assert(tri__page_cache_is_empty(&cache.pages));
    ck_assert_uint_eq(tri__heap_in_use(), 4 * size);
}
END_TEST

/* Before the thread has answered H4 it must not see what its own side holds swept. */
START_TEST(a_refill_sweeps_only_after_the_flip)
{
    uintptr_t first = two_white_two_black();
    size_t size = sizeof(four);
    tri__cache_flip(&cache);
    tri__cache_init(&other, (struct tri__cache_phase){.side = 1});
    ck_assert_ptr_ne(tri__span_at(take(&other, FOUR, NULL)), tri__span_at(first));
    ck_assert_uint_eq(take(&cache, FOUR, NULL), first);
    ck_assert_uint_eq(run_of(&cache, FOUR)->end, first + 2 * size); /* up to those that live */
    ck_assert(is_zero(first, 2 * size));
    check_colours(first + 2 * size, first + 4 * size, FOUR, TRI__WHITE);
    take_some(&cache, FOUR, 1);
    ck_assert_uint_eq(take(&cache, FOUR, NULL), first + 4 * size);
    ck_assert_uint_eq(*(unsigned char *)(first + 2 * size), FILL);
}
END_TEST

START_TEST(sweeping_files_a_span_on_the_other_side)
{
    uintptr_t first = two_white_two_black();
    tri__cache_flip(&cache);
    ck_assert(!tri__sweep_one(1, FOUR));
    ck_assert(!tri__sweep_one(0, FOUR + 2));
    ck_assert_uint_eq(tri__sweep_list(0, FOUR), 1);
    ck_assert(!tri__sweep_one(0, FOUR));
    ck_assert_uint_eq(tri__heap.freed, 2 * sizeof(four));
    ck_assert_uint_eq(tri__heap_in_use(), 2 * sizeof(four));
    cache.sweeping = false;
    ck_assert_uint_eq(take(&cache, FOUR, NULL), first);
}
END_TEST

START_TEST(an_empty_span_goes_back_to_the_page_heap)
{
    struct tri__ref ref;
    uintptr_t slots[TRI__SPAN_CLASSES];
    start();
    for (unsigned c = 2; c < TRI__SPAN_CLASSES; c++)
        slots[c] = take(&cache, c, NULL);
    slots[TRI__LARGE_SPAN] = tri__large_alloc(&cache, NULL, 100000);
    pass_a_mark();
    for (unsigned c = 1; c < TRI__SPAN_CLASSES; c++) {
        ck_assert(tri__resolve(slots[c], &ref));
        ck_assert_uint_eq(tri__sweep_list(0, c), 1);
        ck_assert(!tri__locate(slots[c], &ref));
    }
    tri__cache_drop(&cache);
    ck_assert_uint_eq(tri__page_heap_used(&tri__heap.pages), 0);
    ck_assert_uint_eq(tri__heap_in_use(), 0);
}
END_TEST

/* ---- memory used up ---- */

/* Writes to all it gets, so that zeroing shows when the memory comes back. */
static size_t take_all(unsigned c)
{
    size_t count = 0;
    uintptr_t slot;
    while ((slot = take(&cache, c, NULL)) != 0) {
        if (!is_zero(slot, tri__class_info[c].size))
            ck_abort_msg("slot %#lx is not zero", (unsigned long)slot);
        memset((void *)slot, FILL, tri__class_info[c].size);
        count++;
    }
    return count;
}

START_TEST(a_full_heap)
{
    unsigned c = TRI__SPAN_CLASS(tri__size_to_class((size_t)_i), 1);
    size_t count, least = RESERVE / 4 * 3 / tri__class_info[c].size;
    start();
    count = take_all(c);
    ck_assert_uint_ge(count, least);
    ck_assert(!tri__cache_refill(&cache, (uint8_t)c, NULL));
    ck_assert_uint_eq(tri__large_alloc(&cache, NULL, RESERVE / 2), 0);
    ck_assert_ptr_null(cache.spans[c]);
    pass_a_mark();
    ck_assert_uint_eq(tri__heap_in_use(), count * tri__class_info[c].size);
    ck_assert_uint_eq(take_all(c), count); /* sweeps span by span */
    pass_a_mark();
    tri__sweep_list(1, c);
    tri__cache_drop(&cache);
    ck_assert_uint_eq(tri__page_heap_used(&tri__heap.pages), 0);
    ck_assert_uint_ne(tri__large_alloc(&cache, NULL, RESERVE / 2), 0);
}
END_TEST

/* ---- large objects ---- */

START_TEST(large_objects)
{
    size_t bytes = 100000, pages = (bytes + TRI__PAGE_BYTES - 1) / TRI__PAGE_BYTES;
    uintptr_t white, black;
    start();
    white = tri__large_alloc(&cache, NULL, bytes);
    tri__cache_arm(&cache);
    tri__cache_blacken(&cache);
    black = tri__large_alloc(&cache, &tri_type_four, bytes);
    ck_assert_uint_eq(colour(white), TRI__WHITE);
    ck_assert_uint_eq(colour(black), TRI__BLACK);
    ck_assert_ptr_null(tri__span_at(white)->type);
    ck_assert_ptr_eq(tri__span_at(black)->type, &tri_type_four);
    ck_assert_uint_eq(tri__span_at(black)->pages, pages);
    memset((void *)white, FILL, bytes);
    tri__cache_flip(&cache);
    ck_assert_uint_eq(tri__sweep_list(0, TRI__LARGE_SPAN), 2);
    ck_assert_uint_eq(colour(black), TRI__WHITE);
    ck_assert_uint_eq(tri__heap_in_use(), pages * TRI__PAGE_BYTES);
    ck_assert_uint_eq(tri__large_alloc(&cache, NULL, bytes), white);
    ck_assert(is_zero(white, pages * TRI__PAGE_BYTES));
    ck_assert_uint_eq(tri__large_alloc(&cache, NULL, SIZE_MAX), 0);
    ck_assert_uint_eq(tri__large_alloc(&cache, NULL, SIZE_MAX - TRI__PAGE_BYTES), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cache");
    TCase *runs = tcase_create("runs"), *phases = tcase_create("phases");
    TCase *full = tcase_create("full");

    tcase_add_test(runs, a_run_of_every_class);
    tcase_add_test(runs, every_slot_is_handed_out_once);
    tcase_add_test(runs, a_run_is_laid_out_for_its_type);
    tcase_add_test(runs, dropping_gives_back_what_is_unused);
    tcase_add_test(runs, dropping_while_black_keeps_the_run);
    tcase_add_test(runs, what_was_given_back_is_zeroed_again);
    suite_add_tcase(suite, runs);

    tcase_add_test(phases, arming_ends_sweeping_only);
    tcase_add_test(phases, blackening_paints_the_rest_of_each_run);
    tcase_add_test(phases, flipping_gives_back_and_changes_sides);
    tcase_add_test(phases, a_refill_sweeps_only_after_the_flip);
    tcase_add_test(phases, sweeping_files_a_span_on_the_other_side);
    tcase_add_test(phases, an_empty_span_goes_back_to_the_page_heap);
    tcase_add_test(phases, large_objects);
    suite_add_tcase(suite, phases);

    tcase_add_loop_test(full, a_full_heap, 48, 49);
    tcase_add_loop_test(full, a_full_heap, 32768, 32769);
    tcase_set_timeout(full, 20);
    suite_add_tcase(suite, full);
    return run_suite(suite);
}
