/* SPDX-License-Identifier: MIT */
/* Layouts at their borders: sizes around the largest bitmap, slots that straddle words of a bitmap,
 * every range of small objects, windows filled with elements, ranges that leave their object. */
#include <check.h>
#include <signal.h>
#include <string.h>

#include "laid_out.h"
#include "suite.h"
#include "type_shapes.h"

#define RESERVE ((size_t)64 << 20)
#define NO_OBJECT ((uintptr_t)0x700000001000)

static struct layout layout_of(const tri_type *type)
{
    struct layout layout = {.type = *type};

    return layout;
}

/* ---- around 512 bytes ---- */

static enum tri__kind kind_of(const void *p)
{
    struct tri__ref ref;

    ck_assert(tri__resolve((uintptr_t)p, &ref));
    return tri__class_info[ref.span_class].kind;
}

/* Words that the iterator finds from p on, if they are the first ones without a gap. */
static size_t leading_pointers(const void *p)
{
    struct tri__type_pointers it = tri__type_pointers_of_unchecked((uintptr_t)p);
    size_t count = 0;
    uintptr_t slot;

    for (; (slot = tri__type_pointers_next(&it)) != 0; count++)
        if (slot != (uintptr_t)p + count * TRI_WORD)
            ck_abort_msg("word %zu is no pointer", count);
    return count;
}

START_TEST(sizes_around_the_largest_bitmap)
{
    laid_out_start(RESERVE);
    for (size_t bytes = 504; bytes <= 513; bytes++) {
        size_t words = (bytes + TRI_WORD - 1) / TRI_WORD;
        void *any = tri_alloc_conservative(bytes), *ptrs = tri_new_ptrs(words);
        void *leaf = tri_alloc_bytes(bytes);

        ck_assert_int_eq(kind_of(any), words <= 64 ? TRI__KIND_BITMAP : TRI__KIND_FOOTER);
        ck_assert_int_eq(kind_of(ptrs), kind_of(any));
        ck_assert_int_eq(kind_of(leaf), TRI__KIND_LEAF);
        ck_assert_uint_eq(leading_pointers(leaf), 0);
        /* A bitmap is exact; with a footer, the slot of 576 bytes is tiled up to it. */
        ck_assert_uint_eq(leading_pointers(any), words <= 64 ? words : 576 / TRI_WORD - 1);
        ck_assert_uint_eq(leading_pointers(ptrs), leading_pointers(any));
    }
}
END_TEST

/* Largest objects with a footer, and the first ones with a span of their own. */
START_TEST(sizes_around_the_largest_class)
{
    size_t most = TRI__SMALL_MAX / TRI_WORD;

    laid_out_start(RESERVE);
    ck_assert_uint_eq(leading_pointers(tri_new_ptrs(most - 2)), most - 1);
    ck_assert_uint_eq(leading_pointers(tri_new_ptrs(most - 1)), most - 1);
    ck_assert_uint_eq(leading_pointers(tri_new_ptrs(most)), most);
    ck_assert_uint_eq(leading_pointers(tri_new_ptrs(most + 1)), most + TRI__PAGE_BYTES / TRI_WORD);
}
END_TEST

/* ---- slots of a page ---- */

/* All slots of a page and more, one after the other, of three layouts by turns. */
static void fill_slots(unsigned words)
{
    uint64_t masks[3] = {tri__low_bits(words), UINT64_C(0x5555555555555555) & tri__low_bits(words),
                         UINT64_C(1) << (words - 1)};
    static struct layout layouts[3];
    static struct laid_out objects[TRI__PAGE_BYTES / TRI_WORD];
    size_t count = TRI__PAGE_BYTES / TRI_WORD / words;

    laid_out_start(RESERVE);
    for (size_t i = 0; i < 3; i++)
        layouts[i].type = (tri_type){
            .size = words * TRI_WORD, .ptr_bytes = words * TRI_WORD, .gc_data = &masks[i]};
    for (size_t i = 0; i < count; i++)
        ck_assert(lay_out_object(&objects[i], &layouts[i % 3], 1));
    for (size_t i = 0; i < count; i++)
        expect_whole(&objects[i]);
}

START_TEST(slots_straddle_words_of_the_bitmap)
{
    for (unsigned words = 1; words <= 64; words++)
        fill_slots(words);
}
END_TEST

/* ---- hot types ---- */

