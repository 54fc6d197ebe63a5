/* SPDX-License-Identifier: MIT */
/* Heap bitmaps: every range, every slot of every class, with the bits beside it held to be as they
 * were; fills and object masks against writing bit by bit.
 *
 * Collectors that scan whole pages have kernels that expand a mask of objects to a mask of
 * words, and that drop what is nil from a buffer; their reference cases belong here. There is no
 * filter to try: the marker keeps or drops each word as it reads it. The expansion is what a fill
 * does, and slots written one by one must add up to. */
#include <check.h>
#include <string.h>

#include "heap/size_class.h"
#include "layout/heap_bits.h"
#include "layout/oracle.h"
#include "layouts.h"
#include "random.h"
#include "sanitized.h"
#include "suite.h"

enum { RANDOM_CASES = IS_SANITIZED ? 30000 : 100000 };

#define BASE ((uintptr_t)0x700000001000)
#define PAGE_WORDS 1024
#define GUARD 2 /* bitmap words on both sides */

static uint64_t seed;

struct page {
    uint64_t bits[PAGE_WORDS / 64 + 2 * GUARD];
    uint64_t want[PAGE_WORDS / 64 + 2 * GUARD]; /* written bit by bit */
};

static void random_page(struct random *random, struct page *page)
{
    for (size_t i = 0; i < sizeof page->bits / sizeof *page->bits; i++)
        page->want[i] = page->bits[i] = random_next(random);
}

static void uniform_page(struct page *page, bool ones)
{
    memset(page, ones ? 0xff : 0, sizeof *page);
}

static void want_bit(struct page *page, size_t word, bool value)
{
    uint64_t *bits = &page->want[GUARD + word / 64];

    *bits = (*bits & ~(UINT64_C(1) << word % 64)) | (uint64_t)value << word % 64;
}

static bool wanted_bit(const struct page *page, size_t word)
{
    return (page->want[GUARD + word / 64] >> word % 64 & 1) != 0;
}

static void want_slot(struct page *page, size_t first, unsigned words, uint64_t mask)
{
    for (unsigned w = 0; w < words; w++)
        want_bit(page, first + w, mask >> w & 1);
}

static bool as_wanted(const struct page *page)
{
    return memcmp(page->bits, page->want, sizeof page->bits) == 0;
}

/* What the collector would read, bit by bit. */
static void expect_read(const struct page *page, size_t first, unsigned words)
{
    uint64_t read = tri__heap_bits_read(page->bits + GUARD, first, words);

    for (unsigned w = 0; w < words; w++)
        if ((read >> w & 1) != wanted_bit(page, first + w))
            ck_abort_msg("%u words at word %zu: wrong bit %u read", words, first, w);
    ck_assert_uint_eq(read & ~tri__low_bits(words), 0);
}

/* Words of the slots of each bitmap class. */
static unsigned slot_words[TRI__SPAN_CLASSES];
static size_t slot_counts[TRI__SPAN_CLASSES], classes;

static void find_classes(void)
{
    for (unsigned c = 0; c < TRI__SPAN_CLASSES; c++)
        if (tri__class_info[c].kind == TRI__KIND_BITMAP) {
            slot_words[classes] = tri__class_info[c].size / TRI_WORD;
            slot_counts[classes++] = tri__class_info[c].slots;
        }
}

/* ---- each slot ---- */

START_TEST(all_bitmap_classes_are_tried)
{
    bool straddles[65] = {false};

    ck_assert_uint_eq(slot_words[0], 1);
    ck_assert_uint_eq(slot_words[classes - 1], TRI__BITMAP_BYTES / TRI_WORD);
    for (size_t c = 0; c < classes; c++)
        for (size_t s = 0; s < slot_counts[c]; s++)
            straddles[slot_words[c]] |= s * slot_words[c] % 64 + slot_words[c] > 64;
    for (size_t c = 0; c < classes; c++)
        ck_assert(straddles[slot_words[c]] == (64 % slot_words[c] != 0));
}
END_TEST

static void write_slot(struct page *page, size_t first, unsigned words, uint64_t mask)
{
    want_slot(page, first, words, mask);
    tri__heap_bits_write(page->bits + GUARD, first, words, mask);
    if (!as_wanted(page))
        ck_abort_msg("%u words at word %zu, mask %" PRIx64, words, first, mask);
    expect_read(page, first, words);
}

