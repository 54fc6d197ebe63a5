/* SPDX-License-Identifier: MIT */
/* The page cache: known cases, what filling and flushing leave in the heap, and threads that
 * allocate and free at once, whose live pages must never overlap. */
#include <pthread.h>
#include <signal.h>

#include "pages.h"

#include "base/os.h"
#include "heap/page_cache.h"

/* ---- Taking from a cache ---- */

#define NO_FIT 64u

struct hit {
    size_t npages;
    unsigned page;  /* NO_FIT: must be refused */
    uint64_t clean; /* of the pages taken, bit 0 is the first */
};

/* Cases are written with the pages that are still clean; a cache keeps those that are not. */
static void check_hits(uint64_t vacant, uint64_t clean, const struct hit *hits, size_t count)
{
    struct tri__page_cache cache = {.base = FAKE_BASE, .vacant = vacant, .dirty = vacant & ~clean};
    for (size_t i = 0; i < count; i++) {
        const struct hit *hit = &hits[i];
        struct tri__page_cache before = cache;
        uintptr_t address = 0;
        bool dirty = false, fits = hit->page != NO_FIT;
        ck_assert_int_eq(tri__page_cache_alloc(&cache, hit->npages, &address, &dirty), fits);
        if (!fits) {
            ck_assert_mem_eq(&cache, &before, sizeof(cache));
            continue;
        }
        ck_assert_uint_eq(address, FAKE_BASE + (uintptr_t)hit->page * TRI__PAGE_BYTES);
        ck_assert_int_eq(dirty, hit->clean != tri__bit_range64(0, (unsigned)hit->npages));
        ck_assert_uint_eq(cache.dirty & ~cache.vacant, 0);
    }
}

#define CHECK_HITS(vacant, clean, ...)                                                             \
    check_hits(vacant, clean, (const struct hit[]){__VA_ARGS__},                                   \
               sizeof((const struct hit[]){__VA_ARGS__}) / sizeof(struct hit))

START_TEST(empty_cache)
{
    for (size_t npages = 1; npages <= 64; npages++)
        CHECK_HITS(0, 0, {npages, NO_FIT, 0});
}
END_TEST

START_TEST(single_pages)
{
    CHECK_HITS(1, 1, {1, 0, 1}, {1, NO_FIT, 0}, {10, NO_FIT, 0});
    CHECK_HITS(UINT64_C(1) << 63, 1, {1, 63, 0}, {1, NO_FIT, 0});
    CHECK_HITS(UINT64_C(1) << 63, UINT64_C(1) << 63, {1, 63, 1}, {1, NO_FIT, 0});
    CHECK_HITS(0x20005555, 0x5505, {2, NO_FIT, 0}, {1, 0, 1}, {1, 2, 1}, {1, 4, 0}, {1, 6, 0},
               {1, 8, 1}, {1, 10, 1}, {1, 12, 1}, {1, 14, 1}, {1, 29, 0}, {1, NO_FIT, 0});
}
END_TEST

START_TEST(runs_of_pages)
{
    CHECK_HITS(0x3, 0x3, {2, 0, 3}, {1, NO_FIT, 0});
    CHECK_HITS(0x3, 0x1, {2, 0, 1}, {1, NO_FIT, 0});
    CHECK_HITS(UINT64_C(3) << 62, UINT64_C(3) << 62, {2, 62, 3}, {1, NO_FIT, 0});
    CHECK_HITS(UINT64_C(0x3333) << 31, UINT64_C(0x3030) << 31, {2, 31, 0}, {2, 35, 3}, {2, 39, 0},
               {2, 43, 3}, {1, NO_FIT, 0});
    CHECK_HITS(tri__bit_range64(10, 53), tri__bit_range64(10, 16), {53, 10, 0xffff},
               {1, NO_FIT, 0});
}
END_TEST

