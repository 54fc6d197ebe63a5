/* SPDX-License-Identifier: MIT */
/* The layout floor: masks of known structs, and random types, sizes, ranges and bitmaps against the
 * oracle, which is held against masks written by hand first.
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
#define RANDOM_CASES 100000 /* in each of three tests */

static uint64_t seed;

/* ------------------------------------------------------------------- masks written by hand */

/* What the iterator visits in [base, base + words), one byte a word. */
static void walk(struct tri__type_pointers it, unsigned char *visited, size_t words)
{
    uintptr_t slot, last = 0;

    memset(visited, 0, words);
    while ((slot = tri__type_pointers_next(&it)) != 0) {
        ck_assert(slot > last && slot >= BASE && slot < BASE + words * TRI_WORD);
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
        ck_assert_msg(visited[w] == want[w], "%s: iterator, word %zu", type->name, w);
        ck_assert_msg(tri__layout_oracle(type, w) == want[w], "%s: oracle, word %zu", type->name,
                      w);
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

/* -------------------------------------------------------------------------- random layouts */

struct layout {
    tri_type type, tail;
    uint64_t mask[2][64]; /* of type, of tail: bits, or bytes */
    void *cache[2];
};

/* Pointers dense or rare; as bits or bytes; beyond ptr_bytes the mask is noise, not zero. */
static void random_mask(struct random *random, struct layout *layout, tri_type *type,
                        unsigned which)
{
    size_t words = type->ptr_bytes / TRI_WORD;
    uint64_t few = random_next(random) & random_next(random);
    uint64_t rare = random_below(random, 2) ? UINT64_MAX : few;
    uint8_t *bytes = (uint8_t *)layout->mask[which];

    type->gc_data = layout->mask[which];
    for (size_t i = 0; i < 64; i++)
        layout->mask[which][i] = random_next(random) & (i % 2 ? rare : UINT64_MAX);
    if (words > sizeof layout->mask[which] || random_below(random, 2) == 0)
        return;
    for (size_t i = 0; i < sizeof layout->mask[which]; i++)
        bytes[i] &= 1;
    type->flags |= TRI_TYPE_BYTE_MASK;
    type->cache = &layout->cache[which];
}

static size_t random_words(struct random *random, size_t most)
{
    static const size_t limits[] = {1, 2, 4, 8, 16, 64, 70, 130, 500};
    size_t limit = limits[random_below(random, sizeof limits / sizeof *limits)];

    return 1 + random_below(random, limit < most ? limit : most);
}

static void random_element(struct random *random, struct layout *layout, tri_type *type,
                           unsigned which)
{
    size_t words = random_words(random, 500);

    *type = (tri_type){.size = words * TRI_WORD, .name = "random"};
    if (random_below(random, 8) != 0)
        type->ptr_bytes = (1 + random_below(random, words)) * TRI_WORD;
    else if (which == 0)
        type->flags = random_below(random, 2) ? TRI_TYPE_LEAF : 0;
    random_mask(random, layout, type, which);
}

static void random_layout(struct random *random, struct layout *layout)
{
    memset(layout, 0, sizeof *layout);
    random_element(random, layout, &layout->type, 0);
    if (random_below(random, 3) == 0) {
        random_element(random, layout, &layout->tail, 1);
        layout->type.flags = (layout->type.flags & TRI_TYPE_BYTE_MASK) | TRI_TYPE_FLEX;
        layout->type.tail = &layout->tail;
        if (random_below(random, 8) == 0) {
            layout->type.size = layout->type.ptr_bytes = 0;
            layout->type.flags = TRI_TYPE_FLEX;
        }
    }
    if (random_below(random, 2) == 0) { /* the other half gathers bytes */
        tri__type_mask(&layout->type);
        tri__type_mask(&layout->tail);
    }
    ck_assert_ptr_eq(tri__type_check(&layout->type), NULL);
}

static void drop_layout(struct layout *layout)
{
    free(layout->cache[0]);
    free(layout->cache[1]);
}

static void describe(const struct layout *layout, size_t words, uint64_t number)
{
    const tri_type *type = &layout->type;

    fprintf(stderr, "case %" PRIu64 " of seed %" PRIu64 ": size %zu, ptr_bytes %zu, flags %x, ",
            number, seed, type->size, type->ptr_bytes, type->flags);
    if (type->tail != NULL)
        fprintf(stderr, "tail size %zu, ptr_bytes %zu, flags %x, ", type->tail->size,
                type->tail->ptr_bytes, type->tail->flags);
    fprintf(stderr, "%zu words\n", words);
}

static void expect_agreement(const struct layout *layout, struct tri__type_pointers it,
                             size_t words, size_t from, size_t to, uint64_t number)
{
    uintptr_t difference = tri__layout_oracle_compare(it, &layout->type, BASE,
                                                      BASE + from * TRI_WORD, BASE + to * TRI_WORD);

    if (difference == 0)
        return;
    describe(layout, words, number);
    ck_abort_msg("words [%zu, %zu): they differ about word %zu", from, to,
                 (difference - BASE) / TRI_WORD);
}

START_TEST(random_ranges)
{
    struct random random = random_of(seed, 1);
    struct layout layout;

    for (uint64_t i = 0; i < RANDOM_CASES; i++) {
        random_layout(&random, &layout);
        size_t words = random_below(&random, 2) ? random_below(&random, 1500)
                                                : random_below(&random, 80);
        size_t from = random_below(&random, words + 2), to = random_below(&random, words + 10);
        struct tri__type_pointers it =
            tri__type_pointers_of_type(&layout.type, BASE, BASE + words * TRI_WORD);

        expect_agreement(&layout, it, words, 0, words, i);
        tri__type_pointers_fast_forward(&it, BASE + from * TRI_WORD, BASE + to * TRI_WORD);
        expect_agreement(&layout, it, words, from, to < words ? to : words, i);
        drop_layout(&layout);
    }
}
END_TEST

/* Clipping an iterator that has walked some way, and twice. */
START_TEST(random_ranges_on_the_way)
{
    struct random random = random_of(seed, 2);
    struct layout layout;

    for (uint64_t i = 0; i < RANDOM_CASES; i++) {
        random_layout(&random, &layout);
        size_t words = 1 + random_below(&random, 1500), at = 0;
        struct tri__type_pointers it =
            tri__type_pointers_of_type(&layout.type, BASE, BASE + words * TRI_WORD);

        for (unsigned turn = 0; turn < 2; turn++) {
            for (uint64_t steps = random_below(&random, 100); steps > 0; steps--) {
                uintptr_t slot = tri__type_pointers_next(&it);
                at = slot != 0 ? (slot - BASE) / TRI_WORD + 1 : words;
            }
            size_t from = random_below(&random, words + 1);
            size_t to = from + random_below(&random, words + 1 - from);
            tri__type_pointers_fast_forward(&it, BASE + from * TRI_WORD, BASE + to * TRI_WORD);
            at = from > at ? from : at;
            words = to < words ? to : words;
            expect_agreement(&layout, it, words, at, words, i);
        }
        drop_layout(&layout);
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
        ck_assert_uint_eq(
            tri__layout_oracle_compare(tri__type_pointers_of_bits(BASE, bad), &type, BASE, BASE, end),
            BASE + wrong * TRI_WORD);
    }
}
END_TEST

/* ------------------------------------------------------------------------------ heap bitmaps */

#define PAGE_WORDS 1024
#define GUARD 2 /* bitmap words on both sides */

struct page {
    uint64_t bits[PAGE_WORDS / 64 + 2 * GUARD];
    uint64_t want[PAGE_WORDS / 64 + 2 * GUARD]; /* written bit by bit */
};

static void random_page(struct random *random, struct page *page)
{
    for (size_t i = 0; i < sizeof page->bits / sizeof *page->bits; i++)
        page->want[i] = page->bits[i] = random_next(random);
}

static void want_bit(struct page *page, size_t word, bool value)
{
    uint64_t *bits = &page->want[GUARD + word / 64];

    *bits = (*bits & ~(UINT64_C(1) << word % 64)) | (uint64_t)value << word % 64;
}

static const unsigned slot_words[] = {1,  2,  3,  4,  6,  8,  10, 12, 14, 16, 18, 20, 22,
                                      24, 26, 28, 30, 32, 36, 40, 44, 48, 52, 56, 60, 64};
#define CLASSES (sizeof slot_words / sizeof *slot_words)

/* Random objects in the slots of random classes: read back, neighbours as they were. */
START_TEST(random_object_bits)
{
    struct random random = random_of(seed, 4);
    struct layout layout;

    for (uint64_t i = 0; i < RANDOM_CASES; i++) {
        unsigned words = slot_words[random_below(&random, CLASSES)];
        size_t first = random_below(&random, PAGE_WORDS / words) * words;
        size_t used = 1 + random_below(&random, words);
        struct page page;

        random_layout(&random, &layout);
        random_page(&random, &page);
        uint64_t mask = tri__type_object_mask(&layout.type, used * TRI_WORD);
        for (size_t w = 0; w < words; w++)
            want_bit(&page, first + w, w < used && tri__layout_oracle(&layout.type, w));
        tri__heap_bits_write(page.bits + GUARD, first, words, mask);
        if (memcmp(page.bits, page.want, sizeof page.bits) != 0) {
            describe(&layout, used, i);
            ck_abort_msg("bitmap of %u words at word %zu", words, first);
        }
        uint64_t read = tri__heap_bits_read(page.bits + GUARD, first, words);
        ck_assert_uint_eq(read, mask);
        expect_agreement(&layout, tri__type_pointers_of_bits(BASE, read), used, 0, used, i);
        drop_layout(&layout);
    }
}
END_TEST

/* Any range of up to 64 bits, aligned to nothing. */
START_TEST(every_bit_range)
{
    for (size_t first = 0; first < 128; first++)
        for (unsigned words = 1; words <= 64; words++) {
            struct page zeros = {0}, ones;

            memset(&ones, 0xff, sizeof ones);
            for (size_t w = first; w < first + words; w++) {
                want_bit(&zeros, w, true);
                want_bit(&ones, w, false);
            }
            tri__heap_bits_write(zeros.bits + GUARD, first, words, UINT64_MAX);
            tri__heap_bits_write(ones.bits + GUARD, first, words, 0);
            ck_assert(memcmp(zeros.bits, zeros.want, sizeof zeros.bits) == 0);
            ck_assert(memcmp(ones.bits, ones.want, sizeof ones.bits) == 0);
            ck_assert(tri__heap_bits_read(zeros.bits + GUARD, first, words) ==
                      tri__low_bits(words));
            ck_assert(tri__heap_bits_read(ones.bits + GUARD, first, words) == 0);
        }
}
END_TEST

/* Runs of slots of every size, not only those of classes, from every place. */
START_TEST(random_fills)
{
    struct random random = random_of(seed, 5);

    for (uint64_t i = 0; i < RANDOM_CASES; i++) {
        unsigned words = random_below(&random, 2) ? slot_words[random_below(&random, CLASSES)]
                                                  : 1 + (unsigned)random_below(&random, 64);
        size_t first = random_below(&random, 2) ? random_below(&random, PAGE_WORDS)
                                                : random_below(&random, PAGE_WORDS / words) * words;
        size_t slots = random_below(&random, (PAGE_WORDS - first) / words + 1);
        uint64_t mask = random_next(&random); /* bits past the slot mean nothing */
        struct page page;

        random_page(&random, &page);
        for (size_t w = 0; w < slots * words; w++)
            want_bit(&page, first + w, mask >> w % words & 1);
        tri__heap_bits_fill(page.bits + GUARD, first, words, slots, mask);
        if (memcmp(page.bits, page.want, sizeof page.bits) != 0)
            ck_abort_msg("case %" PRIu64 ": %zu slots of %u words at word %zu", i, slots, words,
                         first);
    }
}
END_TEST

START_TEST(masks_of_64_words)
{
    ck_assert_uint_eq(tri__low_bits(0), 0);
    ck_assert_uint_eq(tri__low_bits(1), 1);
    ck_assert_uint_eq(tri__low_bits(63), UINT64_MAX >> 1);
    ck_assert_uint_eq(tri__low_bits(64), UINT64_MAX);
    ck_assert_uint_eq(tri__tile_bits(1, 1, 64), UINT64_MAX);
    ck_assert_uint_eq(tri__tile_bits(1, 3, 64), UINT64_C(0x9249249249249249));
    ck_assert_uint_eq(tri__tile_bits(2, 64, 64), 2);
    ck_assert_uint_eq(tri__tile_bits(1, 33, 64), UINT64_C(0x200000001));
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
    tcase_add_test(tcase, random_ranges);
    tcase_add_test(tcase, random_ranges_on_the_way);
    tcase_add_test(tcase, the_oracle_sees_a_wrong_bit);
    tcase_add_test(tcase, random_object_bits);
    tcase_add_test(tcase, every_bit_range);
    tcase_add_test(tcase, random_fills);
    tcase_add_test(tcase, masks_of_64_words);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(int argc, char **argv)
{
    seed = random_start(argc, argv);
    return run_suite(layout_suite());
}