/* Between slots that are all pointers, or all scalars. */
START_TEST(every_slot_of_every_class)
{
    static const uint64_t masks[] = {0,
                                     UINT64_MAX,
                                     1,
                                     UINT64_C(1) << 63,
                                     UINT64_C(0x5555555555555555),
                                     UINT64_C(0x8000000000000001)};

    for (size_t c = 0; c < classes; c++)
        for (size_t s = 0; s < slot_counts[c]; s++)
            for (size_t m = 0; m < 2 * sizeof masks / sizeof *masks; m++) {
                struct page page;

                uniform_page(&page, m % 2);
                write_slot(&page, s * slot_words[c], slot_words[c], masks[m / 2]);
            }
}
END_TEST

/* Any range of up to 64 bits, aligned to nothing. */
START_TEST(every_bit_range)
{
    for (size_t first = 0; first < 128; first++)
        for (unsigned words = 1; words <= 64; words++) {
            struct page zeros, ones;

            uniform_page(&zeros, false);
            uniform_page(&ones, true);
            write_slot(&zeros, first, words, UINT64_MAX);
            write_slot(&ones, first, words, 0);
        }
}
END_TEST

/* ---- object masks ---- */

static void expect_all_or_nothing(const struct page *page, size_t first, unsigned words, bool all)
{
    uint64_t read = tri__heap_bits_read(page->bits + GUARD, first, words);

    if (read != (all ? tri__low_bits(words) : 0))
        ck_abort_msg("%u words at word %zu: read %" PRIx64, words, first, read);
}

/* Object masks of two objects, eight slots apart, wherever they fit; each object is all pointers.
 */
START_TEST(object_masks_expand_to_words)
{
    for (size_t c = 0; c < classes; c++)
        for (size_t i = 0; i + 8 < slot_counts[c]; i++) {
            struct page page;

            uniform_page(&page, false);
            write_slot(&page, i * slot_words[c], slot_words[c], UINT64_MAX);
            write_slot(&page, (i + 8) * slot_words[c], slot_words[c], UINT64_MAX);
            for (size_t s = 0; s < slot_counts[c]; s++)
                expect_all_or_nothing(&page, s * slot_words[c], slot_words[c],
                                      s == i || s == i + 8);
        }
}
END_TEST

/* The words that are to be scanned of such objects on a page of random pointer bits: counted and
 * listed. */
START_TEST(object_masks_select_pointers)
{
    struct random random = random_of(seed, 1);

    for (size_t c = 0; c < classes; c++)
        for (size_t i = 0; i + 8 < slot_counts[c]; i++) {
            unsigned words = slot_words[c];
            size_t slots[] = {i, i + 8}, next = 0, want[2 * 64], wanted = 0;
            struct page page;

            random_page(&random, &page);
            for (size_t k = 0; k < 2 * words; k++)
                if (wanted_bit(&page, slots[k / words] * words + k % words))
                    want[wanted++] = slots[k / words] * words + k % words;
            for (size_t k = 0; k < 2; k++) {
                uintptr_t slot, base = BASE + slots[k] * words * TRI_WORD;
                struct tri__type_pointers it = tri__type_pointers_of_bits(
                    base, tri__heap_bits_read(page.bits + GUARD, slots[k] * words, words));

                while ((slot = tri__type_pointers_next(&it)) != 0) {
                    ck_assert_uint_lt(next, wanted);
                    ck_assert_uint_eq((slot - BASE) / TRI_WORD, want[next++]);
                }
            }
            ck_assert_uint_eq(next, wanted);
        }
}
END_TEST

/* Every run that a cache could cut, of objects that begin and end with a pointer. */
START_TEST(runs_of_every_class)
{
    for (size_t c = 0; c < classes; c++)
        for (size_t first = 0; first <= slot_counts[c]; first++)
            for (size_t end = first; end <= slot_counts[c]; end += 1 + end / 8) {
                unsigned words = slot_words[c];
                uint64_t mask = UINT64_C(1) | UINT64_C(1) << (words - 1);
                struct page page;

                uniform_page(&page, (first + end) % 2);
                for (size_t s = first; s < end; s++)
                    want_slot(&page, s * words, words, mask);
                tri__heap_bits_fill(page.bits + GUARD, first * words, words, end - first, mask);
                if (!as_wanted(&page))
                    ck_abort_msg("slots [%zu, %zu) of %u words", first, end, words);
            }
}
END_TEST

/* ---- random ---- */

