/* SPDX-License-Identifier: MIT */
/* Bitmaps of a chunk: searching, ranges and summaries, by known cases and against naive oracles. */
#include "pages.h"

#include "heap/page_bits.h"

/* ---- Runs in a word ---- */

static unsigned naive_find64(uint64_t word, unsigned count)
{
    for (unsigned i = 0; i + count <= 64; i++)
        if ((~word & tri__bit_range64(i, count)) == 0)
            return i;
    return 64;
}

START_TEST(find_in_word_known_cases)
{
    static const struct {
        uint64_t word;
        unsigned count;
        unsigned expected;
    } cases[] = {
        {0x8000000000000000, 1, 63},  {0xc000010001010000, 2, 62},  {0xc000010001030000, 2, 16},
        {0xe000030001030000, 3, 61},  {0xe000030001070000, 3, 16},  {0xffff03ff01070000, 16, 48},
        {0xffff03ff0107ffff, 16, 0},  {0x0fff03ff01079fff, 16, 64},
    };
    for (unsigned count = 1; count <= 64; count++) {
        ck_assert_uint_eq(tri__find_bit_range64(UINT64_MAX, count), 0);
        ck_assert_uint_eq(tri__find_bit_range64(0, count), 64);
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_uint_eq(tri__find_bit_range64(cases[i].word, cases[i].count), cases[i].expected);
}
END_TEST

START_TEST(find_in_word_random)
{
    uint64_t random = test_seed;
    for (int round = 0; round < 20000; round++) {
        uint64_t word = random_word(&random);
        unsigned count = 1 + (unsigned)random_below(&random, 64);
        ck_assert_msg(tri__find_bit_range64(word, count) == naive_find64(word, count),
                      "%u ones in %#" PRIx64, count, word);
    }
}
END_TEST

/* ---- Ranges ---- */

static void random_bits(uint64_t *random, struct tri__page_bits *bits)
{
    for (unsigned w = 0; w < TRI__PAGE_BITS_WORDS; w++)
        bits->word[w] = random_word(random);
}

static void check_ranges_of(const struct tri__page_bits *before, unsigned first, unsigned count)
{
    struct tri__page_bits set = *before, clear = *before;
    unsigned ones = 0, wrong = 0;
    tri__page_bits_set_range(&set, first, count);
    tri__page_bits_clear_range(&clear, first, count);
    for (unsigned i = 0; i < C; i++) {
        bool inside = i >= first && i < first + count, was = naive_bit(before, i);
        ones += inside && was;
        wrong += naive_bit(&set, i) != (inside || was);
        wrong += naive_bit(&clear, i) != (!inside && was);
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(tri__page_bits_count_range(before, first, count), ones);
}

START_TEST(ranges_at_the_edges)
{
    static const struct range cases[] = {{0, 1},   {0, 64},    {0, C},   {1, C - 1}, {C - 1, 1},
                                         {63, 2},  {64, 64},   {10, 30}, {63, 66},   {35, 241},
                                         {40, 88}, {C - 64, 64}};
    struct tri__page_bits none = {{0}}, all, random;
    uint64_t state = test_seed;
    tri__page_bits_set_range(&none, 0, C);
    all = none;
    tri__page_bits_clear_range(&none, 0, C);
    random_bits(&state, &random);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_ranges_of(&none, cases[i].first, cases[i].count);
        check_ranges_of(&all, cases[i].first, cases[i].count);
        check_ranges_of(&random, cases[i].first, cases[i].count);
    }
}
END_TEST

START_TEST(ranges_random)
{
    uint64_t random = test_seed;
    for (int round = 0; round < 1000; round++) {
        struct tri__page_bits bits;
        random_bits(&random, &bits);
        unsigned first = (unsigned)random_below(&random, C);
        check_ranges_of(&bits, first, 1 + (unsigned)random_below(&random, C - first));
    }
}
END_TEST

/* ---- First fit ---- */

static unsigned naive_find(const struct tri__page_bits *bits, unsigned count)
{
    unsigned run = 0;
    for (unsigned i = 0; i < C; i++) {
        run = naive_bit(bits, i) ? 0 : run + 1;
        if (run == count)
            return i + 1 - count;
    }
    return C;
}

/* Takes `count` pages again and again: at each of `hits`, then (if `ends`) no more. */
static void take_all(const struct range *used, unsigned count, const unsigned *hits, size_t nhits,
                     bool ends)
{
    struct tri__page_bits bits = {{0}};
    set_ranges(&bits, used);
    for (size_t i = 0; i < nhits; i++) {
        ck_assert_uint_eq(tri__page_bits_find(&bits, count), hits[i]);
        tri__page_bits_set_range(&bits, hits[i], count);
    }
    if (ends)
        ck_assert_uint_eq(tri__page_bits_find(&bits, count), C);
}

#define TAKE(used, count, ends, ...)                                                               \
    take_all(used, count, (const unsigned[]){__VA_ARGS__},                                         \
             sizeof((const unsigned[]){__VA_ARGS__}) / sizeof(unsigned), ends)

START_TEST(first_fit_known_cases)
{
    TAKE(NONE, 1, false, 0, 1, 2, 3, 4, 5);
    TAKE(NONE, 2, false, 0, 2, 4, 6, 8, 10);
    TAKE(NONE, 5, false, 0, 5, 10, 15, 20);
    TAKE(NONE, 64, false, 0, 64, 128);
    TAKE(NONE, 65, false, 0, 65, 130);
    TAKE(NONE, C, true, 0);
    TAKE(RANGES({0, C / 2 - 3}, {C / 2 - 2, C / 2 + 2}), 1, true, C / 2 - 3);
    TAKE(RANGES({0, C / 2 - 3}, {C / 2 - 1, C / 2 + 1}), 2, true, C / 2 - 3);
    TAKE(RANGES({0, C / 2 - 3}, {C / 2 + 2, C / 2 - 2}), 5, true, C / 2 - 3);
    TAKE(RANGES({0, C / 2 - 31}, {C / 2 + 34, C / 2 - 34}), 65, true, C / 2 - 31);
    TAKE(RANGES({0, 185}, {331, 1}), 161, false, 332);
}
END_TEST

START_TEST(first_fit_refuses)
{
    static const unsigned counts[] = {1, 2, 5, 65, C};
    struct tri__page_bits bits = {{0}};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        tri__page_bits_set_range(&bits, 0, C);
        ck_assert_uint_eq(tri__page_bits_find(&bits, counts[i]), C);
    }
    tri__page_bits_clear_range(&bits, 0, C);
    set_ranges(&bits, RANGES({0, 32}, {64, 32}, {100, 412}));
    ck_assert_uint_eq(tri__page_bits_find(&bits, 64), C);
}
END_TEST