static bool is_typed(const struct laid_out *object, bool with_mask)
{
    struct tri__ref ref;

    ck_assert(tri__resolve(object->base, &ref));
    return tri__class_info[ref.span_class].kind == TRI__KIND_TYPED &&
           (object->limit - object->base <= TRI__BITMAP_BYTES) == with_mask;
}

/* Types by turns, until they are hot and have spans of their own: with a mask in the page, and with
 * the type. */
START_TEST(every_range_of_typed_objects)
{
    static const tri_type *const types[] = {&tri_type_scalar_first, &tri_type_pointer_first,
                                            &tri_type_words_63,     &tri_type_words_64,
                                            &tri_type_words_65,     &tri_type_long_mask};
    enum { TYPES = sizeof types / sizeof *types, COUNT = 12000 };
    size_t masked = 0, unmasked = 0;

    laid_out_start((size_t)256 << 20);
    for (size_t i = 0; i < COUNT; i++) {
        struct layout layout = {.type = *types[i % TYPES]};
        struct laid_out object = {.layout = &layout};
        bool last = i >= COUNT - TYPES;

        ck_assert(note_object(&object, tri_alloc(types[i % TYPES]), layout.type.size));
        expect_whole(&object);
        masked += is_typed(&object, true);
        unmasked += is_typed(&object, false);
        for (size_t from = 0; last && from < laid_out_words(&object); from++)
            for (size_t to = from; to <= laid_out_words(&object); to++)
                expect_range(&object, from, to);
    }
    if (masked == 0 || unmasked == 0)
        ck_abort_msg("%zu and %zu typed objects", masked, unmasked);
}
END_TEST

/* ---- every range ---- */

static void expect_every_range(const tri_type *type, size_t words)
{
    struct layout layout = layout_of(type);
    uintptr_t end = NO_OBJECT + words * TRI_WORD;
    struct laid_out range = {.layout = &layout,
                             .bytes = words * TRI_WORD,
                             .base = NO_OBJECT,
                             .limit = end,
                             .tiled_to = end};

    for (uintptr_t from = NO_OBJECT; from <= end; from += TRI_WORD)
        for (uintptr_t to = from; to <= end; to += TRI_WORD) {
            struct tri__type_pointers it = tri__type_pointers_of_type(type, NO_OBJECT, end);

            tri__type_pointers_fast_forward(&it, from, to);
            expect_pointers(&range, "fast_forward", it, from, to);
        }
}

/* Fixed parts and elements of one window, of one less and one more, of several, with scalar ends.
 */
START_TEST(every_range_of_small_objects)
{
    expect_every_range(&tri_type_ptr, 200);
    expect_every_range(&tri_type_slice, 200);
    expect_every_range(&tri_type_mixed, 150);
    expect_every_range(&tri_type_words_63, 190);
    expect_every_range(&tri_type_words_64, 200);
    expect_every_range(&tri_type_words_65, 200);
    expect_every_range(&tri_type_late_scalar, 164 + 70);
    expect_every_range(&tri_type_long_mask, 200 + 70);
    expect_every_range(&tri_type_vector, 130);
    expect_every_range(&tri_type_closure, 130);
    expect_every_range(&tri_type_table, 130);
    expect_every_range(&tri_type_letter, 70);
    expect_every_range(&tri_type_long_head, 210);
}
END_TEST

/* Ranges that begin and end in objects of the heap, at every word of them. */
START_TEST(every_range_of_heap_objects)
{
    static const tri_type *const types[] = {&tri_type_mixed, &tri_type_words_64, &tri_type_words_65,
                                            &tri_type_ptr};
    static const size_t counts[] = {1, 1, 1, 100};

    laid_out_start(RESERVE);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct layout layout = layout_of(types[i]);
        struct laid_out object;

        ck_assert(lay_out_object(&object, &layout, counts[i]));
        for (size_t from = 0; from < laid_out_words(&object); from++)
            for (size_t to = from; to <= laid_out_words(&object); to++)
                expect_range(&object, from, to);
    }
}
END_TEST

/* The last word of a window of 64 is left out, too, by a range that begins where the window ends.
 */
START_TEST(ranges_behind_a_full_window)
{
    for (uintptr_t from = NO_OBJECT + 504; from < NO_OBJECT + 600; from += TRI_WORD) {
        struct tri__type_pointers it = tri__type_pointers_of_bits(NO_OBJECT, UINT64_MAX);

        tri__type_pointers_fast_forward(&it, from, NO_OBJECT + 1024);
        ck_assert_uint_eq(tri__type_pointers_next(&it), from < NO_OBJECT + 512 ? from : 0);
    }
}
END_TEST

