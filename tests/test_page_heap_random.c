/* SPDX-License-Identifier: MIT */
/* The page heap against a model that keeps a byte a page and searches page by page. Every
 * request must get the address, the dirty flag or the refusal that the model says, and every bit
 * and every summary must agree. Heaps have three or four levels, holes, limits, and commits that
 * fail. */
#include <errno.h>

#include "pages.h"

#define CHUNKS 24
#define LIVE 400
#define STEPS 3000
#define NOWHERE SIZE_MAX

/* ---- The model: the committed chunks in address order, and their pages ---- */

enum { USED = 1, DIRTY = 2 };

static struct {
    size_t chunk[CHUNKS];
    size_t count;
    unsigned char page[CHUNKS * C];
    size_t limit;    /* chunks */
    size_t reserved; /* chunks */
} model;

static struct tri__page_heap heap;
static uint64_t seed;
static bool commit_fails;

static size_t below(size_t bound) { return random_below(&seed, bound); }

static int commit(void *start, size_t bytes)
{
    (void)start;
    (void)bytes;
    return commit_fails ? -ENOMEM : 0;
}

/* Index i of the model is this page of the heap. */
static size_t page_of(size_t i) { return model.chunk[i / C] * C + i % C; }

static bool follows(size_t i) { return i > 0 && page_of(i) == page_of(i - 1) + 1; }

/* The length of the free run that ends with each page, one after the other. */
static size_t longer(size_t run, size_t i)
{
    if ((model.page[i] & USED) != 0)
        return 0;
    return follows(i) ? run + 1 : 1;
}

static size_t model_find(size_t npages)
{
    size_t run = 0;
    for (size_t i = 0; i < model.count * C; i++) {
        run = longer(run, i);
        if (run == npages)
            return i + 1 - npages;
    }
    return NOWHERE;
}

static size_t model_grow(size_t npages)
{
    size_t tail = 0, next = model.count == 0 ? 0 : model.chunk[model.count - 1] + 1;
    for (size_t i = 0; i < model.count * C; i++)
        tail = longer(tail, i);
    size_t more = (npages - tail + C - 1) / C;
    if (commit_fails || model.count + more > model.limit || next + more > model.reserved)
        return NOWHERE;
    size_t first = model.count * C - tail;
    for (; more > 0; more--)
        model.chunk[model.count++] = next++;
    return first;
}

static size_t model_find_or_grow(size_t npages)
{
    size_t i = model_find(npages);
    return i != NOWHERE ? i : model_grow(npages);
}

/* ---- Comparing ---- */

static struct tri__page_summary model_summary(size_t low, size_t high)
{
    size_t start = 0, max = 0, run = 0, next = low;
    for (size_t i = 0; i < model.count * C; i++) {
        size_t page = page_of(i);
        if (page < low || page >= high)
            continue;
        run = page == next ? run : 0;
        run = (model.page[i] & USED) != 0 ? 0 : run + 1;
        start += run == page + 1 - low;
        max = run > max ? run : max;
        next = page + 1;
    }
    return (struct tri__page_summary){.start = (uint32_t)start,
                                      .max = (uint32_t)max,
                                      .end = next == high ? (uint32_t)run : 0};
}

static void check_summaries_above(size_t chunk)
{
    for (unsigned level = 0; level <= heap.top; level++) {
        size_t pages = heap.levels[level].entry_pages, entry = chunk * C / pages;
        struct tri__page_summary expected = model_summary(entry * pages, (entry + 1) * pages);
        struct tri__page_summary found = heap.levels[level].entries[entry];
        ck_assert_summary(found, expected.start, expected.max, expected.end);
    }
}