START_TEST(a_whole_window)
{
    CHECK_HITS(UINT64_MAX, 0, {5, 0, 0}, {7, 5, 0}, {1, 12, 0}, {23, 13, 0}, {63, NO_FIT, 0},
               {3, 36, 0}, {3, 39, 0}, {3, 42, 0}, {12, 45, 0}, {11, NO_FIT, 0}, {4, 57, 0},
               {4, NO_FIT, 0}, {6, NO_FIT, 0}, {36, NO_FIT, 0}, {2, 61, 0}, {3, NO_FIT, 0},
               {1, 63, 0}, {4, NO_FIT, 0}, {2, NO_FIT, 0}, {62, NO_FIT, 0});
}
END_TEST

/* ---- Filling and flushing ---- */

static struct tri__page_heap heap;

static void check_used(size_t first, size_t end)
{
    for (size_t p = 0; p < heap.next_chunk * C; p++)
        if (naive_bit(&heap.chunks[p / C].used, p % C) != (p >= first && p < end))
            ck_abort_msg("page %zu", p);
    ck_assert_uint_eq(tri__page_heap_used(&heap), end - first);
}

START_TEST(fill_takes_the_window_of_the_first_free_page)
{
    struct tri__page_cache cache = {0};
    make_heap(&heap, 1);
    add_chunk(&heap, 0, RANGES({0, 64}, {64, 3}, {70, 1}, {100, 20}));
    dirty_all_but(&heap, 0, RANGES({0, 69}, {120, 4}));
    ck_assert(tri__page_heap_fill_cache(&heap, &cache));
    uint64_t vacant = ~(tri__bit_range64(0, 3) | tri__bit_range64(6, 1) | tri__bit_range64(36, 20));
    uint64_t clean = tri__bit_range64(0, 5) | tri__bit_range64(56, 4);
    ck_assert_uint_eq(cache.base, FAKE_BASE + 64 * TRI__PAGE_BYTES);
    ck_assert_uint_eq(cache.vacant, vacant);
    ck_assert_uint_eq(cache.dirty, vacant & ~clean);
    check_used(0, 128);
    tri__page_heap_release(&heap);
}
END_TEST

START_TEST(fill_when_nothing_is_free)
{
    struct tri__page_cache cache = {0}, empty = {0};
    make_heap(&heap, 1);
    add_chunk(&heap, 0, RANGES({0, C - 1}));
    ck_assert(tri__page_heap_fill_cache(&heap, &cache));
    ck_assert_uint_eq(cache.base, FAKE_BASE + (C - 64) * TRI__PAGE_BYTES);
    ck_assert_uint_eq(cache.vacant, UINT64_C(1) << 63);
    ck_assert(!tri__page_heap_fill_cache(&heap, &empty));
    ck_assert(tri__page_cache_is_empty(&empty));
    check_used(0, C);
    tri__page_heap_release(&heap);
}
END_TEST

START_TEST(fill_grows_the_heap)
{
    struct tri__page_cache cache = {0}, second = {0};
    make_heap(&heap, 2);
    ck_assert(tri__page_heap_fill_cache(&heap, &cache));
    ck_assert_uint_eq(tri__page_heap_committed(&heap), C);
    ck_assert(tri__page_heap_fill_cache(&heap, &second));
    ck_assert_uint_eq(second.base, FAKE_BASE + 64 * TRI__PAGE_BYTES);
    check_used(0, 128);
    tri__page_cache_flush(&heap, &cache);
    ck_assert(tri__page_cache_is_empty(&cache));
    check_used(64, 128);
    tri__page_cache_flush(&heap, &cache); /* empty: nothing to do */
    tri__page_cache_flush(&heap, &second);
    check_used(0, 0);
    tri__page_heap_release(&heap);
}
END_TEST

