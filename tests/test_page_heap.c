/* SPDX-License-Identifier: MIT */
/* The page heap by known cases: first fit within and across chunks, holes, growth, limits,
 * frees, misuse. Chunks are numbered from the base of the heap; (k, p) is page p of chunk k. */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "pages.h"

#include "base/os.h"

/* ---- Steps ---- */

static struct tri__page_heap heap;

static void take(size_t npages, size_t chunk, size_t page)
{
    uintptr_t address = 0;
    size_t used = tri__page_heap_used(&heap);
    bool dirty;
    ck_assert(tri__page_heap_alloc(&heap, npages, &address, &dirty));
    ck_assert_uint_eq((address - FAKE_BASE) >> TRI__PAGE_SHIFT, chunk * C + page);
    ck_assert_uint_eq(address % TRI__PAGE_BYTES, 0);
    ck_assert_uint_eq(tri__page_heap_used(&heap), used + npages);
}

static void take_dirty(size_t npages, size_t chunk, size_t page, bool expected)
{
    uintptr_t address = 0;
    bool dirty = !expected;
    ck_assert(tri__page_heap_alloc(&heap, npages, &address, &dirty));
    ck_assert_uint_eq((address - FAKE_BASE) >> TRI__PAGE_SHIFT, chunk * C + page);
    ck_assert_int_eq(dirty, expected);
}

static void refuse(size_t npages)
{
    size_t used = tri__page_heap_used(&heap), committed = tri__page_heap_committed(&heap);
    uintptr_t address = 1;
    bool dirty = true;
    ck_assert(!tri__page_heap_alloc(&heap, npages, &address, &dirty));
    ck_assert_uint_eq(address, 1);
    ck_assert_uint_eq(tri__page_heap_used(&heap), used);
    ck_assert_uint_eq(tri__page_heap_committed(&heap), committed);
}

static void give(size_t npages, size_t chunk, size_t page)
{
    tri__page_heap_free(&heap, address_of(&heap, chunk * C + page), npages);
}

static void finish(void)
{
    for (size_t c = 0; c < heap.next_chunk && heap.next_chunk < 1000; c++) {
        struct tri__page_summary expected = naive_summary(&heap.chunks[c].used);
        if (heap.levels[0].entries[c].max != 0 || expected.max != C) /* else not committed */
            ck_assert_summary(heap.levels[0].entries[c], expected.start, expected.max,
                              expected.end);
    }
    tri__page_heap_release(&heap);
}

/* ---- First fit, in one chunk and across several ---- */

START_TEST(one_page_each)
{
    make_heap(&heap, 1);
    add_chunk(&heap, 0, NONE);
    dirty_all_but(&heap, 0, RANGES({0, 1}, {2, 2}));
    take_dirty(1, 0, 0, false);
    take_dirty(1, 0, 1, true);
    take_dirty(1, 0, 2, false);
    take_dirty(1, 0, 3, false);
    take_dirty(1, 0, 4, true);
    finish();
}
END_TEST

START_TEST(only_the_last_page_of_three_chunks)
{
    make_heap(&heap, 3);
    add_chunk(&heap, 0, ALL);
    add_chunk(&heap, 1, ALL);
    add_chunk(&heap, 2, RANGES({0, C - 1}));
    take(1, 2, C - 1);
    refuse(1);
    finish();
}
END_TEST

START_TEST(a_free_chunk_far_behind_a_full_one)
{
    make_heap(&heap, 0x100);
    add_chunk(&heap, 0, ALL);
    add_chunk(&heap, 0xff, NONE);
    take(1, 0xff, 0);
    finish();
}
END_TEST

START_TEST(two_pages_each)
{
    make_heap(&heap, 1);
    add_chunk(&heap, 0, NONE);
    dirty_all_but(&heap, 0, RANGES({0, 3}, {7, 1}));
    take_dirty(2, 0, 0, false);
    take_dirty(2, 0, 2, true);
    take_dirty(2, 0, 4, true);
    take_dirty(2, 0, 6, true);
    take_dirty(2, 0, 8, true);
    finish();
}
END_TEST

START_TEST(two_pages_across_a_border)
{
    make_heap(&heap, 2);
    add_chunk(&heap, 0, RANGES({0, C - 1}));
    add_chunk(&heap, 1, RANGES({1, C - 1}));
    take(2, 0, C - 1);
    refuse(1);
    finish();
}
END_TEST