START_TEST(first_fit_random)
{
    uint64_t random = test_seed;
    for (int round = 0; round < 5000; round++) {
        struct tri__page_bits bits;
        random_bits(&random, &bits);
        unsigned count = 1 + (unsigned)random_below(&random, round % 2 == 0 ? 64 : C);
        ck_assert_uint_eq(tri__page_bits_find(&bits, count), naive_find(&bits, count));
    }
}
END_TEST

/* The mirror image: pages of a full bitmap come free one after the other. */
START_TEST(frees)
{
    static const unsigned counts[] = {1, 2, 5, 64, 65};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct tri__page_bits bits = {{0}};
        tri__page_bits_set_range(&bits, 0, C);
        for (unsigned k = 0; k < 3; k++) {
            tri__page_bits_clear_range(&bits, k * counts[i], counts[i]);
            ck_assert_summary(tri__page_bits_summarize(&bits), (k + 1) * counts[i],
                              (k + 1) * counts[i], 0);
        }
    }
}
END_TEST

START_TEST(free_between_used_runs)
{
    struct tri__page_bits bits = {{0}}, expected;
    set_ranges(&bits, RANGES({0, 32}, {32, 1}, {33, 31}, {64, 10}));
    expected = bits;
    expected.word[0] &= ~(UINT64_C(1) << 32);
    tri__page_bits_clear_range(&bits, 32, 1);
    ck_assert_mem_eq(&bits, &expected, sizeof(bits));
}
END_TEST

/* ---- Summaries ---- */

static void check_summary(const struct range *vacant, unsigned start, unsigned max, unsigned end)
{
    struct tri__page_bits bits = {{0}};
    tri__page_bits_set_range(&bits, 0, C);
    for (; vacant->count != 0; vacant++)
        tri__page_bits_clear_range(&bits, vacant->first, vacant->count);
    ck_assert_summary(tri__page_bits_summarize(&bits), start, max, end);
}

START_TEST(summaries_known_cases)
{
    check_summary(NONE, 0, 0, 0);
    check_summary(RANGES({0, 10}), 10, 10, 0);
    check_summary(RANGES({C - 40, 40}), 0, 40, 40);
    check_summary(RANGES({0, 11}, {C - 23, 23}), 11, 23, 23);
    check_summary(RANGES({0, 4}, {50, 100}, {C - 4, 4}), 4, 100, 4);
    check_summary(RANGES({1, 20}, {35, 241}, {462, 30}), 0, 241, 0);
    check_summary(RANGES({35, 2}, {40, 5}, {100, 5}), 0, 5, 0);
    check_summary(ALL, C, C, C);
}
END_TEST

START_TEST(summaries_random)
{
    uint64_t random = test_seed;
    for (int round = 0; round < 3000; round++) {
        struct tri__page_bits bits;
        random_bits(&random, &bits);
        struct tri__page_summary expected = naive_summary(&bits);
        ck_assert_summary(tri__page_bits_summarize(&bits), expected.start, expected.max,
                          expected.end);
    }
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("page_bits");
    TCase *tcase = tcase_create("page_bits");
    test_seed_init(argc, argv);
    tcase_add_test(tcase, find_in_word_known_cases);
    tcase_add_test(tcase, find_in_word_random);
    tcase_add_test(tcase, ranges_at_the_edges);
    tcase_add_test(tcase, ranges_random);
    tcase_add_test(tcase, first_fit_known_cases);
    tcase_add_test(tcase, first_fit_refuses);
    tcase_add_test(tcase, first_fit_random);
    tcase_add_test(tcase, frees);
    tcase_add_test(tcase, free_between_used_runs);
    tcase_add_test(tcase, summaries_known_cases);
    tcase_add_test(tcase, summaries_random);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
