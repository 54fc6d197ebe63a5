/* SPDX-License-Identifier: MIT */
/* Size classes: the figures, the lookups, the place of the metadata in a page, the index by
 * multiplication. Everything is small enough to be tried for every size and every offset. */
#include <check.h>
#include <stdlib.h>

#include "heap/size_class.h"

#define SMALL_CLASSES (TRI__SIZE_CLASSES - 1)

static const struct {
    unsigned size;
    unsigned pages;
} figures[SMALL_CLASSES] = {
    {8, 1},      {16, 1},     {32, 1},     {48, 1},     {64, 1},     {80, 1},
    {96, 1},     {112, 1},    {128, 1},    {144, 1},    {160, 1},    {176, 1},    {192, 1},
    {208, 1},    {224, 1},    {240, 1},    {256, 1},    {288, 1},    {320, 1},    {352, 1},
    {384, 1},    {416, 1},    {448, 1},    {480, 1},    {512, 1},    {576, 1},    {640, 1},
    {704, 1},    {768, 1},    {896, 1},    {1024, 1},   {1152, 1},   {1280, 1},   {1408, 2},
    {1536, 1},   {1792, 2},   {2048, 1},   {2304, 2},   {2688, 1},   {3072, 3},   {3200, 2},
    {3456, 3},   {4096, 1},   {4864, 3},   {5376, 2},   {6144, 3},   {6528, 4},   {6784, 5},
    {6912, 6},   {8192, 1},   {9472, 7},   {9728, 6},   {10240, 5},  {10880, 4},  {12288, 3},
    {13568, 5},  {14336, 7},  {16384, 2},  {18432, 9},  {19072, 7},  {20480, 5},  {21760, 8},
    {24576, 3},  {27264, 10}, {28672, 7},  {32768, 4},
};

static const struct tri__class_info *small(unsigned size_class, unsigned leaf)
{
    return &tri__class_info[TRI__SPAN_CLASS(size_class, leaf)];
}

static unsigned naive_class(size_t bytes)
{
    for (unsigned i = 0; i < SMALL_CLASSES; i++)
        if (bytes <= figures[i].size)
            return i + 1;
    return 0;
}

START_TEST(classes_are_the_known_ones)
{
    for (unsigned c = 1; c <= SMALL_CLASSES; c++)
        for (unsigned leaf = 0; leaf <= 1; leaf++) {
            ck_assert_uint_eq(small(c, leaf)->size, figures[c - 1].size);
            ck_assert_uint_eq(small(c, leaf)->pages, figures[c - 1].pages);
        }
}
END_TEST

START_TEST(rounding_up_wastes_little)
{
    for (unsigned c = 2; c <= SMALL_CLASSES; c++) {
        unsigned size = small(c, 0)->size, waste = size - small(c - 1, 0)->size - 1;
        if (size > 128) /* the widest step is to 4096 */
            ck_assert_msg(6 * waste <= size, "%u of %u bytes", waste, size);
    }
}
END_TEST

START_TEST(every_size_finds_its_class)
{
    for (size_t bytes = 0; bytes <= TRI__SMALL_MAX + 2; bytes++) {
        unsigned expected = naive_class(bytes);
        if (tri__size_to_class(bytes) != expected || TRI__SIZE_CLASS(bytes) != expected)
            ck_abort_msg("%zu bytes", bytes);
    }
    ck_assert_uint_eq(tri__size_to_class(SIZE_MAX), 0);
    ck_assert_uint_eq(TRI__SIZE_CLASS(SIZE_MAX), 0);
}
END_TEST

START_TEST(every_class_knows_its_size)
{
    for (unsigned c = 1; c <= SMALL_CLASSES; c++)
        ck_assert_uint_eq(TRI__SIZE_CLASS_BYTES(c), figures[c - 1].size);
    ck_assert_uint_eq(TRI__SIZE_CLASS_BYTES(0u), 0);
    ck_assert_uint_eq(TRI__SIZE_CLASS_BYTES(TRI__SIZE_CLASSES + 0u), 0);
}
END_TEST

/* That this compiles is the test: a static initialiser takes only constant expressions. */
static const unsigned short folded[] = {
    TRI__SIZE_CLASS(0),
    TRI__SIZE_CLASS(sizeof(char[100])),
    TRI__SIZE_CLASS(32769),
    TRI__SPAN_CLASS(TRI__SIZE_CLASS(8u), 1),
    TRI__SIZE_CLASS_BYTES(TRI__SIZE_CLASS(33)),
};

START_TEST(macros_fold)
{
    const unsigned short expected[] = {1, 8, 0, 3, 48};
    ck_assert_mem_eq(folded, expected, sizeof(expected));
}
END_TEST

START_TEST(classes_that_are_no_size)
{
    const struct tri__class_info *none = &tri__class_info[0], *large = &tri__class_info[1];
    ck_assert_uint_eq(none->kind, TRI__KIND_NONE);
    ck_assert_uint_eq(none->slots, 0);
    ck_assert_uint_eq(large->kind, TRI__KIND_LARGE);
    ck_assert_uint_eq(large->slots, 1);
    ck_assert_uint_eq(tri__slot_index(large, (size_t)1 << 37), 0);
}
END_TEST

