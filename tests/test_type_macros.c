/* SPDX-License-Identifier: MIT */
/* The type macros: what they write into a descriptor. Only public headers, so that the same file is
 * tried as C++17 (tests/test_type_compile.sh), where the macros are made in another way. */
#include <check.h>

#include "run_suite.h"
#include "type_shapes.h"

#ifdef __cplusplus /* then it is linked without the library */
const tri_type tri_type_ptr = {};
const tri_type tri_type_bytes = {};
#endif

#define MOST_WORDS 20000

static unsigned char mask_bit(const tri_type *type, size_t word)
{
    if (word >= type->ptr_bytes / TRI_WORD)
        return 0;
    if ((type->flags & TRI_TYPE_BYTE_MASK) != 0)
        return ((const unsigned char *)type->gc_data)[word];
    return ((const uint64_t *)type->gc_data)[word / 64] >> word % 64 & 1;
}

START_TEST(masks)
{
    static unsigned char want[MOST_WORDS];

    for (size_t i = 0; i < SHAPES; i++) {
        const tri_type *type = shapes[i].type;
        size_t words = shape_words(shapes[i].mask, want, MOST_WORDS), last = 0;

        ck_assert_uint_eq(words, shapes[i].size / TRI_WORD);
        for (size_t w = 0; w < words; w++) {
            ck_assert_msg(mask_bit(type, w) == want[w], "%s, word %zu", shapes[i].name, w);
            last = want[w] ? w + 1 : last;
        }
        ck_assert_msg(type->ptr_bytes == last * TRI_WORD, "%s: ptr_bytes", shapes[i].name);
    }
}
END_TEST

static bool has_state(const tri_type *type)
{
    return (type->extras & TRI__HAS_STATE) != 0;
}

START_TEST(names_and_sizes)
{
    for (size_t i = 0; i < SHAPES; i++) {
        const tri_type *type = shapes[i].type;

        ck_assert_str_eq(type->name, shapes[i].name);
        ck_assert_uint_eq(type->size, shapes[i].size);
        ck_assert_int_eq(has_state(type), type->slot_size != 0);
        ck_assert_uint_eq((uintptr_t)type % 64, 0);
        ck_assert_uint_eq((uintptr_t)type->gc_data % ((type->flags & TRI_TYPE_BYTE_MASK) ? 1 : 8),
                          0);
        if (has_state(type) || (type->flags & TRI_TYPE_BYTE_MASK) != 0)
            ck_assert_ptr_nonnull(type->cache);
    }
}
END_TEST

/* Masks of up to 64 words are bits everywhere; longer ones are bytes in C only. */
START_TEST(short_masks_need_no_unrolling)
{
    for (size_t i = 0; i < SHAPES; i++) {
        const tri_type *type = shapes[i].type;

        if (type->ptr_bytes <= 512)
            ck_assert_msg((type->flags & TRI_TYPE_BYTE_MASK) == 0, "%s", type->name);
    }
}
END_TEST

