/* SPDX-License-Identifier: MIT */
/* Types made at run time: what they describe, which descriptions are refused, threads that meet at
 * a program, exact scan sizes, and masks of one object. Their end: tests/test_type_end.c. */
#include <check.h>
#include <errno.h>
#include <pthread.h>

#include "collected.h"
#include "collector/marker.h"
#include "heap/object.h"
#include "hot.h"
#include "layout/oracle.h"
#include "layout/own_mask.h"
#include "layout/type_build.h"
#include "suite.h"
#include "type_fields.h"
#include "type_shapes.h"

#define MOST_WORDS 20000

#define CODE(...) {(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})}

/* 100 pointers and 100 scalars, 4 times. */
#define BLOCKS CODE(2, 1, 3, 99, 2, 0, 3, 99, 0x91, 3, 3, 0)

static const uint64_t some_mask[2] = {5, 1};
static const tri_type loose = {/* says that it might end in a pointer */
                               .size = 32, .ptr_bytes = 32, .gc_data = some_mask};
static const tri_type odd_leaf = {.size = 13, .flags = TRI_TYPE_LEAF};
static const tri_type malformed = {.size = 12, .ptr_bytes = 8, .gc_data = some_mask};

/* ---------------------------------------------------------------------------------- good ones */

static const struct {
    tri_type_desc desc;
    const char *mask;
} good[] = {
    {{.size = 8, FIELDS({.count = 1})}, "1"},
    {{.size = 24, FIELDS({.count = 2})}, "110"},
    {{.size = 48, FIELDS({.offset = 8, .count = 3, .stride = 16})}, "010101"},
    {{.size = 48, FIELDS({.offset = 40, .count = 1}, {.count = 1})}, "100001"},
    {{.size = 40, FIELDS({.count = 3}, {.offset = 16, .count = 2})}, "11110"}, /* overlap */
    {{.size = 72, FIELDS({.count = 3, .type = &tri_type_tree})}, "3*110"},
    {{.size = 72, FIELDS({.offset = 8, .count = 2, .stride = 40, .type = &tri_type_tree})},
     "0,110,00,110"},
    {{.size = 96, FIELDS({.count = 1, .type = &tri_type_mixed})}, "1,000,100,000,10"},
    {{.size = 6400, FIELDS({.count = 1, .type = &tri_type_blocks})},
     "100*1,100*0,100*1,100*0,100*1,100*0,100*1,100*0"},
    {{.size = 80000, FIELDS({.count = 10000})}, "10000*1"},
    {{.size = 64, FIELDS({.count = 2, .type = &loose})}, "1010,1010"},
    {{.size = 40, FIELDS({.offset = 3, .count = 2, .type = &odd_leaf}, {.offset = 32, .count = 1})},
     "00001"},
    {{.size = 3, FIELDS({.count = 3, .type = &tri_type_bytes})}, "0"},
    {{.size = 13}, "0"},
    {{.size = 24, .program = CODE(6, 5, 0)}, "101"},
    {{.size = 24, .program = CODE(6, 0, 0)}, "000"},
    {{.size = 512, .program = CODE(2, 1, 3, 63, 0)}, "64*1"},
    {{.size = 520, .program = CODE(2, 1, 3, 64, 0)}, "65*1"},
    {{.size = 6400, .program = BLOCKS}, "100*1,100*0,100*1,100*0,100*1,100*0,100*1,100*0"},
    {{.size = 24, FIELDS({.count = 1}), .tail = &tri_type_ptr}, "100,9*1"},
    {{.size = 8, .tail = &tri_type_slice}, "0,5*100"},
    {{.size = 0, .tail = &tri_type_slice}, "5*100"},
    {{.size = 16, FIELDS({.count = 1}), .tail = &tri_type_half}, "10,9*0"},
    {{.size = 6400, .program = BLOCKS, .tail = &tri_type_tagged},
     "100*1,100*0,100*1,100*0,100*1,100*0,100*1,100*0,7*01"},
};
#define GOOD (sizeof good / sizeof *good)

/* The first word about which oracle and mask disagree. */
static size_t first_difference(const tri_type *type, const char *mask)
{
    static unsigned char want[MOST_WORDS];
    size_t words = shape_words(mask, want, MOST_WORDS), w = 0;

    while (w < words && tri__layout_oracle(type, w) == want[w])
        w++;
    return w < words ? w : SIZE_MAX;
}

static void retire_now(tri_type *type)
{
    ck_assert_int_eq(tri_type_retire(type), 0);
    ck_assert(tri_type_retired(type));
}

