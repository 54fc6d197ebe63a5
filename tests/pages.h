/* SPDX-License-Identifier: MIT */
/* What the tests of page bitmaps, page heap and page cache share: random numbers from a printed
 * seed, and heaps of a given shape over memory that is never touched. */
#ifndef TRI__TESTS_PAGES_H
#define TRI__TESTS_PAGES_H

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "heap/page_heap.h"
#include "run_suite.h"

#define C TRI__CHUNK_PAGES
#define FAKE_BASE ((uintptr_t)0xc000000000)

/* ---- Random numbers ---- */

static uint64_t test_seed;

/* The seed is argv[1], else TRICOLOR_SEED, else new. Printed in any case, before anything is
 * tested. */
static inline void test_seed_init(int argc, char **argv)
{
    const char *given = argc > 1 ? argv[1] : getenv("TRICOLOR_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    test_seed = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    if (given != NULL)
        test_seed = strtoull(given, NULL, 0);
    printf("seed %" PRIu64 "\n", test_seed);
    fflush(stdout);
}

/* splitmix64: any state is a good state. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline size_t random_below(uint64_t *state, size_t bound)
{
    return (size_t)(random_next(state) % bound);
}

/* Words of every density, runs of all lengths among them. */
static inline uint64_t random_word(uint64_t *state)
{
    uint64_t word = random_next(state);
    switch (random_below(state, 6)) {
    case 0:
        return word;
    case 1:
        return word & random_next(state) & random_next(state);
    case 2:
        return word | random_next(state) | random_next(state);
    case 3:
        return UINT64_MAX >> random_below(state, 64) << random_below(state, 64);
    case 4:
        return 0;
    default:
        return UINT64_MAX;
    }
}

/* ---- Heaps ---- */

static inline int commit_nothing(void *start, size_t bytes)
{
    (void)start;
    (void)bytes;
    return 0;
}

static inline void make_heap(struct tri__page_heap *heap, size_t chunks)
{
    ck_assert(tri__page_heap_init(heap, FAKE_BASE, chunks * C, commit_nothing));
}

/* Commits one chunk more, above those there are, with the page ranges in `used` in use: pairs of
 * first and count, ended by a count of 0. */
struct range {
    unsigned first;
    unsigned count;
};

static inline void set_ranges(struct tri__page_bits *bits, const struct range *ranges)
{
    for (; ranges->count != 0; ranges++)
        tri__page_bits_set_range(bits, ranges->first, ranges->count);
}

static inline void add_chunk(struct tri__page_heap *heap, size_t chunk, const struct range *used)
{
    size_t before = tri__page_heap_used(heap);
    tri__page_heap_set_limit(heap, SIZE_MAX);
    ck_assert(tri__page_heap_commit_locked(heap, chunk, 1));
    set_ranges(&heap->chunks[chunk].used, used);
    tri__page_heap_summarize_locked(heap, chunk, 1);
    heap->used_pages = before + tri__page_bits_count_range(&heap->chunks[chunk].used, 0, C);
    tri__page_heap_set_limit(heap, 0); /* it grows by add_chunk() only */
}

#define RANGES(...) ((const struct range[]){__VA_ARGS__, {0, 0}})
#define NONE ((const struct range[]){{0, 0}})
#define ALL RANGES({0, C})

/* Makes all pages dirty but those in `clean`. */
static inline void dirty_all_but(struct tri__page_heap *heap, size_t chunk,
                                 const struct range *clean)
{
    struct tri__page_bits *dirty = &heap->chunks[chunk].dirty;
    tri__page_bits_set_range(dirty, 0, C);
    for (; clean->count != 0; clean++)
        tri__page_bits_clear_range(dirty, clean->first, clean->count);
}

static inline uintptr_t address_of(const struct tri__page_heap *heap, size_t page)
{
    return heap->base + (page << TRI__PAGE_SHIFT);
}

/* ---- Naive oracles ---- */

static inline bool naive_bit(const struct tri__page_bits *bits, size_t i)
{
    return (bits->word[i / 64] >> i % 64 & 1) != 0;
}

static inline struct tri__page_summary naive_summary(const struct tri__page_bits *bits)
{
    unsigned start = 0, max = 0, run = 0;
    for (unsigned i = 0; i < C; i++) {
        run = naive_bit(bits, i) ? 0 : run + 1;
        max = run > max ? run : max;
        start += run == i + 1;
    }
    return (struct tri__page_summary){.start = start, .max = max, .end = run};
}

#define ck_assert_summary(summary, start_, max_, end_)                                             \
    do {                                                                                           \
        ck_assert_uint_eq((summary).start, (start_));                                              \
        ck_assert_uint_eq((summary).max, (max_));                                                  \
        ck_assert_uint_eq((summary).end, (end_));                                                  \
    } while (0)

#endif
