/* SPDX-License-Identifier: MIT */
/* tri_pointer_mask and tri_object_base/size/type over objects of every kind: against masks written
 * by hand, and against the oracle up to the end of the slot.
 *
 * Where masks are compared as a prefix: what the collector sees may be longer than what was asked
 * for, because the type is tiled up to the slot's end. */
#include <check.h>
#include <pthread.h>
#include <string.h>

#include "collected.h"
#include "heap/object.h"
#include "layout/oracle.h"
#include "suite.h"
#include "type_shapes.h"

#define ROOM 70000
#define BITMAP_MAX 512
#define FOOTER_MAX (32768 - 8)

static uint8_t have[ROOM];
static unsigned char want[ROOM];
static size_t have_words;

static void look(const void *p)
{
    memset(have, 7, sizeof have);
    have_words = tri_pointer_mask(p, have, ROOM);
    ck_assert_uint_le(have_words, ROOM);
    ck_assert(have_words == 0 || have[have_words - 1] == 1);
    ck_assert(have_words == ROOM || have[have_words] == 7);
}

/* The first `words` words are as `mask` says, in the notation of type_shapes.h. */
static void expect_prefix(const void *p, const char *mask, size_t words)
{
    memset(want, 0, sizeof want);
    shape_words(mask, want, ROOM);
    look(p);
    for (size_t i = 0; i < words; i++)
        ck_assert_msg((i < have_words ? have[i] : 0) == want[i], "%s, word %zu", mask, i);
}

static bool is_typed(const void *p)
{
    return tri__span_is_typed(tri__span_at((uintptr_t)p));
}

/* Up to the end of what was asked for (an array of no elements is one word), and from there as its
 * kind has it: a bitmap or typed object has no bits there, other kinds tile on. */
static void expect_oracle(const void *p, const tri_type *type, size_t bytes)
{
    size_t words = tri_object_size(p) / TRI_WORD;
    bool exact = bytes <= BITMAP_MAX || is_typed(p);
    size_t asked = bytes == 0 ? 1 : exact ? bytes / TRI_WORD : words;

    look(p);
    ck_assert_uint_le(have_words, words);
    for (size_t i = 0; i < words; i++)
        ck_assert_msg((i < have_words ? have[i] : 0) == (i < asked && tri__layout_oracle(type, i)),
                      "%zu bytes of %s, word %zu", bytes, type->name, i);
}

/* What tri_object_type says: a bitmap does not know its type. */
static const tri_type *expected_type(const tri_type *type, size_t bytes)
{
    if (!tri__type_is_pointerful(type))
        return &tri_type_bytes;
    return bytes <= BITMAP_MAX ? NULL : type;
}

static void expect_description(const char *p, const tri_type *type, size_t bytes)
{
    size_t size = tri_object_size(p);

    ck_assert_uint_ge(size, bytes);
    ck_assert(size % TRI_WORD == 0);
    if (bytes != 0)
        ck_assert_uint_le(size, bytes + bytes / 8 + 8192);
    ck_assert(tri_object_type(p) == (is_typed(p) ? type : expected_type(type, bytes)));
    ck_assert_ptr_eq(tri_object_base(p), p);
    ck_assert_ptr_eq(tri_object_base(p + size - 1), p);
    ck_assert_uint_eq(tri_object_size(p + size - 1), size);
    ck_assert(tri_object_type(p + size - 1) == expected_type(type, bytes));
}

static void expect_array(const tri_type *type, size_t n, const char *mask)
{
    char *p = tri_alloc_array(type, n);
    size_t bytes = n * type->size;

    ck_assert_ptr_nonnull(p);
    expect_prefix(p, mask, bytes / TRI_WORD);
    expect_oracle(p, type, bytes);
    expect_description(p, type, bytes);
}

