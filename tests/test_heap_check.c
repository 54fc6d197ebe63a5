/* SPDX-License-Identifier: MIT */
/* tests/test_heap_check.c: tri_heap_check() finds nothing wrong with a heap that is right, and
 * finds each of many things that a test makes wrong. */
#include "suite.h"

#include <pthread.h>
#include <stdio.h>

#include <tricolor.h>

#include "base/os.h"
#include "collected.h"
#include "heap/arena_chunk.h"
#include "heap/cache.h"
#include "heap/check.h"
#include "hot.h"
#include "mutator/mutator.h"

typedef struct node {
    struct node *next;
    long number;
} node;
TRI_TYPE(node, next);

typedef struct wide {
    node *first;
    char rest[1400];
} wide;
TRI_TYPE(wide, first);

TRI_ROOT static node *list;
TRI_ROOT static wide *wides;
TRI_ROOT static void *large, *leaf, *medium; /* medium: one of two of a run */

/* ---- a heap, and what was said of it ---- */

static char said[32 << 10];

static void note_line(const char *line, void *unused)
{
    (void)unused;
    if (strlen(said) + strlen(line) < sizeof said)
        strcat(said, line);
}

static void fill_list(void)
{
    for (long i = 0; i < 3000; i++) {
        node *fresh = tri_new(node);

        ck_assert_ptr_nonnull(fresh);
        tri_init_store(&fresh->next, list);
        fresh->number = i;
        tri_store(&list, fresh);
    }
}

static void start_full(void)
{
    tri_config config = TRI_CONFIG_INIT;

    config.gc_percent = -1;
    config.log = note_line;
    ck_assert_int_eq(tri_init(&config), 0);
    said[0] = '\0';
    fill_list();
    tri_store(&wides, tri_new(wide));
    tri_store(&large, tri_alloc_conservative(100000));
    tri_store(&leaf, tri_alloc_bytes(500));
    tri_collect();
    fill_list();
    tri_store(&medium, tri_alloc_bytes(3000));
}

/* Not the one that checks first. */
static void stop(void)
{
    (tri_shutdown)();
}

static void expect(const char *message)
{
    int defects = tri_heap_check();

    ck_assert_msg(defects >= 1 && strstr(said, message) != NULL,
                  "%d defects, and none says \"%s\":\n%s", defects, message, said);
    said[0] = '\0';
}

static void expect_none(void)
{
    int defects = tri_heap_check();

    ck_assert_msg(defects == 0 && said[0] == '\0', "%d defects:\n%s", defects, said);
}

static struct tri__span *span_of(const void *object)
{
    return tri__span_at((uintptr_t)object);
}

static struct tri__page_heap *pages(void)
{
    return &tri__heap.pages;
}

/* One of more than one page. */
static struct tri__span *long_span(void)
{
    struct tri__span *span = span_of(large);

    ck_assert_uint_gt(span->pages, 1);
    return span;
}

/* ---- a heap that is right ---- */

START_TEST(finds_nothing_in_a_heap_that_is_right)
{
    tri_arena *arena;

    ck_assert_int_eq(tri_init(NULL), 0);
    expect_none();
    fill_list();
    expect_none();
    tri_collect();
    expect_none();
    arena = tri_arena_new();
    for (int i = 0; i < 20000; i++) {
        ck_assert_ptr_nonnull(tri_arena_alloc(arena, &tri_type_ptr));
        ck_assert_ptr_nonnull(tri_arena_alloc(arena, &tri_type_node));
    }
    expect_none();
    tri_arena_free(arena);
    expect_none();
    list = NULL;
    tri_collect();
    tri_collect();
    expect_none();
    stop();
}
END_TEST

static void *allocate(void *unused)
{
    (void)unused;
    for (int i = 0; i < 300; i++) {
        node *head = NULL;

        for (int k = 0; k < 300; k++) {
            node *fresh = tri_new(node);

            tri_init_store(&fresh->next, head);
            head = fresh;
        }
        tri_alloc_bytes((size_t)(i % 60) * 1000);
        tri_store(&list, head);
    }
    return NULL;
}

/* With delays where a thread has a span in its hands that it has popped to sweep it, and where the
 * check has found a span that must stay one [inv.check.frozen]. While stores are watched no barrier
 * is idle. */