START_TEST(five_pages_each)
{
    make_heap(&heap, 1);
    add_chunk(&heap, 0, NONE);
    dirty_all_but(&heap, 0, RANGES({0, 8}, {9, 1}, {17, 5}));
    take_dirty(5, 0, 0, false);
    take_dirty(5, 0, 5, true);
    take_dirty(5, 0, 10, true);
    take_dirty(5, 0, 15, true);
    take_dirty(5, 0, 20, true);
    finish();
}
END_TEST

START_TEST(almost_a_chunk)
{
    make_heap(&heap, 1);
    add_chunk(&heap, 0, NONE);
    take(C - 3, 0, 0);
    refuse(C - 3);
    take(1, 0, C - 3);
    take(2, 0, C - 2);
    refuse(1);
    refuse(C - 3);
    finish();
}
END_TEST

START_TEST(a_whole_chunk)
{
    make_heap(&heap, 1);
    add_chunk(&heap, 0, NONE);
    take(C, 0, 0);
    refuse(C);
    refuse(1);
    finish();
}
END_TEST

START_TEST(more_than_a_chunk_across_a_border)
{
    make_heap(&heap, 2);
    add_chunk(&heap, 0, RANGES({0, C / 2}));
    add_chunk(&heap, 1, NONE);
    take(C + 1, 0, C / 2);
    refuse(C);
    take(1, 1, C / 2 + 1);
    finish();
}
END_TEST

START_TEST(two_whole_chunks)
{
    make_heap(&heap, 2);
    add_chunk(&heap, 0, NONE);
    add_chunk(&heap, 1, NONE);
    take(2 * C, 0, 0);
    refuse(1);
    finish();
}
END_TEST

START_TEST(two_whole_chunks_behind_a_hole)
{
    make_heap(&heap, 0x42);
    add_chunk(&heap, 0, NONE);
    add_chunk(&heap, 0x40, NONE);
    add_chunk(&heap, 0x41, NONE);
    take(2 * C, 0x40, 0);
    take(21, 0, 0);
    take(1, 0, 21);
    finish();
}
END_TEST

START_TEST(a_fit_behind_a_smaller_hole)
{
    make_heap(&heap, 4);
    add_chunk(&heap, 0, ALL);
    add_chunk(&heap, 1, RANGES({0, C * 3 / 4}));
    add_chunk(&heap, 2, RANGES({0, C * 3 / 4}));
    add_chunk(&heap, 3, NONE);
    take(C * 5 / 4, 2, C * 3 / 4);
    refuse(C * 5 / 4);
    take(1, 1, C * 3 / 4);
    finish();
}
END_TEST

START_TEST(almost_eight_chunks)
{
    make_heap(&heap, 8);
    for (size_t c = 0; c < 8; c++)
        add_chunk(&heap, c, NONE);
    take(7 * C + 5, 0, 0);
    refuse(7 * C + 5);
    take(1, 7, 5);
    finish();
}
END_TEST

START_TEST(half_a_chunk_on_both_sides)
{
    make_heap(&heap, 3);
    add_chunk(&heap, 0, RANGES({0, C / 2}));
    add_chunk(&heap, 1, NONE);
    add_chunk(&heap, 2, RANGES({C / 2, C / 2}));
    take(2 * C, 0, C / 2);
    refuse(1);
    finish();
}
END_TEST

/* Only the end of a chunk's summary changes, and with it the longest run of the group above. */
START_TEST(a_free_that_only_the_next_chunk_makes_long)
{
    make_heap(&heap, 100);
    add_chunk(&heap, 0, RANGES({100, C - 100}));
    add_chunk(&heap, 1, RANGES({98, C - 98}));
    give(5, 0, C - 5);
    take(103, 0, C - 5);
    refuse(101);
    finish();
}
END_TEST

/* ---- Holes of any width ---- */

#define FAR 0x100000u /* chunks: 4 TiB */

static void protect_inside(const void *from, const void *to)
{
    uintptr_t page = tri__os_page_size();
    uintptr_t low = ((uintptr_t)from + page - 1) / page * page, high = (uintptr_t)to / page * page;
    ck_assert_int_eq(mprotect((void *)low, high - low, PROT_NONE), 0);
}