START_TEST(kinds)
{
    for (unsigned c = 1; c <= SMALL_CLASSES; c++) {
        unsigned scan = figures[c - 1].size <= 512 ? TRI__KIND_BITMAP : TRI__KIND_FOOTER;
        ck_assert_uint_eq(small(c, 1)->kind, TRI__KIND_LEAF);
        ck_assert_uint_eq(small(c, 0)->kind, scan);
        ck_assert_int_eq(small(c, 0)->bits_offset != 0, scan == TRI__KIND_BITMAP);
        ck_assert_uint_eq(small(c, 1)->bits_offset, 0);
        ck_assert_uint_eq(tri__class_info[TRI__TYPED_CLASS(c)].kind, TRI__KIND_TYPED);
        ck_assert_uint_eq(tri__class_info[TRI__TYPED_CLASS(c)].size, small(c, 0)->size);
        ck_assert_uint_eq(tri__class_info[TRI__TYPED_CLASS(c)].magic, small(c, 0)->magic);
        ck_assert_uint_ge(tri__class_info[TRI__TYPED_CLASS(c)].slots, small(c, 0)->slots);
    }
}
END_TEST

/* Bytes of the metadata behind `slots` slots. */
static size_t metadata_bytes(const struct tri__class_info *info, unsigned slots)
{
    size_t colours = (slots + 7) / 8 * 8;
    return colours + (info->kind == TRI__KIND_BITMAP  ? TRI__PAGE_BITS_BYTES
                      : info->kind == TRI__KIND_TYPED ? sizeof(struct tri__page_type)
                                                      : 0);
}

static void check_metadata_in_page(const struct tri__class_info *info)
{
    size_t slots_end = (size_t)info->slots * info->size, more = slots_end + info->size;
    size_t metadata = TRI__PAGE_BYTES - metadata_bytes(info, info->slots);
    ck_assert_uint_eq(info->pages, 1);
    ck_assert_uint_eq(info->colours_offset % 8, 0);
    ck_assert_uint_le(slots_end, metadata);
    ck_assert_uint_gt(more + metadata_bytes(info, info->slots + 1u), TRI__PAGE_BYTES);
    if (info->kind == TRI__KIND_BITMAP || info->kind == TRI__KIND_TYPED) {
        ck_assert_uint_eq(info->bits_offset, metadata);
        ck_assert_uint_eq(info->bits_offset % 8, 0);
        ck_assert_uint_eq(TRI__PAGE_BYTES - info->colours_offset, (info->slots + 7u) / 8 * 8);
    } else {
        ck_assert_uint_eq(info->colours_offset, metadata);
    }
}

START_TEST(metadata_lies_behind_the_slots)
{
    for (unsigned span_class = 2; span_class < TRI__ARENA_SPAN; span_class++) {
        const struct tri__class_info *info = &tri__class_info[span_class];
        size_t bytes = info->pages * TRI__PAGE_BYTES;
        if (info->colours_offset != 0) {
            check_metadata_in_page(info);
        } else {
            ck_assert_uint_ne(info->kind, TRI__KIND_BITMAP);
            ck_assert_uint_le(info->slots, TRI__DESCRIPTOR_COLOURS);
            ck_assert_uint_eq(info->slots, bytes / info->size);
        }
        ck_assert_uint_ge(info->slots, 1);
        ck_assert_uint_le(8 * (bytes - (size_t)info->slots * info->size), bytes);
    }
}
END_TEST

/* Only classes that would lose more than an eighth of the page keep their colours elsewhere. */
START_TEST(one_page_classes_with_their_colours_in_the_descriptor)
{
    for (unsigned c = 1; c <= SMALL_CLASSES; c++) {
        unsigned size = small(c, 0)->size;
        bool outside = size == 2048 || size == 4096 || size == 8192;
        for (unsigned leaf = 0; leaf <= 1; leaf++)
            if (small(c, leaf)->pages == 1)
                ck_assert_int_eq(small(c, leaf)->colours_offset == 0, outside);
    }
}
END_TEST

START_TEST(index_of_every_offset)
{
    for (unsigned c = 1; c <= SMALL_CLASSES; c++) {
        const struct tri__class_info *info = small(c, 0);
        ck_assert_uint_eq(info->magic, ((UINT64_C(1) << 32) + info->size - 1) / info->size);
        ck_assert_uint_eq(info->magic, small(c, 1)->magic);
        for (size_t offset = 0; offset < info->pages * TRI__PAGE_BYTES; offset++)
            if (tri__slot_index(info, offset) != offset / info->size)
                ck_abort_msg("offset %zu of size %u", offset, info->size);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("size_class");
    TCase *tcase = tcase_create("size_class");
    tcase_add_test(tcase, classes_are_the_known_ones);
    tcase_add_test(tcase, rounding_up_wastes_little);
    tcase_add_test(tcase, every_size_finds_its_class);
    tcase_add_test(tcase, every_class_knows_its_size);
    tcase_add_test(tcase, macros_fold);
    tcase_add_test(tcase, classes_that_are_no_size);
    tcase_add_test(tcase, kinds);
    tcase_add_test(tcase, metadata_lies_behind_the_slots);
    tcase_add_test(tcase, one_page_classes_with_their_colours_in_the_descriptor);
    tcase_add_test(tcase, index_of_every_offset);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
