/* SPDX-License-Identifier: MIT */
/* tests/test_heap_defects.c: tri_heap_check() finds each of many things that a test makes wrong,
 * and nothing when they are right again. */
#include "suite.h"

#include <tricolor.h>

#include "full_heap.h"
#include "heap/arena_chunk.h"
#include "heap/cache.h"
#include "hot.h"
#include "mutator/mutator.h"

static void expect(const char *message)
{
    int defects = tri_heap_check();

    ck_assert_msg(defects >= 1 && strstr(said, message) != NULL,
                  "%d defects, and none says \"%s\":\n%s", defects, message, said);
    said[0] = '\0';
}

static struct tri__page_heap *pages(void)
{
    return &tri__heap.pages;
}

/* ---- one field is wrong, and put right again ---- */

/* Each changes something, says what it expects to be told, and changes it back. */

static void wrong_used_count(bool wrong)
{
    pages()->used_pages += wrong ? 1 : (size_t)-1;
}

static void wrong_committed_count(bool wrong)
{
    pages()->committed_pages -= wrong ? 1 : (size_t)-1;
}

static void wrong_allocated_count(bool wrong)
{
    tri__heap.allocated += wrong ? 16 : -UINT64_C(16);
}

static void wrong_freed_count(bool wrong)
{
    tri__heap.freed += wrong ? 8 : -UINT64_C(8);
}

static void wrong_low_summary(bool wrong)
{
    pages()->levels[0].entries[0].max += wrong ? 1 : -1u;
}

static void wrong_high_summary(bool wrong)
{
    pages()->levels[pages()->top].entries[0].end += wrong ? 1 : -1u;
}

static void flip_used(size_t page)
{
    pages()->chunks[page / TRI__CHUNK_PAGES].used.word[page % TRI__CHUNK_PAGES / 64] ^=
        UINT64_C(1) << page % 64;
}

static void page_of_a_span_is_free(bool wrong)
{
    (void)wrong;
    flip_used(tri__page_of((uintptr_t)leaf));
}

static void bit_beyond_the_end(bool wrong)
{
    (void)wrong;
    flip_used(pages()->next_chunk * TRI__CHUNK_PAGES + 3);
}

static void page_has_two_spans(bool wrong)
{
    size_t page = tri__page_of(long_span()->base) + 1;

    tri__heap.page_span[page] = wrong ? span_of(leaf) : long_span();
}

static void page_has_no_span(bool wrong)
{
    size_t page = tri__page_of(long_span()->base) + long_span()->pages - 1;

    tri__heap.page_class[page] = wrong ? TRI__NO_SPAN : TRI__LARGE_SPAN;
}

static void page_has_another_class(bool wrong)
{
    tri__heap.page_class[tri__page_of((uintptr_t)leaf)] =
        (uint8_t)(span_of(leaf)->span_class + (wrong ? 2 : 0));
}

static void colour_out_of_range(bool wrong)
{
    span_of(wides)->colours[0] = wrong ? 7 : TRI__WHITE;
}

static void black_without_a_mark(bool wrong)
{
    span_of(leaf)->colours[0] = wrong ? TRI__BLACK : TRI__WHITE;
}

static void colour_behind_the_last_slot(bool wrong)
{
    struct tri__span *span = span_of(wides);

    ck_assert_uint_ne(span->slots % 8, 0);
    span->colours[span->slots] = wrong ? TRI__WHITE : TRI__FREE;
}

static void large_without_an_object(bool wrong)
{
    span_of(large)->colours[0] = wrong ? TRI__FREE : TRI__WHITE;
}

static void wrong_slots(bool wrong)
{
    span_of(leaf)->slots += wrong ? 1 : -1u;
}

static void wrong_next_slot(bool wrong)
{
    static uint32_t before;
    struct tri__span *span = span_of(wides);

    if (wrong)
        before = span->next_slot;
    span->next_slot = wrong ? span->slots + 1 : before;
}

static void free_slot_is_not_zero(bool wrong)
{
    struct tri__span *span = span_of(medium);

    ck_assert(!span->dirty);
    ((char *)span->base)[(span->slots - 1) * span->slot_bytes + 40] = (char)wrong;
}

static struct tri__run *medium_run(void)
{
    struct tri__run *run = &own_cache()->front.runs[span_of(medium)->span_class];

    ck_assert_uint_lt(run->current, run->end);
    return run;
}

static void run_is_not_zero(bool wrong)
{
    ((char *)medium_run()->current)[9] = (char)wrong;
}

static void run_ends_within_a_slot(bool wrong)
{
    medium_run()->end += wrong ? (size_t)8 : (size_t)-8;
}

static void run_has_a_free_slot(bool wrong)
{
    struct tri__run *run = medium_run();
    struct tri__span *span = span_of((void *)run->current);

    span->colours[(run->current - span->base) / span->slot_bytes] = wrong ? TRI__FREE : TRI__WHITE;
}

