/* SPDX-License-Identifier: MIT */
/* The bit-run cursor: every short range, and random runs, against a writer of single bits. What is
 * beside the range keeps its value, and words beside it are not even read. */
#include <check.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "layout/bit_cursor.h"
#include "random.h"
#include "suite.h"

#define WORDS 40
#define RANDOM_CASES 20000

static uint64_t seed;

static void set_bit(uint64_t *bits, size_t bit, bool value)
{
    bits[bit / 64] &= ~(UINT64_C(1) << bit % 64);
    bits[bit / 64] |= (uint64_t)value << bit % 64;
}

static bool get_bit(const uint64_t *bits, size_t bit)
{
    return (bits[bit / 64] >> bit % 64 & 1) != 0;
}

/* ------------------------------------------------------------------------------ short ranges */

/* Writes [start, end) in one piece and bit by bit, as `ones` or as zeros, into the opposite. */
static void write_range(size_t start, size_t end, bool ones, bool pad, size_t piece)
{
    uint64_t bits[2], want[2], fill = ones ? 0 : ~UINT64_C(0);
    struct tri__bit_cursor cursor = tri__bit_cursor_at(bits, start);

    bits[0] = bits[1] = want[0] = want[1] = fill;
    for (size_t bit = start; bit < end; bit += piece) {
        size_t n = piece < end - bit ? piece : end - bit;

        for (size_t k = 0; k < n; k++)
            set_bit(want, bit + k, ones);
        if (pad)
            tri__bit_cursor_pad(&cursor, n);
        else
            tri__bit_cursor_write(&cursor, ~fill, (unsigned)n);
    }
    tri__bit_cursor_flush(&cursor);
    ck_assert_msg(memcmp(bits, want, sizeof bits) == 0, "[%zu, %zu) in pieces of %zu", start, end,
                  piece);
}

START_TEST(every_short_range)
{
    for (size_t first = 0; first <= 64; first += 16) /* the second one straddles two words */
        for (size_t start = first; start < first + 16; start++)
            for (size_t end = start + 1; end < first + 32; end++)
                for (size_t piece = 1; piece <= end - start; piece++) {
                    write_range(start, end, true, false, piece);
                    write_range(start, end, false, false, piece);
                    write_range(start, end, false, true, piece);
                }
}
END_TEST

START_TEST(whole_words)
{
    for (size_t start = 0; start < 64; start++)
        for (size_t end = start; end <= 128; end++) {
            if (end - start <= 64) {
                write_range(start, end, true, false, 64);
                write_range(start, end, false, false, 64);
            }
            write_range(start, end, false, true, 128);
        }
}
END_TEST

START_TEST(bits_of_the_mask_past_n_are_ignored)
{
    uint64_t bits = 0;
    struct tri__bit_cursor cursor = tri__bit_cursor_at(&bits, 3);

    tri__bit_cursor_write(&cursor, ~UINT64_C(0), 0);
    tri__bit_cursor_write(&cursor, ~UINT64_C(0), 2);
    tri__bit_cursor_flush(&cursor);
    ck_assert_uint_eq(bits, 3 << 3);
}
END_TEST

/* ------------------------------------------------------------------------------- random runs */

struct run {
    struct tri__bit_cursor cursor;
    uint64_t bits[WORDS], want[WORDS];
    size_t end;
};

static void write_some(struct run *run, struct random *random)
{
    uint64_t mask = random_next(random);
    unsigned n = (unsigned)random_below(random, 65);

    for (unsigned k = 0; k < n; k++)
        set_bit(run->want, run->end + k, mask >> k & 1);
    tri__bit_cursor_write(&run->cursor, mask, n);
    run->end += n;
}

static void pad_some(struct run *run, struct random *random)
{
    size_t n = random_below(random, random_below(random, 2) ? 300 : 20);

    for (size_t k = 0; k < n; k++)
        set_bit(run->want, run->end + k, false);
    tri__bit_cursor_pad(&run->cursor, n);
    run->end += n;
}

static void copy_some(struct run *run, struct random *random)
{
    uint64_t mask[4];
    size_t n = random_below(random, 257);

    for (size_t i = 0; i < 4; i++)
        mask[i] = random_next(random);
    for (size_t k = 0; k < n; k++)
        set_bit(run->want, run->end + k, get_bit(mask, k));
    tri__bit_cursor_copy(&run->cursor, mask, n);
    run->end += n;
}

static void (*const steps[])(struct run *, struct random *) = {write_some, pad_some, copy_some};

static void run_randomly(struct random *random)
{
    struct run run;
    size_t start = random_below(random, 200);

    for (size_t i = 0; i < WORDS; i++)
        run.bits[i] = run.want[i] = random_next(random);
    run.cursor = tri__bit_cursor_at(run.bits, start);
    run.end = start;
    while (run.end < (WORDS - 6) * 64 && random_below(random, 12) != 0) {
        steps[random_below(random, 3)](&run, random);
        if (random_below(random, 4) != 0)
            continue;
        tri__bit_cursor_flush(&run.cursor);
        ck_assert(memcmp(run.bits, run.want, sizeof run.bits) == 0);
    }
    tri__bit_cursor_flush(&run.cursor);
    ck_assert(memcmp(run.bits, run.want, sizeof run.bits) == 0);
}

START_TEST(random_runs)
{
    struct random random = random_of(seed, 1);

    for (int i = 0; i < RANDOM_CASES; i++)
        run_randomly(&random);
}
END_TEST

/* A bitmap that ends where mapped memory ends, and begins where it begins. */
START_TEST(no_word_beside_the_range_is_touched)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *map = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t *bits = (uint64_t *)(void *)(map + page);
    static const uint64_t ones[] = {~UINT64_C(0), ~UINT64_C(0)};
    struct tri__bit_cursor cursor = tri__bit_cursor_at(bits, 0);

    ck_assert_ptr_ne(map, MAP_FAILED);
    ck_assert_int_eq(mprotect(bits, page, PROT_READ | PROT_WRITE), 0);
    tri__bit_cursor_pad(&cursor, page * 8 - 7);
    tri__bit_cursor_write(&cursor, 0x7f, 7);
    tri__bit_cursor_flush(&cursor);
    tri__bit_cursor_pad(&cursor, 0);
    tri__bit_cursor_write(&cursor, 0, 0);
    tri__bit_cursor_copy(&cursor, ones, 0);
    tri__bit_cursor_flush(&cursor);
    cursor = tri__bit_cursor_at(bits, page * 8 - 128);
    tri__bit_cursor_copy(&cursor, ones, 128);
    ck_assert_uint_eq(bits[page / 8 - 1], ~UINT64_C(0));
    ck_assert_uint_eq(bits[page / 8 - 3], 0);
    ck_assert_int_eq(munmap(map, 3 * page), 0);
}
END_TEST

int main(int argc, char **argv)
{
    seed = random_start(argc, argv);
    Suite *suite = suite_create("bit_cursor");
    TCase *tcase = tcase_create("bit_cursor");
    tcase_add_test(tcase, every_short_range);
    tcase_add_test(tcase, whole_words);
    tcase_add_test(tcase, bits_of_the_mask_past_n_are_ignored);
    tcase_add_test(tcase, random_runs);
    tcase_add_test(tcase, no_word_beside_the_range_is_touched);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
