/* SPDX-License-Identifier: MIT */
/* tests/test_between.c: what other threads may see between two steps of an allocation. A test stops at
 * a point of chaos (base/chaos.h) or at a safepoint in the middle, or looks from another thread, as a
 * marker would that came there by a stray word. */
#include "suite.h"

#include <pthread.h>
#include <string.h>

#include <tricolor/type.h>

#include "bare_heap.h"
#include "base/chaos.h"
#include "base/os.h"
#include "cache_subjects.h"
#include "collector/marker.h"
#include "collector/work.h"
#include "heap/object.h"

#define RESERVE ((size_t)16 << 20)

typedef struct broad {
    void *pointers[1 << 16]; /* half a MiB: zeroed in two pieces */
} broad;
TRI_TYPE(broad, pointers);

static const struct tri__cache_phase idle;
static struct tri__cache cache;
static unsigned visits;
static uint32_t done; /* atomic */

/* Stops at the point, and delays nowhere: what is named is passed by no thread here. */
static void start_with(void (*at_point)(enum tri__chaos_point point))
{
    bare_heap_start(RESERVE);
    tri__cache_init(&cache, idle);
    tri__chaos_init(1, UINT64_C(1) << TRI__CHAOS_CHECK);
    tri__chaos_at_point = at_point;
    visits = 0;
}

static void stop(void)
{
    tri__chaos_at_point = NULL;
    tri__chaos_init(1, 0);
}

/* ---- a run ---- */

/* Cuts a run, and uses it up. Returns where it began. */
static uintptr_t fill_a_run(unsigned number, const tri_type *type)
{
    struct tri__run *run = &cache.front.runs[number];
    uintptr_t start;

    ck_assert(tri__cache_refill(&cache, number, type));
    ck_assert_uint_gt(run->end, run->current);
    start = run->current;
    memset((void *)start, FILL, run->end - start);
    run->current = run->end;
    return start;
}

/* As a cycle does in which nothing lives; the span is kept, and dirty. */
static void free_all(void)
{
    tri__cache_arm(&cache);
    tri__cache_blacken(&cache);
    tri__cache_flip(&cache);
}

static void look_before_paint(enum tri__chaos_point point)
{
    const struct tri__run *run = &cache.front.runs[FOUR];
    struct tri__ref ref;

    if (point != TRI__CHAOS_PAINT)
        return;
    visits++;
    ck_assert_uint_gt(run->end, run->current);
    ck_assert(is_zero(run->current, run->end - run->current));
    for (uintptr_t slot = run->current; slot < run->end; slot += sizeof(four)) {
        ck_assert(!tri__resolve(slot, &ref));
        ck_assert(tri__locate(slot, &ref));
        ck_assert_uint_eq(tri__ref_bits(&ref, &tri__class_info[FOUR]), 9);
    }
}

/* [inv.alloc.publish] */
START_TEST(a_run_is_clean_and_laid_out_before_it_is_painted)
{
    start_with(look_before_paint);
    fill_a_run(FOUR, &tri_type_four);
    free_all();
    fill_a_run(FOUR, &tri_type_four);
    ck_assert(cache.spans[FOUR]->dirty);
    ck_assert_uint_eq(visits, 2);
    stop();
}
END_TEST

/* ---- a large object ---- */

static uintptr_t large;

/* Returns where one was, and the next will be. */
static uintptr_t leave_a_large_object(void)
{
    uintptr_t start = tri__large_alloc(&cache, &tri_type_broad, sizeof(broad));

    ck_assert_uint_ne(start, 0);
    memset((void *)start, FILL, sizeof(broad));
    free_all();
    ck_assert_uint_eq(tri__sweep_list(0, TRI__LARGE_SPAN), 1);
    return start;
}

static void look_while_zeroing(struct tri__cache *unused)
{
    struct tri__ref ref;

    (void)unused;
    if (!tri__resolve(large, &ref))
        return; /* before it is there */
    visits++;
    if (tri__ref_type(&ref) != NULL)
        ck_assert(is_zero(large, sizeof(broad)));
    else
        ck_assert(tri__ref_is_leaf(&ref));
}