/* From here on, a touch of what describes the uncommitted chunks (before, after) is a crash.
 * Summaries are read by groups, so those next to a committed chunk stay readable. */
static void protect_hole(size_t before, size_t after)
{
    size_t group = TRI__SUMMARY_FANOUT;
    struct tri__page_summary *entries = heap.levels[0].entries;
    protect_inside(&heap.chunks[before + 1], &heap.chunks[after]);
    protect_inside(&entries[(before / group + 1) * group], &entries[after / group * group]);
}

/* A chunk whose summary is the last that begins in a page of the summaries. */
static size_t chunk_at_the_edge(void)
{
    uintptr_t page = tri__os_page_size();
    for (size_t c = 0;; c++)
        if ((uintptr_t)&heap.levels[0].entries[c] / page !=
            (uintptr_t)&heap.levels[0].entries[c + 1] / page)
            return c;
}

START_TEST(a_hole_of_terabytes)
{
    make_heap(&heap, FAR + 0x2000);
    size_t near = chunk_at_the_edge(), far = near + FAR;
    add_chunk(&heap, near, NONE);
    add_chunk(&heap, far, NONE);
    protect_hole(near, far);
    take(C - 1, near, 0);
    take(1, near, C - 1);
    take(1, far, 0);
    take(C - 1, far, 1);
    refuse(1);
    finish();
}
END_TEST

START_TEST(three_chunks_far_apart)
{
    make_heap(&heap, 2 * FAR + 1);
    add_chunk(&heap, 0, RANGES({0, C - 1}));
    add_chunk(&heap, FAR + 0x503, RANGES({0, C - 10}, {C - 1, 1}));
    add_chunk(&heap, 2 * FAR, NONE);
    protect_hole(0, FAR + 0x503);
    protect_hole(FAR + 0x503, 2 * FAR);
    take(1, 0, C - 1);
    take(100, 2 * FAR, 0);
    take(9, FAR + 0x503, C - 10);
    finish();
}
END_TEST

START_TEST(the_whole_range)
{
    size_t chunks = 65536;
    make_heap(&heap, chunks);
    ck_assert_uint_eq(heap.top, 2);
    ck_assert_uint_le(heap.levels[heap.top].count, TRI__SUMMARY_TOP);
    take(chunks * C, 0, 0);
    refuse(1);
    give(1, chunks - 1, C - 1);
    take_dirty(1, chunks - 1, C - 1, true);
    give(chunks * C, 0, 0);
    take_dirty(chunks * C, 0, 0, true);
    finish();
}
END_TEST

/* ---- Growth ---- */

static struct {
    uintptr_t start;
    size_t bytes;
    int calls;
    int result;
} commits;

static int commit_and_note(void *start, size_t bytes)
{
    commits.start = (uintptr_t)start;
    commits.bytes = bytes;
    commits.calls++;
    return commits.result;
}

static void make_growing_heap(size_t pages)
{
    memset(&commits, 0, sizeof(commits));
    ck_assert(tri__page_heap_init(&heap, FAKE_BASE, pages, commit_and_note));
}

static void expect_commit(int calls, size_t chunk, size_t chunks)
{
    ck_assert_int_eq(commits.calls, calls);
    ck_assert_uint_eq(commits.start, FAKE_BASE + chunk * TRI__CHUNK_BYTES);
    ck_assert_uint_eq(commits.bytes, chunks * TRI__CHUNK_BYTES);
    ck_assert_uint_eq(tri__page_heap_committed(&heap), heap.next_chunk * C);
}

START_TEST(grows_when_needed_and_no_further)
{
    make_growing_heap(10 * C + C / 2); /* half a chunk at the end is no chunk */
    ck_assert_uint_eq(tri__page_heap_committed(&heap), 0);
    take_dirty(1, 0, 0, false);
    expect_commit(1, 0, 1);
    take(C - 2, 0, 1);
    ck_assert_int_eq(commits.calls, 1);
    take(2, 0, C - 1); /* the free page at the end counts */
    expect_commit(2, 1, 1);
    take(3 * C, 1, 1);
    expect_commit(3, 2, 3);
    take(C - 1, 4, 1);
    ck_assert_int_eq(commits.calls, 3);
    take(5 * C, 5, 0);
    expect_commit(4, 5, 5);
    refuse(1);
    refuse(11 * C);
    refuse(SIZE_MAX);
    ck_assert_int_eq(commits.calls, 4);
    finish();
}
END_TEST