/* Check notes every assertion in a pipe: too slow for each of many bits. */
static void check_bits(void)
{
    size_t used = 0, wrong = 0;
    for (size_t i = 0; i < model.count * C; i++) {
        const struct tri__page_chunk *chunk = &heap.chunks[model.chunk[i / C]];
        bool is_used = (model.page[i] & USED) != 0, is_dirty = (model.page[i] & DIRTY) != 0;
        used += is_used;
        wrong += naive_bit(&chunk->used, i % C) != is_used;
        wrong += naive_bit(&chunk->dirty, i % C) != is_dirty;
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(tri__page_heap_used(&heap), used);
    ck_assert_uint_eq(tri__page_heap_committed(&heap), model.count * C);
}

static void check_all(void)
{
    check_bits();
    for (size_t c = 0; c < model.count; c++)
        check_summaries_above(model.chunk[c]);
}

/* ---- Steps ---- */

struct run {
    size_t first; /* index in the model */
    size_t npages;
};

static struct run live[LIVE];
static size_t live_count;

static size_t random_npages(void)
{
    static const size_t bounds[] = {3, 16, 70, C, 3 * C};
    return 1 + below(bounds[below(sizeof(bounds) / sizeof(bounds[0]))]);
}

static void step_alloc(void)
{
    size_t npages = random_npages(), i = model_find_or_grow(npages);
    unsigned char old = 0;
    uintptr_t address = 0;
    bool dirty = false;
    ck_assert_int_eq(tri__page_heap_alloc(&heap, npages, &address, &dirty), i != NOWHERE);
    if (i == NOWHERE)
        return;
    ck_assert_uint_eq(address, address_of(&heap, page_of(i)));
    for (size_t p = i; p < i + npages; p++) {
        old |= model.page[p];
        model.page[p] |= USED;
    }
    ck_assert_int_eq(dirty, (old & DIRTY) != 0);
    live[live_count++] = (struct run){.first = i, .npages = npages};
}

static void model_free(size_t first, size_t npages)
{
    for (size_t p = first; p < first + npages; p++)
        model.page[p] = DIRTY;
}

/* All of a run, or a piece of its end. */
static void step_free(void)
{
    size_t pick = below(live_count);
    struct run *run = &live[pick];
    size_t keep = below(3) == 0 ? below(run->npages) : 0;
    tri__page_heap_free(&heap, address_of(&heap, page_of(run->first + keep)), run->npages - keep);
    model_free(run->first + keep, run->npages - keep);
    run->npages = keep;
    if (keep == 0)
        *run = live[--live_count];
}

/* Takes a window, gives a part of it back at once, and frees the rest page by page as if it had
 * been used. In between the model's first fit must not find these pages. */
static void step_window(void)
{
    uintptr_t address = 0;
    uint64_t vacant = 0, dirty = 0, kept = random_word(&seed);
    size_t i = model_find_or_grow(1), window = i / 64 * 64, wrong = 0;
    ck_assert_int_eq(tri__page_heap_take_window(&heap, &address, &vacant, &dirty), i != NOWHERE);
    if (i == NOWHERE)
        return;
    ck_assert_uint_eq(address, address_of(&heap, page_of(window)));
    for (size_t p = 0; p < 64; p++) {
        unsigned char state = model.page[window + p];
        wrong += (vacant >> p & 1) != ((state & USED) == 0);
        wrong += (dirty >> p & 1) != (state == DIRTY);
        model.page[window + p] |= USED;
    }
    ck_assert_uint_eq(wrong, 0);
    check_bits();
    tri__page_heap_return_window(&heap, address, vacant & kept, dirty & kept);
    for (size_t p = 0; p < 64; p++) {
        if ((vacant & kept) >> p & 1)
            model.page[window + p] &= DIRTY;
        else if (vacant >> p & 1) {
            tri__page_heap_free(&heap, address_of(&heap, page_of(window + p)), 1);
            model_free(window + p, 1);
        }
    }
}

static void step(void)
{
    size_t choice = below(20);
    commit_fails = below(10) == 0;
    if (choice == 0)
        step_window();
    else if (live_count == LIVE || (live_count > 0 && choice < 9))
        step_free();
    else
        step_alloc();
}

static void run_steps(void)
{
    for (int i = 0; i < STEPS; i++) {
        step();
        if (i % 100 == 0)
            check_all();
    }
    while (live_count > 0)
        step_free();
    check_all();
    tri__page_heap_release(&heap);
}

static void start(int round, size_t limit)
{
    memset(&model, 0, sizeof(model));
    live_count = 0;
    model.limit = limit;
    model.reserved = round % 2 == 0 ? 65536 : 65537;
    ck_assert(tri__page_heap_init(&heap, FAKE_BASE, model.reserved * C, commit));
    ck_assert_uint_eq(heap.top, round % 2 == 0 ? 2 : 3);
}

/* ---- The two kinds of heaps ---- */

START_TEST(heap_that_grows)
{
    seed = test_seed + (uint64_t)_i;
    start(_i, 2 + below(CHUNKS - 2));
    tri__page_heap_set_limit(&heap, model.limit * C + below(C));
    run_steps();
}
END_TEST

/* Chunks in twos and threes, and gaps within a group, to the next group, and to the group after
 * that. */
START_TEST(heap_with_holes)
{
    static const size_t gaps[] = {1, 1, 1, 2, 3, 31, 32, 33, 1000, 1023, 1024, 1025, 2048};
    seed = test_seed + (uint64_t)_i;
    start(_i, CHUNKS);
    size_t next = below(100);
    for (size_t c = 0; c < CHUNKS; c++) {
        add_chunk(&heap, next, NONE);
        model.chunk[model.count++] = next;
        next += gaps[below(sizeof(gaps) / sizeof(gaps[0]))];
    }
    run_steps(); /* both are at their limit: nothing grows */
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("page_heap_random");
    TCase *tcase = tcase_create("page_heap_random");
    test_seed_init(argc, argv);
    tcase_add_loop_test(tcase, heap_that_grows, 0, 5);
    tcase_add_loop_test(tcase, heap_with_holes, 0, 5);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