START_TEST(good_descriptions)
{
    for (size_t i = 0; i < GOOD; i++) {
        tri_type type;

        ck_assert_msg(tri_type_build(&type, &good[i].desc) == 0, "%zu", i);
        ck_assert_ptr_eq(tri__type_check(&type), NULL);
        ck_assert_msg(first_difference(&type, good[i].mask) == SIZE_MAX, "%zu", i);
        ck_assert_int_eq(tri__type_prepare(&type), 0);
        ck_assert(type.ptr_bytes == 0 ||
                  (tri__type_mask_word(&type, (type.ptr_bytes - 1) / 512) >>
                       (type.ptr_bytes / 8 - 1) % 64 & 1) == 1);
        retire_now(&type);
    }
}
END_TEST

/* By the iterator, in heap objects of all kinds; an array of 3, or so many elements of a tail. */
START_TEST(objects_of_built_types)
{
    start_quiet();
    for (size_t i = 0; i < GOOD; i++) {
        static tri_type types[GOOD];
        tri_type *type = &types[i];
        struct tri__type_pointers it;
        struct tri__ref ref;
        size_t bytes;
        char *object;

        ck_assert_int_eq(tri_type_build(type, &good[i].desc), 0);
        object = type->tail != NULL ? tri_alloc_flex(type, 5) : tri_alloc_array(type, 3);
        bytes = type->tail != NULL ? type->size + 5 * type->tail->size : 3 * type->size;
        ck_assert(object != NULL && tri__resolve((uintptr_t)object, &ref));
        bytes = bytes / TRI_WORD * TRI_WORD;
        it = tri__type_pointers_of_range(&ref, ref.base, bytes);
        ck_assert_uint_eq(
            tri__layout_oracle_compare(it, type, ref.base, ref.base, ref.base + bytes), 0);
        if (type->tail == NULL) {
            ck_assert_ptr_nonnull(tri_alloc(type));
            ck_assert_ptr_nonnull(tri_alloc(type)); /* the inline path, if it has one */
        }
    }
    tri_shutdown();
}
END_TEST

START_TEST(inline_allocation_is_that_of_the_macros)
{
    tri_type type;
    tri_type_desc desc = {.size = sizeof(tree), FIELDS({.count = 2})};

    ck_assert_int_eq(tri_type_build(&type, &desc), 0);
    ck_assert_uint_eq(type.slot_size, tri_type_tree.slot_size);
    ck_assert_uint_eq(type.span_class, tri_type_tree.span_class);
    ck_assert_ptr_eq(type.run_tag, &type);
    retire_now(&type);
    desc = (tri_type_desc){.size = sizeof(blob)};
    ck_assert_int_eq(tri_type_build(&type, &desc), 0);
    ck_assert_uint_eq(type.slot_size, tri_type_blob.slot_size);
    ck_assert_uint_eq(type.span_class, tri_type_blob.span_class);
    ck_assert_ptr_eq(type.run_tag, &tri_type_bytes);
    retire_now(&type);
    desc = (tri_type_desc){.size = sizeof(big_blob)};
    ck_assert_int_eq(tri_type_build(&type, &desc), 0);
    ck_assert_uint_eq(type.slot_size, 0);
    retire_now(&type);
}
END_TEST

START_TEST(descriptions_are_copied)
{
    uint8_t code[] = {2, 1, 3, 99, 0};
    char name[] = "frame";
    tri_type inner, type;
    tri_type_desc desc = {.name = name, .size = 800, .program = {code, sizeof code}};

    ck_assert_int_eq(tri_type_build(&inner, &desc), 0);
    memset(code, 0xff, sizeof code);
    memset(name, 'x', sizeof name - 1);
    ck_assert_str_eq(inner.name, "frame");
    desc = (tri_type_desc){.size = 808, FIELDS({.offset = 8, .count = 1, .type = &inner})};
    ck_assert_int_eq(tri_type_build(&type, &desc), 0);
    retire_now(&inner);
    memset(&inner, 0xff, sizeof inner);
    ck_assert_uint_eq(first_difference(&type, "0,100*1"), SIZE_MAX);
    retire_now(&type);
}
END_TEST

/* ----------------------------------------------------------------------------------- bad ones */

#define MOST SIZE_MAX