START_TEST(growth_uses_several_free_chunks_at_the_end)
{
    make_growing_heap(10 * C);
    take(3 * C, 0, 0);
    give(2 * C + 7, 0, C - 7);
    take_dirty(2 * C + 8, 0, C - 7, true);
    expect_commit(2, 3, 1);
    finish();
}
END_TEST

START_TEST(limit)
{
    make_growing_heap(10 * C);
    tri__page_heap_set_limit(&heap, 3 * C - 1); /* growth is by whole chunks */
    take(2 * C, 0, 0);
    refuse(1);
    tri__page_heap_set_limit(&heap, 3 * C);
    refuse(C + 1);
    take(C, 2, 0);
    refuse(1);
    tri__page_heap_set_limit(&heap, 0); /* what there is stays */
    give(1, 1, 1);
    take(1, 1, 1);
    refuse(1);
    tri__page_heap_set_limit(&heap, SIZE_MAX);
    take(7 * C, 3, 0);
    finish();
}
END_TEST

START_TEST(failing_commit)
{
    make_growing_heap(10 * C);
    take(C - 1, 0, 0);
    commits.result = -ENOMEM;
    refuse(2);
    ck_assert_int_eq(commits.calls, 2);
    take(1, 0, C - 1);
    refuse(1);
    commits.result = 0;
    take(2, 1, 0);
    expect_commit(4, 1, 1);
    finish();
}
END_TEST

/* Only whole chunks can be used, and none is not worth a heap. */
START_TEST(no_room_for_a_chunk)
{
    struct tri__page_heap none = {0};
    ck_assert(!tri__page_heap_init(&none, FAKE_BASE, C - 1, commit_nothing));
    tri__page_heap_release(&none);
}
END_TEST

/* ---- Using up, giving back ---- */

START_TEST(exhaust)
{
    static const size_t counts[] = {1, 2, 3, 4, 5, 8, 16, 64, 1024, 1025, 2048, 2049};
    size_t npages = counts[_i], fits = 4 * C / npages;
    make_heap(&heap, 4);
    for (size_t c = 0; c < 4; c++)
        add_chunk(&heap, c, NONE);
    for (size_t i = 0; i < fits; i++)
        take(npages, 0, i * npages);
    refuse(npages);
    for (size_t p = 0; p < 4 * C; p++)
        if (naive_bit(&heap.chunks[p / C].used, p % C) != (p < fits * npages))
            ck_abort_msg("page %zu", p);
    finish();
}
END_TEST

/* Frees pages of a heap that is all in use, and looks at every bit of it. */
static void check_frees(size_t first, size_t npages, size_t times)
{
    size_t chunks = 8, end = first + npages * times;
    make_heap(&heap, chunks);
    for (size_t c = 0; c < chunks; c++)
        add_chunk(&heap, c, ALL);
    for (size_t i = 0; i < times; i++)
        give(npages, 0, first + i * npages);
    for (size_t p = 0; p < chunks * C; p++) {
        bool was_freed = p >= first && p < end;
        if (naive_bit(&heap.chunks[p / C].used, p % C) == was_freed ||
            naive_bit(&heap.chunks[p / C].dirty, p % C) != was_freed)
            ck_abort_msg("page %zu", p);
    }
    ck_assert_uint_eq(tri__page_heap_used(&heap), chunks * C - (end - first));
    take_dirty(end - first, 0, first, true);
    finish();
}

START_TEST(frees)
{
    check_frees(0, 1, 5);
    check_frees(0, 2, 5);
    check_frees(0, 5, 5);
    check_frees(0, 64, 4);
    check_frees(0, 65, 4);
    check_frees(0, C, 3);
    check_frees(C / 2, C, 1);
    check_frees(C / 2, C + 1, 1);
    check_frees(C / 2, 2 * C, 1);
    check_frees(0, 7 * C + 5, 1);
}
END_TEST

static void shuffle(size_t *items, size_t count, uint64_t *random)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = random_below(random, i), item = items[i - 1];
        items[i - 1] = items[j];
        items[j] = item;
    }
}