static void expect_flex(const tri_type *type, size_t n, const char *mask)
{
    char *p = tri_alloc_flex(type, n);
    size_t bytes = type->size + n * type->tail->size;

    ck_assert_ptr_nonnull(p);
    expect_prefix(p, mask, bytes / TRI_WORD);
    expect_oracle(p, type, bytes);
    expect_description(p, type, bytes);
}

/* ---- objects ---- */

START_TEST(single_objects)
{
    start_quiet();
    for (size_t i = 0; i < SHAPES; i++) {
        const tri_type *type = shapes[i].type;

        if (type->tail != NULL)
            expect_flex(type, 0, shapes[i].mask);
        for (int again = 0; type->tail == NULL && again < 10; again++) {
            void *p = tri_alloc(type);
            expect_prefix(p, shapes[i].mask, shapes[i].size / TRI_WORD);
            expect_oracle(p, type, type->size);
            expect_description(p, type, type->size);
        }
    }
}
END_TEST

START_TEST(arrays)
{
    start_quiet();
    expect_array(&tri_type_ptr, 0, "0");
    expect_array(&tri_type_ptr, 1, "1");
    expect_array(&tri_type_ptr, 2, "11");
    expect_array(&tri_type_ptr, 10, "10*1");
    expect_array(&tri_type_ptr, 10000, "10000*1");
    expect_array(&tri_type_conservative, 10000, "10000*1");
    expect_array(&tri_type_scalar_first, 4, "12*01");
    expect_array(&tri_type_pointer_first, 10, "30*10");
    expect_array(&tri_type_tagged, 0, "0");
    expect_array(&tri_type_tagged, 1, "01");
    expect_array(&tri_type_tagged, 2, "0101");
    expect_array(&tri_type_tagged, 10000, "10000*01");
    expect_array(&tri_type_text, 1, "10");
    expect_array(&tri_type_text, 2, "1010");
    expect_array(&tri_type_text, 10000, "10000*10");
    expect_array(&tri_type_text, 2 * 10000, "20000*10");
    expect_array(&tri_type_slice, 4, "4*100");
    expect_array(&tri_type_tree, 1000, "1000*110");
    expect_array(&tri_type_words_65, 100, "6500*1");
    expect_array(&tri_type_blocks, 4,
                 "100*1,100*0,100*1,100*0,100*1,100*0,100*1,100*0,"
                 "100*1,100*0,100*1,100*0,100*1,100*0,100*1,100*0,"
                 "100*1,100*0,100*1,100*0,100*1,100*0,100*1,100*0,"
                 "100*1,100*0,100*1,100*0,100*1,100*0,100*1,100*0");
    expect_array(&tri_type_ten_thousand, 3, "30000*1");
}
END_TEST

START_TEST(flexible_tails)
{
    start_quiet();
    expect_flex(&tri_type_vector, 3, "0,3*1");
    expect_flex(&tri_type_vector, 63, "0,63*1");
    expect_flex(&tri_type_vector, 10000, "0,10000*1");
    expect_flex(&tri_type_closure, 5, "010,5*1");
    expect_flex(&tri_type_table, 5, "10,5*100");
    expect_flex(&tri_type_table, 10000, "10,10000*100");
    expect_flex(&tri_type_record, 3000, "0,3000*01");
    expect_flex(&tri_type_letter, 10000, "10,5000*0");
    expect_flex(&tri_type_long_head, 10000, "70*1,0,10000*1");
}
END_TEST

/* The largest bitmap object, and the smallest with a footer; the largest with a footer, and the
 * smallest large one. */
START_TEST(edges_of_kinds)
{
    start_quiet();
    for (size_t words = 62; words <= 66; words++)
        expect_array(&tri_type_ptr, words, "66*1");
    for (size_t words = FOOTER_MAX / 8 - 2; words <= FOOTER_MAX / 8 + 2; words++)
        expect_array(&tri_type_ptr, words, "4097*1");
    for (size_t bytes = 504; bytes <= 513; bytes++) {
        void *p = tri_alloc_conservative(bytes);

        look(p);
        ck_assert_uint_eq(have_words,
                          bytes == 513 ? tri_object_size(p) / TRI_WORD : (bytes + 7) / 8);
    }
}
END_TEST