static void cache_has_anothers_page(bool wrong)
{
    static struct tri__page_cache before;
    size_t page = tri__page_of((uintptr_t)leaf);

    if (wrong)
        before = own_cache()->pages;
    own_cache()->pages =
        wrong ? (struct tri__page_cache){tri__heap.base + (page / 64 * 64 << TRI__PAGE_SHIFT),
                                         UINT64_C(1) << page % 64, 0}
              : before;
}

static void cache_is_of_another_phase(bool wrong)
{
    own_cache()->black = wrong;
}

/* ---- lists ---- */

/* A span of the list that is full. */
static struct tri__span *take_full(void)
{
    struct tri__central *central = &tri__heap.central[span_of(list)->span_class];
    struct tri__stack_entry *link = tri__stack_pop(&central->full[own_cache()->side]);

    ck_assert(!is_typed(list));
    ck_assert_ptr_nonnull(link);
    return tri__span_of_link(link);
}

static struct tri__span *moved;

static void take_back(struct tri__stack *stack)
{
    ck_assert_ptr_eq(tri__stack_pop(stack), &moved->link);
    tri__stack_push(&tri__heap.central[moved->span_class].full[own_cache()->side], &moved->link);
}

static void span_is_lost(bool wrong)
{
    if (wrong)
        moved = take_full();
    else
        tri__stack_push(&tri__heap.central[moved->span_class].full[own_cache()->side],
                        &moved->link);
}

static void span_is_on_another_list(bool wrong)
{
    struct tri__stack *other = &tri__heap.central[6].partial[own_cache()->side];

    if (!wrong) {
        take_back(other);
        return;
    }
    moved = take_full();
    ck_assert_uint_ne(moved->span_class, 6);
    tri__stack_push(other, &moved->link);
}

static void span_is_on_a_list_and_cached(bool wrong)
{
    struct tri__cache *cache = own_cache();

    if (!wrong) {
        cache->spans[3] = NULL;
        cache->used[0] &= ~UINT64_C(8);
        return;
    }
    ck_assert_ptr_null(cache->spans[3]);
    cache->spans[3] = moved = span_of(large);
    cache->used[0] |= UINT64_C(8);
}

static void span_is_listed_as_full(bool wrong)
{
    struct tri__span *span;

    if (wrong) {
        span = moved = take_full();
        span->colours[span->slots - 1] = TRI__FREE;
        span->next_slot = 0;
    } else {
        span = moved;
        span->colours[span->slots - 1] = TRI__WHITE;
        return;
    }
    tri__stack_push(&tri__heap.central[span->span_class].full[own_cache()->side], &span->link);
}

static void span_begins_elsewhere(bool wrong)
{
    span_of(leaf)->base += wrong ? TRI__PAGE_BYTES : -TRI__PAGE_BYTES;
}

static void buffers_are_open(bool wrong)
{
    if (wrong)
        tri__buffers_open();
    else
        tri__buffers_close();
}

static const struct corruption {
    const char *name;
    void (*change)(bool wrong);
    const char *message;
} corruptions[] = {
    {"wrong_used_count", wrong_used_count, "the count of pages in use is"},
    {"wrong_committed_count", wrong_committed_count, "pages are committed by the count"},
    {"wrong_allocated_count", wrong_allocated_count, "bytes are handed out, but slots"},
    {"wrong_freed_count", wrong_freed_count, "bytes are handed out, but slots"},
    {"wrong_low_summary", wrong_low_summary, "summary 0 of level 0 says"},
    {"wrong_high_summary", wrong_high_summary, "summary 0 of level "},
    {"page_of_a_span_is_free", page_of_a_span_is_free, "is in a span, and free by the page heap"},
    {"bit_beyond_the_end", bit_beyond_the_end, "has a bit set, but only"},
    {"page_has_two_spans", page_has_two_spans, "but entered with class"},
    {"page_has_no_span", page_has_no_span, "but entered with class"},
    {"page_has_another_class", page_has_another_class, "is entered with class"},
    {"colour_out_of_range", colour_out_of_range, "has colour 7 while no mark is running"},
    {"black_without_a_mark", black_without_a_mark, "has colour 2 while no mark is running"},
    {"colour_behind_the_last_slot", colour_behind_the_last_slot, "has colour 1 while no mark"},
    {"large_without_an_object", large_without_an_object, "has no object"},
    {"wrong_slots", wrong_slots, "has others"},
    {"wrong_next_slot", wrong_next_slot, "the next slot of the span"},
    {"free_slot_is_not_zero", free_slot_is_not_zero, "is free and not zero"},
    {"run_is_not_zero", run_is_not_zero, "is not zero"},
    {"run_ends_within_a_slot", run_ends_within_a_slot, "with slots of"},
    {"run_has_a_free_slot", run_has_a_free_slot, ", and free"},
    {"cache_has_anothers_page", cache_has_anothers_page, "some are not its own"},
    {"cache_is_of_another_phase", cache_is_of_another_phase, "is of another phase"},
    {"span_is_lost", span_is_lost, "spans are on no list and in no cache"},
    {"span_is_on_another_list", span_is_on_another_list, "is on list 6"},
    {"span_is_on_a_list_and_cached", span_is_on_a_list_and_cached, "in a cache as well"},
    {"span_is_listed_as_full", span_is_listed_as_full, "is listed as full"},
    {"span_begins_elsewhere", span_begins_elsewhere, "has no page before it"},
    {"buffers_are_open", buffers_are_open, "barrier buffers are open"},
};