START_TEST(checks_beside_threads_that_allocate)
{
    static const char *const modes[] = {NULL,
                                        "chaos=1:sweep-span+retract+check",
                                        "chaos=2:publish+check",
                                        "barrier,layout",
                                        "clobber",
                                        "blocking"};
    tri_config config = TRI_CONFIG_INIT;
    pthread_t threads[2];

    config.verify = modes[_i];
    ck_assert_int_eq(tri_init(&config), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(tri_thread_create(&threads[i], NULL, allocate, NULL), 0);
    for (int i = 0; i < 20; i++) {
        expect_none();
        if (i % 2 == 0)
            tri_collect();
    }
    TRI_BLOCKING
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
    expect_none();
    stop();
}
END_TEST

static uint32_t in_hand; /* atomic */

/* In the middle of giving a span back (tri__span_retract), with no safepoint until it is over; it
 * takes far longer than it usually does, and then the span stays after all. */
static void *free_slowly(void *unused)
{
    size_t page = tri__page_of(long_span()->base);

    (void)unused;
    tri__window_open();
    tri__store_relaxed(&tri__heap.page_class[page], TRI__NO_SPAN);
    tri__store_release(&in_hand, 1);
    tri__os_sleep(UINT64_C(200000000));
    tri__store_release(&tri__heap.page_class[page], TRI__LARGE_SPAN);
    tri__window_close();
    return NULL;
}

/* The check asks all threads before it begins, and waits for that one. */
START_TEST(a_thread_with_a_span_in_hand_is_waited_for)
{
    pthread_t thread;

    start_full();
    ck_assert_int_eq(tri_thread_create(&thread, NULL, free_slowly, NULL), 0);
    while (tri__load_acquire(&in_hand) == 0)
        tri__os_yield();
    expect_none();
    TRI_BLOCKING
        pthread_join(thread, NULL);
    stop();
}
END_TEST

static void *check_too(void *unused)
{
    (void)unused;
    for (int i = 0; i < 10; i++)
        expect_none();
    return NULL;
}

static struct tri__span *half_entered; /* its first page is not */

static void enter_the_first_page(void)
{
    size_t page = tri__page_of(half_entered->base);

    tri__heap.page_span[page] = half_entered;
    tri__store_release(&tri__heap.page_class[page], half_entered->span_class);
}

/* A span is entered by another thread just as the walk over the page table has passed its first
 * page. */
START_TEST(a_span_is_entered_beside_the_walk)
{
    struct tri__check check = {.quiet = enter_the_first_page};

    start_full();
    half_entered = span_of(large);
    ck_assert_int_eq(tri__check_begin(&check), 0);
    tri__check_page_table(&check);
    ck_assert_uint_eq(check.defects, 0);
    tri__store_relaxed(&tri__heap.page_class[tri__page_of(half_entered->base)], TRI__NO_SPAN);
    tri__heap.page_span[tri__page_of(half_entered->base)] = NULL;
    tri__check_page_table(&check);
    ck_assert_msg(check.defects == 0, "%u defects: %s", check.defects, check.lines[0]);
    tri__check_end(&check);
}
END_TEST

START_TEST(several_threads_may_check_at_a_time)
{
    pthread_t thread;

    ck_assert_int_eq(tri_init(NULL), 0);
    fill_list();
    ck_assert_int_eq(tri_thread_create(&thread, NULL, check_too, NULL), 0);
    check_too(NULL);
    TRI_BLOCKING
        pthread_join(thread, NULL);
    stop();
}
END_TEST

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

/* ---- hot types and arenas ---- */

TRI_ROOT static node *kept[2000];

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
    Suite *suite = suite_create("heap_check");
    TCase *right = tcase_create("right"), *wrong = tcase_create("wrong");
    int count = (int)(sizeof corruptions / sizeof corruptions[0]);

    tcase_set_timeout(right, 120);
    tcase_set_timeout(wrong, 60);
    tcase_add_test(right, finds_nothing_in_a_heap_that_is_right);
    tcase_add_loop_test(right, checks_beside_threads_that_allocate, 0, 6);
    tcase_add_test(right, a_span_is_entered_beside_the_walk);
    tcase_add_test(right, a_thread_with_a_span_in_hand_is_waited_for);
    tcase_add_test(right, several_threads_may_check_at_a_time);
    tcase_add_loop_test(wrong, finds_what_is_wrong, 0, count);
    tcase_add_test(wrong, counts_the_spans_of_a_type);
    tcase_add_test(wrong, looks_into_arenas);
    tcase_add_test_raise_signal(wrong, needs_an_initialized_library, 6);
    suite_add_tcase(suite, right);
    suite_add_tcase(suite, wrong);
    return run_suite(suite);
}