START_TEST(leaf_objects)
{
    size_t sizes[] = {0, 1, 7, 8, 100, 512, 513, 32768, 32769, 1000000};

    start_quiet();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *p = tri_alloc_bytes(sizes[i]);

        look(p);
        ck_assert_uint_eq(have_words, 0);
        ck_assert(tri_object_type(p) == &tri_type_bytes);
        ck_assert_uint_ge(tri_object_size(p), sizes[i] < 8 ? 1 : sizes[i]);
    }
}
END_TEST

START_TEST(interior_pointers)
{
    size_t counts[] = {10, 1000, 20000};

    start_quiet();
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char *p = tri_alloc_array(&tri_type_text, counts[i]);

        for (size_t offset = 0; offset < counts[i] * 16; offset += 1 + offset / 7)
            expect_prefix(p + offset, "20000*10", counts[i] * 2);
    }
}
END_TEST

START_TEST(pointers_to_nothing)
{
    static void *global;
    void *local = NULL, *footer_object;
    char *large;

    start_quiet();
    large = tri_alloc_array(&tri_type_ptr, 10000);
    footer_object = tri_alloc_array(&tri_type_ptr, 100);
    char *page = (char *)((uintptr_t)footer_object & ~(uintptr_t)8191);
    const void *nothing[] = {
        NULL,
        &global,
        &local,
        (void *)8,
        (void *)UINTPTR_MAX,
        large + tri_object_size(large) + 100 * 8192, /* no span there */
        page + 8191,                                 /* metadata */
    };
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        look(nothing[i]);
        ck_assert_uint_eq(have_words, 0);
        ck_assert_ptr_null(tri_object_base(nothing[i]));
        ck_assert_ptr_null(tri_object_type(nothing[i]));
        ck_assert_uint_eq(tri_object_size(nothing[i]), 0);
    }
}
END_TEST

START_TEST(dead_objects)
{
    static struct hidden dead[1000];

    start_quiet();
    for (size_t i = 0; i < 1000; i++)
        dead[i] = hide(tri_new(tree));
    collect();
    size_t seen = 0;
    for (size_t i = 0; i < 1000; i++)
        seen += tri_pointer_mask(reveal(dead[i]), NULL, 0) != 0;
    ck_assert_uint_lt(seen, 100);
}
END_TEST

/* ---- arenas ---- */

/* Of a value of an arena the mask ends with what was asked for. */
static void expect_value(const char *p, const tri_type *type, size_t bytes)
{
    look(p);
    ck_assert_uint_le(have_words, (bytes + 7) / 8 + (bytes == 0));
    for (size_t i = 0; i < bytes / 8; i++)
        ck_assert_msg((i < have_words ? have[i] : 0) == tri__layout_oracle(type, i),
                      "%zu bytes of %s, word %zu", bytes, type->name, i);
    ck_assert_ptr_eq(tri_object_base(p), p);
    ck_assert_uint_eq(tri_object_size(p), bytes == 0 ? 8 : (bytes + 7) / 8 * 8);
    ck_assert(tri_object_type(p) == type);
    if (bytes > 1)
        ck_assert_ptr_eq(tri_object_base(p + bytes - 1), p);
}

START_TEST(values_of_arenas)
{
    static const size_t counts[] = {0, 1, 2, 7, 64, 100};
    tri_arena *arena;
    char *last = NULL;

    start_quiet();
    arena = tri_arena_new();
    for (size_t i = 0; i < SHAPES; i++)
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
            const tri_type *type = shapes[i].type;
            size_t bytes = type->tail != NULL ? type->size + counts[k] * type->tail->size
                                              : counts[k] * type->size;

            if (bytes > TRI_ARENA_VALUE_MAX || bytes > ROOM * TRI_WORD)
                continue;
            last = type->tail != NULL ? tri_arena_alloc_flex(arena, type, counts[k])
                                      : tri_arena_alloc_array(arena, type, counts[k]);
            expect_value(last, type, bytes);
        }
    tri_arena_free(arena);
    ck_assert_uint_eq(tri_pointer_mask(last, NULL, 0), 0);
    ck_assert_ptr_null(tri_object_base(last));
}
END_TEST