static void one_random_object(struct random_choices *choices, uint64_t number)
{
    unsigned words = slot_words[choose(&choices->choices, classes)];
    size_t first = choose(&choices->choices, PAGE_WORDS / words) * words;
    size_t used = 1 + choose(&choices->choices, words);
    struct layout layout;
    struct page page;
    uint64_t mask;

    choose_layout(&choices->choices, &layout, 500);
    random_page(&choices->random, &page);
    mask = tri__type_object_mask(&layout.type, used * TRI_WORD);
    for (size_t w = 0; w < words; w++)
        want_bit(&page, first + w, w < used && tri__layout_oracle(&layout.type, w));
    tri__heap_bits_write(page.bits + GUARD, first, words, mask);
    if (!as_wanted(&page)) {
        describe_layout(&layout);
        ck_abort_msg("case %" PRIu64 ": bitmap of %u words at word %zu", number, words, first);
    }
    ck_assert_uint_eq(tri__heap_bits_read(page.bits + GUARD, first, words), mask);
    drop_layout(&layout);
}

/* Random objects in the slots of random classes: read back, neighbours as they were. */
START_TEST(random_object_bits)
{
    struct random_choices choices = random_choices_of(seed, 2);

    for (uint64_t i = 0; i < RANDOM_CASES; i++)
        one_random_object(&choices, i);
}
END_TEST

/* Runs of slots of every size, not only those of classes, from every place. */
START_TEST(random_fills)
{
    struct random random = random_of(seed, 3);

    for (uint64_t i = 0; i < RANDOM_CASES; i++) {
        unsigned words = random_below(&random, 2) ? slot_words[random_below(&random, classes)]
                                                  : 1 + (unsigned)random_below(&random, 64);
        size_t first = random_below(&random, 2) ? random_below(&random, PAGE_WORDS)
                                                : random_below(&random, PAGE_WORDS / words) * words;
        size_t slots = random_below(&random, (PAGE_WORDS - first) / words + 1);
        uint64_t mask = random_next(&random); /* bits past the slot mean nothing */
        struct page page;

        random_page(&random, &page);
        for (size_t s = 0; s < slots; s++)
            want_slot(&page, first + s * words, words, mask);
        tri__heap_bits_fill(page.bits + GUARD, first, words, slots, mask);
        if (!as_wanted(&page))
            ck_abort_msg("case %" PRIu64 ": %zu slots of %u words at word %zu", i, slots, words,
                         first);
    }
}
END_TEST

/* ---- masks of 64 words ---- */

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

/* Every unit in every width, element masks with their ends set. */
START_TEST(every_tiling)
{
    for (unsigned unit = 1; unit <= 64; unit++)
        for (unsigned bits = 1; bits <= 64; bits++)
            for (unsigned ends = 1; ends <= 3; ends++) {
                uint64_t mask = (ends & 1) | (uint64_t)(ends >> 1) << (unit - 1), want = 0;

                mask &= tri__low_bits(unit);
                for (unsigned k = 0; k < bits; k++)
                    want |= (mask >> k % unit & 1) << k;
                ck_assert_uint_eq(tri__tile_bits(mask, unit, bits), want);
            }
}
END_TEST

/* The same for objects: elements of every size in slots of every size, with room for a part of one.
 */
START_TEST(every_object_mask)
{
    for (unsigned unit = 1; unit <= 65; unit++)
        for (unsigned words = 1; words <= 64; words++) {
            uint64_t ends[2] = {1, unit == 65}, want = 0;
            tri_type type = {
                .size = unit * TRI_WORD, .ptr_bytes = unit * TRI_WORD, .gc_data = ends};

            ends[0] |= (uint64_t)(unit < 65) << (unit - 1) % 64;
            for (unsigned k = 0; k < words; k++)
                want |= (uint64_t)tri__layout_oracle(&type, k) << k;
            ck_assert_uint_eq(tri__type_object_mask(&type, words * TRI_WORD), want);
        }
}
END_TEST

static Suite *heap_bits_suite(void)
{
    Suite *suite = suite_create("heap bits");
    TCase *tcase = tcase_create("heap bits");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, all_bitmap_classes_are_tried);
    tcase_add_test(tcase, every_slot_of_every_class);
    tcase_add_test(tcase, every_bit_range);
    tcase_add_test(tcase, object_masks_expand_to_words);
    tcase_add_test(tcase, object_masks_select_pointers);
    tcase_add_test(tcase, runs_of_every_class);
    tcase_add_test(tcase, random_object_bits);
    tcase_add_test(tcase, random_fills);
    tcase_add_test(tcase, masks_of_64_words);
    tcase_add_test(tcase, every_tiling);
    tcase_add_test(tcase, every_object_mask);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(int argc, char **argv)
{
    seed = random_start(argc, argv);
    find_classes();
    return run_suite(heap_bits_suite());
}