/* [inv.large.zeroing] */
START_TEST(a_large_object_has_no_type_until_it_is_zero)
{
    start_with(NULL);
    large = leave_a_large_object();
    tri__heap.hooks.safepoint = look_while_zeroing;
    ck_assert_uint_eq(tri__large_alloc(&cache, &tri_type_broad, sizeof(broad)), large);
    ck_assert_uint_eq(visits, 3); /* two pieces, and the end */
    stop();
}
END_TEST

/* ---- the page table ---- */

static void check_page(size_t page)
{
    uint8_t span_class = tri__load_acquire(&tri__heap.page_class[page]);
    const struct tri__span *span = tri__load_relaxed(&tri__heap.page_span[page]);
    uintptr_t address = tri__heap.base + (page << TRI__PAGE_SHIFT);

    if (span_class == TRI__NO_SPAN)
        return;
    ck_assert_ptr_nonnull(span);
    ck_assert_uint_eq(span->span_class, span_class);
    ck_assert_uint_ge(address, span->base);
    ck_assert_uint_lt(address, span->base + (span->pages << TRI__PAGE_SHIFT));
}

static void look_at_the_table(enum tri__chaos_point point)
{
    if (point != TRI__CHAOS_PUBLISH)
        return;
    visits++;
    for (size_t page = 0; page < tri__page_heap_committed(&tri__heap.pages); page++)
        check_page(page);
}

/* While a page's class names a span its descriptor leads to it [inv.span.stable]: first in an empty
 * table, then over what another span has left. */
START_TEST(a_page_has_its_descriptor_before_its_class)
{
    start_with(look_at_the_table);
    ck_assert_uint_ne(tri__large_alloc(&cache, NULL, 3 * TRI__PAGE_BYTES), 0);
    ck_assert_uint_eq(visits, 3);
    free_all();
    ck_assert_uint_eq(tri__sweep_list(0, TRI__LARGE_SPAN), 1);
    ck_assert_uint_ne(tri__large_alloc(&cache, NULL, TRI__PAGE_BYTES), 0);
    ck_assert_uint_ne(tri__large_alloc(&cache, NULL, TRI__PAGE_BYTES), 0);
    ck_assert_uint_eq(visits, 5);
    stop();
}
END_TEST

/* ---- who looks from another thread ---- */

/* Words that are zero now, and were not; and their address. */
struct looking {
    uintptr_t start, end;
    bool for_a_type;
};

static void await_object(const struct looking *looking)
{
    struct tri__ref ref;

    while (!tri__resolve(looking->start, &ref) ||
           (looking->for_a_type && tri__ref_type(&ref) == NULL))
        tri__os_yield();
}

/* Returns whether all is zero. Under ThreadSanitizer it must have seen who made it so. */
static void *look_from_outside(void *argument)
{
    const struct looking *looking = argument;
    uintptr_t all = 0;

    await_object(looking);
    for (uintptr_t at = looking->start; at < looking->end; at += TRI_WORD)
        all |= tri__load_relaxed((uintptr_t *)at);
    return (void *)(uintptr_t)(all == 0);
}

static pthread_t begin_looking(struct looking *looking)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, look_from_outside, looking), 0);
    return thread;
}

static void end_looking(pthread_t thread)
{
    void *zero;

    ck_assert_int_eq(pthread_join(thread, &zero), 0);
    ck_assert_ptr_nonnull(zero);
}

/* Their colours are stored one by one; of eight that are stored at once, none can be asked for alone
 * under ThreadSanitizer [mo.colour]. */
#define HEAVY TRI__SPAN_CLASS(TRI__SIZE_CLASS(2048), 1)

START_TEST(who_sees_a_slot_allocated_sees_it_zero)
{
    struct tri__run *run = &cache.front.runs[HEAVY];
    struct looking looking = {0};
    pthread_t thread;

    start_with(NULL);
    looking.start = fill_a_run(HEAVY, NULL);
    looking.end = run->end;
    ck_assert_uint_lt(looking.end - looking.start, 8 * 2048);
    free_all();
    ck_assert_uint_eq(tri__sweep_list(0, HEAVY), 1); /* it is free now, and dirty */
    thread = begin_looking(&looking);
    ck_assert(tri__cache_refill(&cache, HEAVY, NULL));
    ck_assert_uint_eq(run->current, looking.start);
    end_looking(thread);
    stop();
}
END_TEST