/* ---- roots ---- */

TRI_ROOT static tree *variable;

START_TEST(roots)
{
    static slice slices[100];

    start_quiet();
    ck_assert_int_eq(tri_root_add(slices, &tri_type_slice, 100), 0);
    expect_prefix(slices, "100*100", 300);
    ck_assert_uint_eq(have_words, 298);
    expect_prefix((char *)&slices[57] + 3, "100*100", 300);
    ck_assert_uint_eq(tri_pointer_mask(slices + 100, NULL, 0), 0);
    ck_assert_ptr_null(tri_object_base(slices));
    look(&variable);
    ck_assert_uint_ge(have_words, 1);
    for (size_t i = 0; i < have_words; i++)
        ck_assert_uint_eq(have[i], 1);
    ck_assert_int_eq(tri_root_remove(slices), 0);
    ck_assert_uint_eq(tri_pointer_mask(slices, NULL, 0), 0);
}
END_TEST

/* ---- too little room ---- */

static void expect_cut(const void *p, size_t least)
{
    size_t words = tri_pointer_mask(p, want, ROOM);

    ck_assert_uint_ge(words, least);
    for (size_t room = 0; room <= words + 2; room++) {
        memset(have, 7, sizeof have);
        ck_assert_uint_eq(tri_pointer_mask(p, room != 0 ? have : NULL, room), words);
        for (size_t i = 0; i < words + 2; i++)
            ck_assert_uint_eq(have[i], i < room && i < words ? want[i] : 7);
    }
}

START_TEST(masks_that_are_cut)
{
    start_quiet();
    expect_cut(tri_new(tree), 2);
    expect_cut(tri_new(mixed), 11);
    expect_cut(tri_new(late_scalar), 64);
    expect_cut(tri_alloc_bytes(100), 0);
    expect_cut(tri_new(long_mask), 193);
}
END_TEST

/* ---- the object lives as long as the call ---- */

static bool over; /* atomic */

static void *collect_all_the_time(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
        tri_collect();
    return NULL;
}

START_TEST(objects_stay_while_they_are_looked_at)
{
    pthread_t thread;
    uint8_t mask[200];

    start_quiet();
    ck_assert_int_eq(tri_thread_create(&thread, NULL, collect_all_the_time, NULL), 0);
    for (int i = 0; i < 5000; i++) {
        memset(mask, 0, sizeof mask);
        if (i % 2 == 0)
            ck_assert_uint_ge(tri_pointer_mask(tri_new(long_mask), mask, sizeof mask), 193);
        else
            ck_assert_uint_eq(tri_pointer_mask(tri_new(mixed), mask, sizeof mask), 11);
        ck_assert(mask[0] == 1 && mask[10] == 1);
    }
    __atomic_store_n(&over, true, __ATOMIC_RELAXED);
    TRI_BLOCKING
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pointer_mask");
    TCase *tests = tcase_create("pointer_mask");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, single_objects);
    tcase_add_test(tests, arrays);
    tcase_add_test(tests, flexible_tails);
    tcase_add_test(tests, edges_of_kinds);
    tcase_add_test(tests, leaf_objects);
    tcase_add_test(tests, interior_pointers);
    tcase_add_test(tests, pointers_to_nothing);
    tcase_add_test(tests, dead_objects);
    tcase_add_test(tests, values_of_arenas);
    tcase_add_test(tests, roots);
    tcase_add_test(tests, masks_that_are_cut);
    tcase_add_test(tests, objects_stay_while_they_are_looked_at);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