/* A flush gives back just what the cache holds: in the window, and nowhere else. */
START_TEST(flush_random)
{
    uint64_t random = test_seed;
    make_heap(&heap, 8);
    for (size_t c = 0; c < 8; c++)
        add_chunk(&heap, c, ALL);
    for (int round = 0; round < 1000; round++) {
        size_t w = random_below(&random, 8 * TRI__PAGE_BITS_WORDS);
        size_t chunk = w / TRI__PAGE_BITS_WORDS;
        uint64_t vacant = random_word(&random), dirty = random_word(&random) & vacant;
        struct tri__page_bits used = heap.chunks[chunk].used, old = heap.chunks[chunk].dirty;
        struct tri__page_cache cache = {address_of(&heap, w * 64), vacant, dirty};
        used.word[w % TRI__PAGE_BITS_WORDS] &= ~vacant;
        old.word[w % TRI__PAGE_BITS_WORDS] &= ~vacant;
        old.word[w % TRI__PAGE_BITS_WORDS] |= dirty;
        tri__page_cache_flush(&heap, &cache);
        ck_assert(tri__page_cache_is_empty(&cache));
        ck_assert_mem_eq(&heap.chunks[chunk].used, &used, sizeof(used));
        ck_assert_mem_eq(&heap.chunks[chunk].dirty, &old, sizeof(old));
        ck_assert_uint_eq(tri__page_heap_used(&heap),
                          8 * C - (size_t)__builtin_popcountll(vacant));
        if (vacant != 0) {
            ck_assert(tri__page_heap_fill_cache(&heap, &cache));
            ck_assert_uint_eq(cache.vacant, vacant);
            ck_assert_uint_eq(cache.dirty, dirty);
        }
    }
    tri__page_heap_release(&heap);
}
END_TEST

/* ---- Misuse: each of these aborts ---- */

START_TEST(filling_a_cache_that_is_not_empty_is_fatal)
{
    struct tri__page_cache cache = {.base = FAKE_BASE, .vacant = 1};
    make_heap(&heap, 1);
    tri__page_heap_fill_cache(&heap, &cache);
}
END_TEST

START_TEST(flushing_pages_that_are_free_is_fatal)
{
    struct tri__page_cache cache = {0}, copy;
    make_heap(&heap, 1);
    ck_assert(tri__page_heap_fill_cache(&heap, &cache));
    copy = cache;
    tri__page_cache_flush(&heap, &cache);
    tri__page_cache_flush(&heap, &copy);
}
END_TEST

START_TEST(taking_no_page_is_fatal)
{
    struct tri__page_cache cache = {.base = FAKE_BASE, .vacant = 1};
    uintptr_t address;
    bool dirty;
    tri__page_cache_alloc(&cache, 0, &address, &dirty);
}
END_TEST

/* ---- Threads ---- */

#define THREADS 4
#define THREAD_STEPS 20000
#define THREAD_LIVE 64
#define THREAD_CHUNKS 6

/* The first words of a page. Plain stores on purpose: if the heap handed a page from one thread
 * to another without ordering, TSan would report them. */
struct stamp {
    uint64_t owner; /* thread and allocation, while the page is live */
    uint64_t old;   /* not 0 from its first use on */
};

struct worker {
    pthread_t thread;
    uint64_t number;
    uint64_t random;
    uint64_t allocations;
    struct tri__page_cache cache;
    struct {
        uintptr_t address;
        size_t npages;
        uint64_t owner;
    } live[THREAD_LIVE];
    size_t live_count;
    const char *error;
};

static struct stamp *stamp_of(uintptr_t address, size_t page)
{
    return (struct stamp *)(address + page * TRI__PAGE_BYTES);
}

static bool take_pages(struct worker *worker, size_t npages, uintptr_t *address, bool *dirty)
{
    if (npages > TRI__PAGE_CACHE_MAX_PAGES)
        return tri__page_heap_alloc(&heap, npages, address, dirty);
    if (tri__page_cache_is_empty(&worker->cache) &&
        !tri__page_heap_fill_cache(&heap, &worker->cache))
        return false;
    return tri__page_cache_alloc(&worker->cache, npages, address, dirty) ||
           tri__page_heap_alloc(&heap, npages, address, dirty);
}