START_TEST(finds_what_is_wrong)
{
    const struct corruption *corruption = &corruptions[_i];

    start_full();
    expect_none();
    corruption->change(true);
    expect(corruption->message);
    corruption->change(false);
    expect_none();
    stop();
}
END_TEST

/* ---- layouts ---- */

TRI_ROOT static node *two;

START_TEST(compares_layouts_with_types)
{
    uint64_t *bits;
    size_t first;

    start_full_verified("layout");
    tri_store(&two, tri_new_array(node, 2));
    bits = (uint64_t *)(uintptr_t)span_of(two)->bits;
    ck_assert_ptr_nonnull(bits);
    first = ((uintptr_t)two - span_of(two)->base) / TRI_WORD;
    expect_none();
    for (size_t word = first; word < first + 2; word++) { /* next, number */
        bits[word / 64] ^= UINT64_C(1) << word % 64;
        expect(" has pointers where its type, 'node', has none, or none where it has some");
        bits[word / 64] ^= UINT64_C(1) << word % 64;
        expect_none();
    }
    stop();
}
END_TEST

/* ---- hot types and arenas ---- */

TRI_ROOT static node *kept[2000];

START_TEST(compares_the_mask_of_typed_spans)
{
    struct tri__page_type *in_page;
    struct tri__span *span;

    start_full();
    warm(&tri_type_node);
    for (int i = 0; i < 2000; i++)
        tri_store(&kept[i], tri_alloc(&tri_type_node));
    ck_assert(is_typed(kept[1999]));
    span = span_of(kept[1999]);
    in_page = (struct tri__page_type *)(span->base +
                                        tri__class_info[span->span_class].bits_offset);
    in_page->mask ^= 2;
    expect("which does not fit");
    in_page->mask ^= 2;
    expect_none();
    stop();
}
END_TEST

START_TEST(counts_the_spans_of_a_type)
{
    start_full();
    warm(&tri_type_node);
    for (int i = 0; i < 2000; i++)
        tri_store(&kept[i], tri_alloc(&tri_type_node));
    expect_none();
    ck_assert(is_typed(kept[1999]));
    TRI__TYPE_STATE(&tri_type_node)->spans++;
    expect("type 'node' is said to have");
    TRI__TYPE_STATE(&tri_type_node)->spans--;
    expect_none();
    stop();
}
END_TEST

START_TEST(looks_into_arenas)
{
    tri_arena *arena;
    struct tri__arena_chunk *chunk;
    void *value;

    start_full();
    arena = tri_arena_new();
    value = tri_arena_alloc(arena, &tri_type_node);
    tri_arena_alloc(arena, &tri_type_ptr);
    tri_arena_alloc(arena, &tri_type_node);
    chunk = tri__arena_chunk_of(span_of(value));
    expect_none();
    chunk->log[1].offset = 0;
    expect("entry 1 of the log");
    chunk->log[1].offset = sizeof(node);
    chunk->used += 8;
    expect("bytes are handed out, but slots");
    chunk->used -= 8;
    chunk->span.own_colours[0] = TRI__WHITE;
    expect("is used and not black");
    chunk->span.own_colours[0] = TRI__BLACK;
    expect_none();
    tri_arena_free(arena);
    expect_none();
    stop();
}
END_TEST

/* ---- who may ask, and when ---- */

START_TEST(needs_an_initialized_library)
{
    tri_heap_check();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heap_defects");
    TCase *wrong = tcase_create("wrong");
    int count = (int)(sizeof corruptions / sizeof corruptions[0]);

    tcase_set_timeout(wrong, 60);
    tcase_add_loop_test(wrong, finds_what_is_wrong, 0, count);
    tcase_add_test(wrong, counts_the_spans_of_a_type);
    tcase_add_test(wrong, compares_layouts_with_types);
    tcase_add_test(wrong, compares_the_mask_of_typed_spans);
    tcase_add_test(wrong, looks_into_arenas);
    tcase_add_test_raise_signal(wrong, needs_an_initialized_library, 6);
    suite_add_tcase(suite, wrong);
    return run_suite(suite);
}