/* However the pages come back, the same requests get the same pages again. */
START_TEST(frees_in_random_order)
{
    static const size_t counts[] = {1, 3, 64, 100, 700};
    size_t npages = counts[_i], fits = 4 * C / npages, order[4 * C];
    uint64_t random = test_seed;
    make_heap(&heap, 4);
    for (size_t c = 0; c < 4; c++)
        add_chunk(&heap, c, NONE);
    for (size_t i = 0; i < fits; i++)
        order[i] = i * npages;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < fits; i++)
            take_dirty(npages, 0, i * npages, round > 0);
        shuffle(order, fits, &random);
        for (size_t i = 0; i < fits; i++)
            give(npages, 0, order[i]);
        ck_assert_uint_eq(tri__page_heap_used(&heap), 0);
    }
    finish();
}
END_TEST

/* ---- Misuse: each of these aborts ---- */

static void make_heap_for_misuse(void)
{
    make_heap(&heap, 16);
    add_chunk(&heap, 0, NONE);
    add_chunk(&heap, 2, NONE);
    take(10, 0, 0);
}

static void free_twice(void)
{
    give(10, 0, 0);
    give(1, 0, 5);
}

static void free_one_too_many(void) { give(11, 0, 0); }
static void free_across_the_hole(void) { give(2 * C, 0, 0); }
static void free_what_is_not_committed(void) { give(1, 1, 0); }
static void free_beyond_what_is_committed(void) { give(1, 3, 0); }
static void free_across_the_end(void) { give(2, 2, C - 1); }
static void free_below_the_base(void) { tri__page_heap_free(&heap, FAKE_BASE - 8192, 1); }
static void free_inside_a_page(void) { tri__page_heap_free(&heap, FAKE_BASE + 4096, 1); }
static void free_nothing(void) { give(0, 0, 0); }
static void free_more_than_all(void) { give(SIZE_MAX, 0, 0); }
static void alloc_nothing(void) { refuse(0); }

static void (*const misuses[])(void) = {
    free_twice,
    free_one_too_many,
    free_across_the_hole,
    free_what_is_not_committed,
    free_beyond_what_is_committed,
    free_across_the_end,
    free_below_the_base,
    free_inside_a_page,
    free_nothing,
    free_more_than_all,
    alloc_nothing,
};

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

START_TEST(misuse_is_fatal)
{
    make_heap_for_misuse();
    misuses[_i]();
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("page_heap");
    TCase *fit = tcase_create("fit"), *holes = tcase_create("holes");
    TCase *growth = tcase_create("growth"), *use = tcase_create("use");
    test_seed_init(argc, argv);

    tcase_add_test(fit, one_page_each);
    tcase_add_test(fit, only_the_last_page_of_three_chunks);
    tcase_add_test(fit, a_free_chunk_far_behind_a_full_one);
    tcase_add_test(fit, two_pages_each);
    tcase_add_test(fit, two_pages_across_a_border);
    tcase_add_test(fit, five_pages_each);
    tcase_add_test(fit, almost_a_chunk);
    tcase_add_test(fit, a_whole_chunk);
    tcase_add_test(fit, more_than_a_chunk_across_a_border);
    tcase_add_test(fit, two_whole_chunks);
    tcase_add_test(fit, two_whole_chunks_behind_a_hole);
    tcase_add_test(fit, a_fit_behind_a_smaller_hole);
    tcase_add_test(fit, almost_eight_chunks);
    tcase_add_test(fit, half_a_chunk_on_both_sides);
    tcase_add_test(fit, a_free_that_only_the_next_chunk_makes_long);
    suite_add_tcase(suite, fit);

    tcase_add_test(holes, a_hole_of_terabytes);
    tcase_add_test(holes, three_chunks_far_apart);
    tcase_add_test(holes, the_whole_range);
    suite_add_tcase(suite, holes);

    tcase_add_test(growth, grows_when_needed_and_no_further);
    tcase_add_test(growth, growth_uses_several_free_chunks_at_the_end);
    tcase_add_test(growth, limit);
    tcase_add_test(growth, failing_commit);
    tcase_add_test(growth, no_room_for_a_chunk);
    suite_add_tcase(suite, growth);

    tcase_add_loop_test(use, exhaust, 0, 12);
    tcase_add_test(use, frees);
    tcase_add_loop_test(use, frees_in_random_order, 0, 5);
    tcase_add_loop_test_raise_signal(use, misuse_is_fatal, SIGABRT, 0, COUNT(misuses));
    suite_add_tcase(suite, use);
    return run_suite(suite);
}