static const tri_type_desc bad[] = {
    {.size = 0},
    {.size = 8, .flags = 1},
    {.size = 8, .field_count = 1},
    {.size = 8, FIELDS({.count = 0})},
    {.size = 8, FIELDS({.count = 2})},
    {.size = 8, FIELDS({.offset = 8, .count = 1})},
    {.size = 16, FIELDS({.offset = 4, .count = 1})},
    {.size = 12, FIELDS({.count = 1})},
    {.size = 64, FIELDS({.count = 2, .stride = 4})},
    {.size = 64, FIELDS({.count = 2, .stride = 12})},
    {.size = 64, FIELDS({.count = 2, .stride = 16, .type = &tri_type_tree})},
    {.size = 64, FIELDS({.offset = MOST - 7, .count = 1})},
    {.size = 64, FIELDS({.offset = 8, .count = MOST})},
    {.size = 64, FIELDS({.count = MOST / 8 + 2})},
    {.size = 64, FIELDS({.count = 3, .stride = MOST / 2 + 1})},
    {.size = 64, FIELDS({.count = 2, .stride = MOST - 7})},
    {.size = 64, FIELDS({.count = 65, .type = &tri_type_bytes})},
    {.size = 64, FIELDS({.count = 1, .type = &tri_type_vector})},
    {.size = 64, FIELDS({.count = 1, .type = &malformed})},
    {.size = 64, FIELDS({.count = 1}, {.offset = 64, .count = 1})},
    {.size = 8, .tail = &tri_type_vector},
    {.size = 8, .tail = &malformed},
    {.size = 12, .tail = &tri_type_ptr},
    {.size = 24, .program = {NULL, 1}},
    {.size = 24, .program = CODE(6, 5)},
    {.size = 16, .program = CODE(6, 5, 0)},
    {.size = 32, .program = CODE(6, 5, 0)},
    {.size = 25, .program = CODE(6, 5, 0)},
    {.size = 24, FIELDS({.count = 1}), .program = CODE(6, 5, 0)},
    {.size = 24, .program = CODE(2, 1, 3, 2, 7, 1, 0)},
};

START_TEST(bad_descriptions)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tri_type type, before;

        memset(&type, 0xa1, sizeof type);
        before = type;
        ck_assert_msg(tri_type_build(&type, &bad[i]) == -EINVAL, "%zu", i);
        ck_assert_msg(memcmp(&type, &before, sizeof type) == 0, "%zu", i);
    }
}
END_TEST

START_TEST(no_memory)
{
    tri_type type, before;
    const tri_type_desc huge = {
        .size = MOST / 8 * 8, FIELDS({.offset = MOST / 8 * 8 - 8, .count = 1})};

    memset(&type, 0xa1, sizeof type);
    before = type;
    ck_assert_int_eq(tri_type_build(&type, &huge), -ENOMEM);
    ck_assert(memcmp(&type, &before, sizeof type) == 0);
}
END_TEST

/* ---------------------------------------------------------------------------------- programs */

#define MEETING 8

static struct {
    tri_type type;
    pthread_barrier_t start;
    const uint64_t *mask[MEETING];
} meeting;

static void *meet_at_once(void *number)
{
    uintptr_t index = (uintptr_t)number;

    pthread_barrier_wait(&meeting.start);
    ck_assert_int_eq(tri__type_prepare(&meeting.type), 0);
    meeting.mask[index] = tri__type_mask(&meeting.type);
    return NULL;
}

START_TEST(threads_meet_at_a_program)
{
    const tri_type_desc desc = {.size = 6400, .program = BLOCKS};
    pthread_t threads[MEETING];

    for (int round = 0; round < 50; round++) {
        ck_assert_int_eq(tri_type_build(&meeting.type, &desc), 0);
        pthread_barrier_init(&meeting.start, NULL, MEETING);
        for (uintptr_t i = 0; i < MEETING; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, meet_at_once, (void *)i), 0);
        for (int i = 0; i < MEETING; i++)
            pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&meeting.start);
        for (int i = 0; i < MEETING; i++)
            ck_assert_ptr_eq(meeting.mask[i], *meeting.type.cache);
        for (size_t i = 0; i < 11; i++)
            ck_assert_uint_eq(meeting.mask[0][i], tri__type_mask_word(&tri_type_blocks, i));
        retire_now(&meeting.type);
    }
}
END_TEST

/* 2 MiB: 2^17 times a pointer and a scalar, as a hand-written type. */
static const uint8_t giant_code[] = {4, 1, 5, 0xff, 0xff, 0x07, 0};
static const tri_gc_program giant_program = {giant_code, sizeof giant_code};
static void *giant_cache;
static const tri_type giant = {.size = 2 << 20,
                               .ptr_bytes = (2 << 20) - 8,
                               .gc_data = &giant_program,
                               .flags = TRI_TYPE_GC_PROGRAM,
                               .cache = &giant_cache};

static __attribute__((noinline)) struct hidden new_giant(void)
{
    void **object = tri_alloc(&giant);
    struct tri__ref ref;

    ck_assert(object != NULL && tri__resolve((uintptr_t)object, &ref));
    ck_assert_ptr_nonnull(tri__span_at(ref.base)->own);
    ck_assert_ptr_eq(tri_object_type(object), &giant);
    ck_assert_uint_eq(tri__layout_oracle_compare(tri__type_pointers_of_ref(&ref), &giant, ref.base,
                                                 ref.base, ref.base + giant.size),
                      0);
    tri_store(&object[2 * 131071], tri_alloc(&tri_type_tree));
    tri_store(&object[3], tri_alloc(&tri_type_tree)); /* in a scalar: not seen */
    return hide(object);
}