#define CHECK_SLOT(T, size_class, leaf, slot)                                                      \
    do {                                                                                           \
        ck_assert_uint_eq(tri_type_##T.span_class, 2 * (size_class) + (leaf));                     \
        ck_assert_uint_eq(tri_type_##T.slot_size, slot);                                           \
    } while (0)

START_TEST(slots_of_types_with_pointers)
{
    CHECK_SLOT(one, 1, 0, 8);
    CHECK_SLOT(text, 2, 0, 16);
    CHECK_SLOT(tree, 3, 0, 32);
    CHECK_SLOT(scalar_first, 4, 0, 48);
    CHECK_SLOT(mixed, 7, 0, 96);
    CHECK_SLOT(words_63, 25, 0, 512); /* 504 */
    CHECK_SLOT(words_64, 25, 0, 512);
    CHECK_SLOT(words_65, 26, 0, 576); /* with a footer 528 */
    ck_assert_ptr_eq(tri_type_one.run_tag, &tri_type_one);
    ck_assert_ptr_eq(tri_type_words_64.run_tag, &tri_type_words_64);
    ck_assert_ptr_eq(tri_type_words_65.run_tag, &tri_type_words_65);
}
END_TEST

typedef struct just_fits {
    void *p;
    char bytes[32752];
} just_fits;
TRI_TYPE(just_fits, p);
typedef struct just_too_large {
    void *p;
    char bytes[32760];
} just_too_large;
TRI_TYPE(just_too_large, p);
typedef struct footer_makes_next_class {
    void *p;
    char bytes[568];
} footer_makes_next_class;
TRI_TYPE(footer_makes_next_class, p);

/* The span class is that of slots with a footer, the slot size that of spans of the type's own. */
START_TEST(slots_count_the_footer)
{
    CHECK_SLOT(footer_makes_next_class, 27, 0, 576); /* 576 + 8 */
    CHECK_SLOT(just_fits, 66, 0, 32768);             /* 32760 + 8 */
    CHECK_SLOT(just_too_large, 0, 0, 32768);         /* 32768 + 8 */
    ck_assert_uint_eq(tri_type_ten_thousand.span_class, 0);
    ck_assert_uint_eq(tri_type_ten_thousand.slot_size, 0);
    ck_assert(!has_state(&tri_type_ten_thousand));
}
END_TEST

typedef struct full_leaf {
    char bytes[32768];
} full_leaf;
TRI_LEAF_TYPE(full_leaf);

START_TEST(leaf_types)
{
    const tri_type *leaves[] = {&tri_type_half, &tri_type_blob, &tri_type_big_blob,
                                &tri_type_full_leaf};

    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
        ck_assert_uint_eq(leaves[i]->flags, TRI_TYPE_LEAF);
        ck_assert_uint_eq(leaves[i]->ptr_bytes, 0);
        ck_assert_ptr_eq(leaves[i]->run_tag, &tri_type_bytes);
        ck_assert_ptr_eq(leaves[i]->tail, NULL);
    }
    CHECK_SLOT(half, 1, 1, 8);
    CHECK_SLOT(blob, 26, 1, 576); /* no footer */
    CHECK_SLOT(full_leaf, 66, 1, 32768);
    ck_assert_uint_eq(tri_type_big_blob.span_class, 0);
    ck_assert_uint_eq(tri_type_big_blob.slot_size, 0);
}
END_TEST

START_TEST(flexible_types)
{
    const tri_type *flexible[] = {&tri_type_vector, &tri_type_closure, &tri_type_table,
                                  &tri_type_record, &tri_type_letter, &tri_type_long_head};

    for (size_t i = 0; i < sizeof flexible / sizeof *flexible; i++) {
        ck_assert_uint_eq(flexible[i]->flags & ~TRI_TYPE_BYTE_MASK, TRI_TYPE_FLEX);
        ck_assert_uint_eq(flexible[i]->span_class, 0);
        ck_assert_uint_eq(flexible[i]->slot_size, 0);
        ck_assert_ptr_eq(flexible[i]->run_tag, NULL);
    }
    ck_assert_ptr_eq(tri_type_vector.tail, &tri_type_ptr);
    ck_assert_ptr_eq(tri_type_closure.tail, &tri_type_ptr);
    ck_assert_ptr_eq(tri_type_table.tail, &tri_type_slice);
    ck_assert_ptr_eq(tri_type_record.tail, &tri_type_tagged);
    ck_assert_ptr_eq(tri_type_letter.tail, &tri_type_half);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("type_macros");
    TCase *tcase = tcase_create("type_macros");
    tcase_add_test(tcase, masks);
    tcase_add_test(tcase, names_and_sizes);
    tcase_add_test(tcase, short_masks_need_no_unrolling);
    tcase_add_test(tcase, slots_of_types_with_pointers);
    tcase_add_test(tcase, slots_count_the_footer);
    tcase_add_test(tcase, leaf_types);
    tcase_add_test(tcase, flexible_types);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