START_TEST(who_sees_a_large_object_s_type_sees_it_zero)
{
    struct looking looking = {.for_a_type = true};
    pthread_t thread;

    start_with(NULL);
    looking.start = leave_a_large_object();
    looking.end = looking.start + sizeof(broad);
    thread = begin_looking(&looking);
    ck_assert_uint_eq(tri__large_alloc(&cache, &tri_type_broad, sizeof(broad)), looking.start);
    end_looking(thread);
    stop();
}
END_TEST

#define RUNS 40

static uint32_t scans; /* atomic */

/* One at least begins after the call, and ends. The other way nothing is handed over. */
static void await_a_scan(void)
{
    uint32_t enough = tri__load_acquire(&scans) + 2;

    while (tri__load_acquire(&scans) < enough)
        tri__os_yield();
}

/* Runs on memory that is not zero yet, black as in a mark. Returns whether there was any. */
static void *cut_black_runs(void *unused)
{
    struct tri__run *run = &cache.front.runs[FOUR];
    bool all = true;

    cache.black = true;
    for (unsigned i = 0; i < RUNS; i++) {
        all &= tri__cache_refill(&cache, FOUR, &tri_type_four) && cache.spans[FOUR]->dirty;
        run->current = run->end;
        await_a_scan();
    }
    tri__store_release(&done, 1);
    return all ? &cache : unused;
}

/* When memory is short the collector looks into all that is black, what is born meanwhile included:
 * ThreadSanitizer must have nothing to say [inv.work.overflow]. */
START_TEST(black_objects_are_scanned_beside_the_birth_of_others)
{
    struct tri__marker marker;
    pthread_t thread;
    void *all;

    start_with(NULL);
    for (unsigned i = 0; i < RUNS; i++)
        fill_a_run(FOUR, &tri_type_four);
    free_all();
    ck_assert_int_eq(pthread_create(&thread, NULL, cut_black_runs, NULL), 0);
    while (tri__load_acquire(&done) == 0) {
        tri__marker_enter(&marker);
        tri__marker_rescan_heap(&marker);
        tri__marker_leave(&marker);
        tri__store_release(&scans, scans + 1);
    }
    ck_assert_int_eq(pthread_join(thread, &all), 0);
    ck_assert_ptr_nonnull(all);
    ck_assert(tri__work_is_done());
    stop();
}
END_TEST

/* ---- work ---- */

static void publish_before_the_wait(enum tri__chaos_point point)
{
    struct tri__chunk *chunk;

    if (point != TRI__CHAOS_FUTEX || visits++ != 0)
        return;
    chunk = tri__chunk_take();
    ck_assert_ptr_nonnull(chunk);
    tri__work_publish(chunk);
}

/* Who is about to sleep, and has looked, is not woken by a wake: the word it would sleep on has
 * changed [inv.work.wake]. */
START_TEST(work_that_comes_before_a_wait_ends_it)
{
    uint32_t seen = tri__work_events();
    struct tri__chunk *chunk;

    start_with(publish_before_the_wait);
    tri__work_enter();
    tri__work_wait(seen, 0); /* for ever */
    ck_assert_uint_eq(visits, 1);
    ck_assert_uint_ne(tri__work_events(), seen);
    chunk = tri__work_take();
    ck_assert_ptr_nonnull(chunk);
    tri__chunk_give(chunk);
    tri__work_leave();
    ck_assert(tri__work_is_done());
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("between");
    TCase *tests = tcase_create("steps");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_run_is_clean_and_laid_out_before_it_is_painted);
    tcase_add_test(tests, a_large_object_has_no_type_until_it_is_zero);
    tcase_add_test(tests, a_page_has_its_descriptor_before_its_class);
    tcase_add_test(tests, who_sees_a_slot_allocated_sees_it_zero);
    tcase_add_test(tests, who_sees_a_large_object_s_type_sees_it_zero);
    tcase_add_test(tests, black_objects_are_scanned_beside_the_birth_of_others);
    tcase_add_test(tests, work_that_comes_before_a_wait_ends_it);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