static void worker_alloc(struct worker *worker)
{
    size_t bound = random_below(&worker->random, 10) == 0 ? 100 : 8;
    size_t npages = 1 + random_below(&worker->random, bound);
    uint64_t owner = worker->number << 32 | ++worker->allocations;
    uintptr_t address;
    bool dirty;
    if (!take_pages(worker, npages, &address, &dirty))
        return;
    for (size_t p = 0; p < npages; p++) {
        struct stamp *stamp = stamp_of(address, p);
        if (stamp->owner != 0)
            worker->error = "a live page was handed out again";
        if (stamp->old != 0 && !dirty)
            worker->error = "an old page was said to be clean";
        *stamp = (struct stamp){.owner = owner, .old = 1};
    }
    worker->live[worker->live_count].address = address;
    worker->live[worker->live_count].npages = npages;
    worker->live[worker->live_count++].owner = owner;
}

static void worker_free(struct worker *worker)
{
    size_t pick = random_below(&worker->random, worker->live_count);
    uintptr_t address = worker->live[pick].address;
    for (size_t p = 0; p < worker->live[pick].npages; p++) {
        struct stamp *stamp = stamp_of(address, p);
        if (stamp->owner != worker->live[pick].owner)
            worker->error = "somebody wrote into a live page";
        stamp->owner = 0;
    }
    tri__page_heap_free(&heap, address, worker->live[pick].npages);
    worker->live[pick] = worker->live[--worker->live_count];
}

static void worker_step(struct worker *worker)
{
    if (random_below(&worker->random, 500) == 0)
        tri__page_cache_flush(&heap, &worker->cache);
    if (worker->live_count == THREAD_LIVE ||
        (worker->live_count > 0 && random_below(&worker->random, 2) == 0))
        worker_free(worker);
    else
        worker_alloc(worker);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    for (int i = 0; i < THREAD_STEPS && worker->error == NULL; i++)
        worker_step(worker);
    while (worker->live_count > 0)
        worker_free(worker);
    tri__page_cache_flush(&heap, &worker->cache);
    return NULL;
}

static void run_workers(void)
{
    static struct worker workers[THREADS];
    memset(workers, 0, sizeof(workers));
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].number = i + 1;
        workers[i].random = test_seed + i;
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]), 0);
    }
    /* While they run: the counters are read without the lock. */
    ck_assert_uint_le(tri__page_heap_used(&heap), THREAD_CHUNKS * C);
    ck_assert_uint_le(tri__page_heap_committed(&heap), THREAD_CHUNKS * C);
    for (size_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
        ck_assert_msg(workers[i].error == NULL, "%s", workers[i].error);
    }
}

/* Real memory, and so little of it that threads often find the heap full. */
START_TEST(threads_never_share_a_page)
{
    size_t bytes = THREAD_CHUNKS * TRI__CHUNK_BYTES;
    void *range = tri__os_reserve(bytes);
    ck_assert_ptr_nonnull(range);
    ck_assert(tri__page_heap_init(&heap, (uintptr_t)range, THREAD_CHUNKS * C, tri__os_commit));
    run_workers();
    check_used(0, 0);
    ck_assert_uint_ge(tri__page_heap_committed(&heap), C);
    tri__page_heap_release(&heap);
    tri__os_unmap(range, bytes);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("page_cache");
    TCase *take = tcase_create("take"), *fill = tcase_create("fill");
    TCase *threads = tcase_create("threads");
    test_seed_init(argc, argv);

    tcase_add_test(take, empty_cache);
    tcase_add_test(take, single_pages);
    tcase_add_test(take, runs_of_pages);
    tcase_add_test(take, a_whole_window);
    tcase_add_test_raise_signal(take, taking_no_page_is_fatal, SIGABRT);
    suite_add_tcase(suite, take);

    tcase_add_test(fill, fill_takes_the_window_of_the_first_free_page);
    tcase_add_test(fill, fill_when_nothing_is_free);
    tcase_add_test(fill, fill_grows_the_heap);
    tcase_add_test(fill, flush_random);
    tcase_add_test_raise_signal(fill, filling_a_cache_that_is_not_empty_is_fatal, SIGABRT);
    tcase_add_test_raise_signal(fill, flushing_pages_that_are_free_is_fatal, SIGABRT);
    suite_add_tcase(suite, fill);

    tcase_add_test(threads, threads_never_share_a_page);
    tcase_set_timeout(threads, 60);
    suite_add_tcase(suite, threads);
    return run_suite(suite);
}