static __attribute__((noinline)) void expect_giant(struct hidden hidden)
{
    void **object = reveal(hidden);

    ck_assert_ptr_eq(tri_object_base(object[2 * 131071]), object[2 * 131071]);
}

/* The mask lives as long as its object; nothing is left with the type. */
START_TEST(a_mask_of_one_object)
{
    static struct hidden objects[3];

    start_quiet();
    ck_assert_ptr_eq(tri__type_check(&giant), NULL);
    for (int i = 0; i < 3; i++)
        objects[i] = new_giant();
    ck_assert_ptr_eq(giant_cache, NULL);
    tri_handle *handle = tri_handle_new(reveal(objects[1]));
    collect();
    collect();
    ck_assert_uint_le(count_objects(objects, 3), 2);
    expect_giant(objects[1]);
    ck_assert_ptr_eq(giant_cache, NULL);
    tri_handle_free(handle);
    tri_shutdown(); /* frees the mask of what is left: a leak checker looks */
}
END_TEST

/* As a root such a type has a mask like any other. */
START_TEST(a_giant_root)
{
    static void *memory[(2 << 20) / sizeof(void *)];

    start_quiet();
    ck_assert_int_eq(tri_root_add(memory, &giant, 1), 0);
    ck_assert_ptr_nonnull(giant_cache);
    tri_store(&memory[2 * 131071], tri_alloc(&tri_type_tree));
    collect();
    ck_assert_ptr_eq(tri_object_base(memory[2 * 131071]), memory[2 * 131071]);
    ck_assert_int_eq(tri_root_remove(memory), 0);
    tri_shutdown();
    free(giant_cache);
    giant_cache = NULL;
}
END_TEST

/* --------------------------------------------------------------------------------- scan sizes */

static size_t naive_scan_bytes(const tri_type *type, size_t bytes)
{
    size_t words = bytes / TRI_WORD;

    while (words > 0 && !tri__layout_oracle(type, words - 1))
        words--;
    return words * TRI_WORD;
}

START_TEST(scan_sizes)
{
    for (size_t n = 0; n <= 70; n++)
        ck_assert_uint_eq(tri__type_scan_bytes(&tri_type_ptr, 8 * n), 8 * n);
    for (size_t i = 0; i < SHAPES; i++)
        for (size_t words = 0; words < 700; words++)
            ck_assert_msg(tri__type_scan_bytes(shapes[i].type, words * TRI_WORD) ==
                              naive_scan_bytes(shapes[i].type, words * TRI_WORD),
                          "%s: %zu words", shapes[i].name, words);
    ck_assert_uint_eq(tri__type_scan_bytes(&tri_type_bytes, 1000), 0);
    ck_assert_uint_eq(tri__type_scan_bytes(&odd_leaf, 1000), 0);
}
END_TEST

static uint64_t effort_now(void)
{
    collect();
    return tri__marked_effort();
}

/* What a cycle counts, of arrays of 1, 2 and 3 pointers, of a footer and of a large object. */
START_TEST(cycles_count_what_they_scan)
{
    static const struct {
        size_t n, bytes;
    } arrays[] = {{1, 8}, {2, 16}, {3, 24}, {100, 800}, {10000, 80000}};
    tri_handle *handles[200];

    start_quiet();
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        uint64_t before = effort_now(), counted;
        size_t slot = 0, each;

        for (int k = 0; k < 200; k++) {
            void **array = tri_new_ptrs(arrays[i].n);

            slot = tri_object_size(array);
            handles[k] = tri_handle_new(array);
        }
        counted = effort_now() - before;
        each = arrays[i].bytes <= 512 ? arrays[i].bytes : slot; /* exact, or what is scanned */
        each += TRI__OBJECT_EFFORT;
        ck_assert_msg(counted + 1000 >= 200 * each && counted <= 200 * each + 1000,
                      "%zu pointers: %zu", arrays[i].n, (size_t)counted); /* an old one or two */
        for (int k = 0; k < 200; k++)
            tri_handle_free(handles[k]);
    }
    tri_shutdown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("type_build");
    TCase *tcase = tcase_create("type_build");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, good_descriptions);
    tcase_add_test(tcase, objects_of_built_types);
    tcase_add_test(tcase, inline_allocation_is_that_of_the_macros);
    tcase_add_test(tcase, descriptions_are_copied);
    tcase_add_test(tcase, bad_descriptions);
    tcase_add_test(tcase, no_memory);
    tcase_add_test(tcase, threads_meet_at_a_program);
    tcase_add_test(tcase, a_mask_of_one_object);
    tcase_add_test(tcase, a_giant_root);
    tcase_add_test(tcase, scan_sizes);
    tcase_add_test(tcase, cycles_count_what_they_scan);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
