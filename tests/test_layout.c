/* SPDX-License-Identifier: MIT */
/* The layout floor: the iterator, the oracle and bitmaps against masks written by hand. The oracle
 * is what other tests hold everything against.
 *
 * No object is ever read by this floor, so bases are made-up addresses. */
#include <check.h>
#include <string.h>

#include "layout/heap_bits.h"
#include "layout/oracle.h"
#include "layout/type_pointers.h"
#include "random.h"
#include "suite.h"
#include "type_shapes.h"

#define BASE ((uintptr_t)0x700000001000)
#define MOST_WORDS 40000

static uint64_t seed;

/* ------------------------------------------------------------------- masks written by hand */

/* What the iterator visits in [base, base + words), one byte a word. */
static void walk(struct tri__type_pointers it, unsigned char *visited, size_t words)
{
    uintptr_t slot, last = 0;

    memset(visited, 0, words);
    while ((slot = tri__type_pointers_next(&it)) != 0) {
        if (slot <= last || slot - BASE >= words * TRI_WORD)
            ck_abort_msg("word %zu is out of order, or outside", (slot - BASE) / TRI_WORD);
        visited[(slot - BASE) / TRI_WORD] = 1;
        last = slot;
    }
}

/* The iterator, the oracle and, of small objects, the bitmap agree with `mask` about `words` words
 * tiled with type; what the mask does not say is 0. */
static void expect_mask(const tri_type *type, size_t words, const char *mask)
{
    static unsigned char want[MOST_WORDS], visited[MOST_WORDS];
    uint64_t bits = tri__type_object_mask(type, words * TRI_WORD);

    memset(want, 0, sizeof want);
    shape_words(mask, want, MOST_WORDS);
    walk(tri__type_pointers_of_type(type, BASE, BASE + words * TRI_WORD), visited, words);
    for (size_t w = 0; w < words; w++) {
        if (visited[w] != want[w])
            ck_abort_msg("%s: iterator, word %zu", type->name, w);
        if (tri__layout_oracle(type, w) != want[w])
            ck_abort_msg("%s: oracle, word %zu", type->name, w);
        if (words <= 64)
            ck_assert_msg((bits >> w & 1) == want[w], "%s: bits, word %zu", type->name, w);
    }
    if (words < 64)
        ck_assert_uint_eq(bits >> words, 0);
}

START_TEST(single_objects)
{
    for (size_t i = 0; i < SHAPES; i++)
        expect_mask(shapes[i].type, shapes[i].size / TRI_WORD, shapes[i].mask);
}
END_TEST

START_TEST(arrays)
{
    expect_mask(&tri_type_ptr, 0, "");
    expect_mask(&tri_type_ptr, 1, "1");
    expect_mask(&tri_type_ptr, 2, "11");
    expect_mask(&tri_type_ptr, 10, "10*1");
    expect_mask(&tri_type_ptr, 64, "64*1");
    expect_mask(&tri_type_ptr, 10000, "10000*1");
    expect_mask(&tri_type_conservative, 10000, "10000*1");
    expect_mask(&tri_type_scalar_first, 0, "");
    expect_mask(&tri_type_scalar_first, 4 * 6, "12*01");
    expect_mask(&tri_type_tagged, 2 * 10000, "10000*01");
    expect_mask(&tri_type_text, 2 * 10000, "10000*10");
    expect_mask(&tri_type_text, 2 * 2 * 10000, "20000*10");
    expect_mask(&tri_type_slice, 3 * 4, "4*100");
    expect_mask(&tri_type_slice, 3 * 10000, "10000*100");
    expect_mask(&tri_type_tree, 3 * 1000, "1000*110");
    expect_mask(&tri_type_words_65, 65 * 100, "6500*1");
    expect_mask(&tri_type_late_scalar, 164 * 2, "1,62*0,1,100*0,1,62*0,1,100*0");
    expect_mask(&tri_type_bytes, 10000, "10000*0");
    expect_mask(&tri_type_blob, 10000, "10000*0");
}
END_TEST