/* ---- windows ---- */

/* An array of small elements is a run of windows that hold as many of them as 64 words can: one
 * step of the slow path in each, and none for each element. */
START_TEST(small_elements_fill_their_windows)
{
    for (size_t size = TRI_WORD; size <= 256; size += TRI_WORD) {
        uint64_t mask = tri__low_bits((unsigned)(size / TRI_WORD));
        tri_type type = {.size = size, .ptr_bytes = size, .gc_data = &mask};
        size_t elements = 512 / size, windows = 100, steps = 0;
        struct tri__type_pointers it =
            tri__type_pointers_of_type(&type, NO_OBJECT, NO_OBJECT + windows * elements * size);

        do {
            ck_assert_uint_eq(it.mask, tri__low_bits((unsigned)(elements * size / TRI_WORD)));
            steps++;
        } while (tri__type_pointers_advance_slow(&it));
        ck_assert_uint_eq(steps, windows);
    }
}
END_TEST

/* A scalar end is left out without a look at its mask, be it as long as it may. */
START_TEST(scalar_ends_are_skipped)
{
    static const uint64_t mask[2] = {UINT64_C(1) << 63, 1};
    tri_type type = {.size = (size_t)1 << 40, .ptr_bytes = 64 * TRI_WORD, .gc_data = mask};
    struct tri__type_pointers it =
        tri__type_pointers_of_type(&type, NO_OBJECT, NO_OBJECT + 3 * type.size);

    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(tri__type_pointers_next(&it), NO_OBJECT + i * type.size + 63 * TRI_WORD);
    ck_assert_uint_eq(tri__type_pointers_next(&it), 0);
    it = tri__type_pointers_of_type(&type, NO_OBJECT, NO_OBJECT + 2 * type.size);
    ck_assert(tri__type_pointers_advance_slow(&it));
    ck_assert_uint_eq(it.address, NO_OBJECT + type.size); /* one step, from the last window on */
    tri__type_pointers_fast_forward(&it, NO_OBJECT + type.size + 64 * TRI_WORD, it.limit);
    ck_assert_uint_eq(tri__type_pointers_next(&it), 0);
}
END_TEST

/* ---- outside ---- */

/* Each of these ends the program: a free slot's address, a range one word too long, the footer. */
START_TEST(ranges_outside_of_objects)
{
    uintptr_t base;

    laid_out_start(RESERVE);
    base = (uintptr_t)tri_new_ptrs(65);
    if (_i == 0)
        tri__type_pointers_of(tri__heap.base + tri__heap.bytes - TRI_WORD, TRI_WORD);
    if (_i == 1)
        tri__type_pointers_of(base + TRI_WORD, 576 - TRI_WORD);
    if (_i == 2)
        tri__type_pointers_of(base + 576 - 1, 0);
}
END_TEST

START_TEST(the_last_range_of_an_object)
{
    uintptr_t base;
    struct tri__type_pointers it;

    laid_out_start(RESERVE);
    base = (uintptr_t)tri_new_ptrs(65);
    it = tri__type_pointers_of(base + TRI_WORD, 576 - 2 * TRI_WORD);
    ck_assert_uint_eq(tri__type_pointers_next(&it), base + TRI_WORD);
    it = tri__type_pointers_of(base + 576 - TRI_WORD, 0);
    ck_assert_uint_eq(tri__type_pointers_next(&it), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layout edges");
    TCase *tcase = tcase_create("layout edges");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, sizes_around_the_largest_bitmap);
    tcase_add_test(tcase, sizes_around_the_largest_class);
    tcase_add_test(tcase, slots_straddle_words_of_the_bitmap);
    tcase_add_test(tcase, every_range_of_typed_objects);
    tcase_add_test(tcase, every_range_of_small_objects);
    tcase_add_test(tcase, every_range_of_heap_objects);
    tcase_add_test(tcase, ranges_behind_a_full_window);
    tcase_add_test(tcase, small_elements_fill_their_windows);
    tcase_add_test(tcase, scalar_ends_are_skipped);
    tcase_add_test(tcase, the_last_range_of_an_object);
    tcase_add_loop_test_raise_signal(tcase, ranges_outside_of_objects, SIGABRT, 0, 3);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