START_TEST(flexible_tails)
{
    expect_mask(&tri_type_vector, 1 + 0, "0");
    expect_mask(&tri_type_vector, 1 + 3, "0,3*1");
    expect_mask(&tri_type_vector, 1 + 63, "0,63*1");
    expect_mask(&tri_type_vector, 1 + 10000, "0,10000*1");
    expect_mask(&tri_type_closure, 3 + 5, "010,5*1");
    expect_mask(&tri_type_closure, 3 + 10000, "010,10000*1");
    expect_mask(&tri_type_table, 2 + 3 * 5, "10,5*100");
    expect_mask(&tri_type_table, 2 + 3 * 10000, "10,10000*100");
    expect_mask(&tri_type_record, 1 + 2 * 31, "0,31*01");
    expect_mask(&tri_type_record, 1 + 2 * 3000, "0,3000*01");
    expect_mask(&tri_type_letter, 2 + 10000, "10,10000*0");
    expect_mask(&tri_type_long_head, 71, "70*1,0");
    expect_mask(&tri_type_long_head, 71 + 10000, "70*1,0,10000*1");
    expect_mask(&tri_type_long_head, 64, "64*1"); /* cut before its end */
}
END_TEST

START_TEST(no_type_has_no_pointers)
{
    struct tri__type_pointers it = tri__type_pointers_of_type(NULL, BASE, BASE + 4096);
    struct tri__type_pointers none = tri__type_pointers_none();

    ck_assert_uint_eq(tri__type_pointers_next(&it), 0);
    tri__type_pointers_fast_forward(&it, BASE + 1024, BASE + 2048);
    ck_assert_uint_eq(tri__type_pointers_next(&it), 0);
    tri__type_pointers_fast_forward(&none, BASE, BASE + 4096);
    ck_assert_uint_eq(tri__type_pointers_next(&none), 0);
}
END_TEST

START_TEST(the_end_stays_the_end)
{
    struct tri__type_pointers it = tri__type_pointers_of_type(&tri_type_ptr, BASE, BASE + 8);

    ck_assert_uint_eq(tri__type_pointers_next(&it), BASE);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(tri__type_pointers_next(&it), 0);
}
END_TEST

/* The last word of a slot that wants a footer is never visited. */
START_TEST(footers)
{
    size_t slot = 576;
    struct tri__type_pointers it =
        tri__type_pointers_of_type(&tri_type_ptr, BASE, BASE + slot - TRI_WORD);
    uintptr_t last = 0, word;

    while ((word = tri__type_pointers_next(&it)) != 0)
        last = word;
    ck_assert_uint_eq(last, BASE + slot - 2 * TRI_WORD);
    for (size_t bytes = 504; bytes <= 513; bytes++) {
        ck_assert(tri__type_wants_footer(&tri_type_ptr, bytes) == (bytes > 512));
        ck_assert(!tri__type_wants_footer(&tri_type_bytes, bytes));
        ck_assert_uint_eq(tri__type_object_mask(&tri_type_ptr, bytes),
                          bytes < 512 ? UINT64_MAX >> 1 : UINT64_MAX);
    }
}
END_TEST

/* A difference must be found: the iterator has one bit of the mask changed. */
START_TEST(the_oracle_sees_a_wrong_bit)
{
    struct random random = random_of(seed, 3);

    for (uint64_t i = 0; i < 1000; i++) {
        size_t words = 1 + random_below(&random, 64), wrong = random_below(&random, words);
        uint64_t mask = random_next(&random) & tri__low_bits((unsigned)words);
        uint64_t bad = mask ^ UINT64_C(1) << wrong;
        tri_type type = {.size = words * TRI_WORD, .ptr_bytes = words * TRI_WORD, .gc_data = &mask};
        uintptr_t end = BASE + type.size;

        ck_assert_uint_eq(tri__layout_oracle_compare(tri__type_pointers_of_bits(BASE, mask), &type,
                                                     BASE, BASE, end),
                          0);
        ck_assert_uint_eq(tri__layout_oracle_compare(tri__type_pointers_of_bits(BASE, bad), &type,
                                                     BASE, BASE, end),
                          BASE + wrong * TRI_WORD);
    }
}
END_TEST

static Suite *layout_suite(void)
{
    Suite *suite = suite_create("layout");
    TCase *tcase = tcase_create("layout");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, single_objects);
    tcase_add_test(tcase, arrays);
    tcase_add_test(tcase, flexible_tails);
    tcase_add_test(tcase, no_type_has_no_pointers);
    tcase_add_test(tcase, the_end_stays_the_end);
    tcase_add_test(tcase, footers);
    tcase_add_test(tcase, the_oracle_sees_a_wrong_bit);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(int argc, char **argv)
{
    seed = random_start(argc, argv);
    return run_suite(layout_suite());
}
