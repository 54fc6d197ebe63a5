/* SPDX-License-Identifier: MIT */
/* The public allocation functions: what they return, for every size near a border, and the layout
 * of what they return, held against the layout oracle. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "capture.h"
#include "collected.h"
#include "heap/object.h"
#include "layout/oracle.h"
#include "suite.h"

#define FILL 0xa5

typedef struct pair {
    struct pair *left, *right;
} pair;
TRI_TYPE(pair, left, right);

typedef struct five {
    void *a, *b;
    long c;
    void *d, *e;
} five;
TRI_TYPE(five, a, b, d, e);

typedef struct leaf {
    long numbers[3];
} leaf;
TRI_LEAF_TYPE(leaf);

typedef struct letter {
    char c;
} letter;
TRI_LEAF_TYPE(letter);

/* More than 64 words, and pointers at both ends: a type footer. */
typedef struct wide {
    void *first;
    long middle[70];
    void *last[3];
    long end;
} wide;
TRI_TYPE(wide, first, last);

/* A span of its own. */
typedef struct huge {
    long start[5];
    void *some[10];
    long rest[5000];
    void *last;
} huge;
TRI_TYPE(huge, some, last);

typedef struct list {
    struct list *next;
    size_t length;
    void *items[];
} list;
TRI_FLEX_TYPE(list, items, next);

typedef struct table {
    long count;
    five rows[];
} table;
TRI_FLEX_TYPE_OF(table, rows, five);

static size_t alignment_of(size_t bytes)
{
    if (bytes != 0 && bytes < 8)
        return bytes & -bytes;
    return bytes <= 8 ? 8 : 16;
}

/* New, zero, aligned, its own, and of the type; then made dirty. */
static void check_object(void *p, size_t bytes, const tri_type *type)
{
    ck_assert_ptr_nonnull(p);
    if (!is_zero(p, tri_object_size(p)) && bytes >= 8)
        ck_abort_msg("%zu bytes: not zero", bytes);
    if (!is_zero(p, bytes))
        ck_abort_msg("%zu bytes: not zero", bytes);
    if ((uintptr_t)p % alignment_of(bytes) != 0)
        ck_abort_msg("%zu bytes at %p: badly aligned", bytes, p);
    if (bytes >= 8 && tri_object_base(p) != p)
        ck_abort_msg("%zu bytes at %p: no object", bytes, p);
    if (tri_object_size(p) < bytes)
        ck_abort_msg("%zu bytes: only %zu", bytes, tri_object_size(p));
    if (tri_object_type(p) != NULL && tri_object_type(p) != type)
        ck_abort_msg("%zu bytes: wrong type", bytes);
    if (type == &tri_type_bytes)
        memset(p, FILL, bytes);
}

static size_t tiled(const void *p, size_t bytes)
{
    struct tri__ref ref;
    uint8_t kind;
    ck_assert(tri__resolve((uintptr_t)p, &ref));
    kind = tri__class_info[ref.span_class].kind;
    return kind == TRI__KIND_FOOTER || kind == TRI__KIND_LARGE ? tri_object_size(p) : bytes;
}

/* The object's layout, as the collector sees it, is the type's. Behind the length asked for it may
 * be tiled further, for that memory is zero; not in a bitmap, nor in a typed span. */
static void check_layout(const void *p, const tri_type *type, size_t bytes)
{
    uintptr_t base = (uintptr_t)p, wrong;
    struct tri__type_pointers it;
    struct tri__ref ref;
    bytes = bytes == 0 ? TRI_WORD : bytes; /* no object is smaller */
    ck_assert(tri__resolve(base, &ref));
    it = tri__type_pointers_of_ref(&ref);
    wrong = tri__layout_oracle_compare(it, type, base, base, base + tiled(p, bytes));
    ck_assert_msg(wrong == 0, "type %s, %zu bytes: word %zu", type->name, bytes,
                  (size_t)(wrong - base) / TRI_WORD);
}

/* ---- sizes ---- */

static void check_size(size_t n)
{
    check_object(tri_alloc_bytes(n), n, &tri_type_bytes);
    check_object(tri_alloc_conservative(n), n, &tri_type_conservative);
    check_object(tri_new_ptrs(n / 8), n / 8 * 8, &tri_type_ptr);
    check_object(tri_new_array(letter, n), n, &tri_type_bytes);
}

START_TEST(sizes_around_every_border)
{
    start_quiet();
    for (unsigned c = 1; c < TRI__SIZE_CLASSES; c++)
        for (size_t n = tri__class_info[2 * c].size - 9; n < tri__class_info[2 * c].size + 10u; n++)
            if (n <= 100000)
                check_size(n);
    for (size_t n = 0; n < 600; n++)
        check_size(n);
    for (size_t n = 33000; n <= 100000; n += 7 * 67)
        check_size(n);
    for (size_t n = 4 * TRI__PAGE_BYTES; n <= 100000; n += TRI__PAGE_BYTES)
        for (size_t k = n - 9; k <= n + 9; k++)
            check_size(k);
}
END_TEST

/* What was written to memory before must not be seen in it again. */
static __attribute__((noinline)) void make_dirty(size_t n)
{
    for (unsigned i = 0; i < 300; i++) {
        unsigned char *p = tri_alloc_bytes(n);
        ck_assert_ptr_nonnull(p);
        if (!is_zero(p, n))
            ck_abort_msg("%zu bytes: not zero", n);
        memset(p, 0xff, n);
    }
}

static uint64_t mapped_bytes(void)
{
    tri_stats stats = TRI_STATS_INIT;
    ck_assert_int_eq(tri_stats_get(&stats), 0);
    return stats.mapped_bytes;
}

START_TEST(memory_is_zero_the_second_time)
{
    static const size_t sizes[] = {1,    8,    16,    48,    512,   520,
                                   4096, 8192, 9000, 32768, 40000, 300000};
    start_quiet();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t mapped;
        make_dirty(sizes[i]);
        collect();
        mapped = mapped_bytes();
        make_dirty(sizes[i]);
        ck_assert_uint_eq(mapped_bytes(), mapped); /* it was the same memory */
        collect();
    }
}
END_TEST

/* ---- special lengths ---- */

START_TEST(nothing_is_an_object_too)
{
    void *p[16];
    start_quiet();
    for (int round = 0; round < 2; round++) {
        void **q = &p[8 * round];
        q[0] = tri_new_array(pair, 0);
        q[1] = tri_new_array(leaf, 0);
        q[2] = tri_new_array(wide, 0);
        q[3] = tri_new_ptrs(0);
        q[4] = tri_alloc_bytes(0);
        q[5] = tri_alloc_conservative(0);
        q[6] = tri_new_flex(list, 0);
        q[7] = tri_grow(NULL, &tri_type_ptr, 0, 0);
    }
    for (int i = 0; i < 16; i++) {
        ck_assert_ptr_nonnull(p[i]);
        ck_assert_ptr_eq(tri_object_base(p[i]), p[i]);
        for (int k = 0; k < i; k++)
            ck_assert_ptr_ne(p[i], p[k]);
    }
}
END_TEST

#define FAILS(call)                                                                                \
    do {                                                                                           \
        errno = 0;                                                                                 \
        ck_assert_ptr_null(call);                                                                  \
        ck_assert_int_eq(errno, ENOMEM);                                                           \
    } while (0)

START_TEST(sizes_that_overflow)
{
    volatile size_t most = SIZE_MAX;
    start_quiet();
    FAILS(tri_new_array(pair, most / sizeof(pair) + 1));
    FAILS(tri_new_array(wide, most));
    FAILS(tri_new_array(leaf, most / 2));
    FAILS(tri_new_ptrs(most / 8 + 1));
    FAILS(tri_new_flex(list, most / 8 + 1));
    FAILS(tri_new_flex(list, most / 8)); /* with the fixed part only */
    FAILS(tri_new_flex(table, most / sizeof(five)));
    FAILS(tri_alloc_conservative(most));
    FAILS(tri_alloc_conservative(most - 6));
    FAILS(tri_grow(NULL, &tri_type_pair, 0, most / 8));
    ck_assert_ptr_nonnull(tri_new(pair));
}
END_TEST

/* No overflow, but more than any address space. */
START_TEST(sizes_beyond_the_heap)
{
    volatile size_t most = SIZE_MAX;
    start_quiet();
    FAILS(tri_alloc_bytes(most));
    FAILS(tri_alloc_bytes(most - 1));
    FAILS(tri_alloc_bytes(most - TRI__PAGE_BYTES));
    FAILS(tri_alloc_bytes((size_t)1 << 62));
    FAILS(tri_alloc_conservative(most - 7));
    FAILS(tri_new_ptrs(most / 8));
    FAILS(tri_new_flex(list, most / 8 - 2));
    ck_assert_ptr_nonnull(tri_new(pair));
}
END_TEST

/* ---- layouts ---- */

START_TEST(one_object_of_each_type)
{
    start_quiet();
    for (int i = 0; i < 2000; i++) {
        pair *p = tri_new(pair);
        five *f = tri_new(five);
        check_object(p, sizeof *p, NULL);
        check_object(f, sizeof *f, NULL);
        check_layout(p, &tri_type_pair, sizeof *p);
        check_layout(f, &tri_type_five, sizeof *f);
        check_object(tri_new(leaf), sizeof(leaf), &tri_type_bytes);
        check_object(tri_new(letter), sizeof(letter), &tri_type_bytes);
        if (i % 20 == 0) {
            wide *w = tri_new(wide);
            check_object(w, sizeof *w, &tri_type_wide);
            check_layout(w, &tri_type_wide, sizeof *w);
        }
        if (i % 200 == 0) {
            huge *h = tri_new(huge);
            check_object(h, sizeof *h, &tri_type_huge);
            check_layout(h, &tri_type_huge, sizeof *h);
        }
    }
}
END_TEST

/* Types of one size take turns in one run. */
START_TEST(types_that_share_a_run)
{
    void *p;
    start_quiet();
    for (unsigned i = 0; i < 6000; i++) {
        switch (i * 2654435761u >> 28 & 3) {
        case 0:
            p = tri_new(five);
            check_layout(p, &tri_type_five, sizeof(five));
            break;
        case 1:
            p = tri_new_array(pair, 3);
            check_layout(p, &tri_type_pair, 3 * sizeof(pair));
            break;
        case 2:
            p = tri_new_flex(list, 4);
            check_layout(p, &tri_type_list, sizeof(list) + 4 * sizeof(void *));
            break;
        default:
            p = tri_alloc_conservative(41);
            check_layout(p, &tri_type_conservative, 48);
        }
        ck_assert_uint_eq(tri_object_size(p), 48);
    }
}
END_TEST

static void check_arrays(const tri_type *type, size_t most)
{
    for (size_t n = 0; n * type->size <= most; n += n < 80 ? 1 : n / 7) {
        void *p = tri_alloc_array(type, n);
        check_object(p, n * type->size, type);
        check_layout(p, type, n * type->size);
    }
}

static void check_flexes(const tri_type *type, size_t most)
{
    for (size_t n = 0; n * type->tail->size <= most; n += n < 80 ? 1 : n / 7) {
        void *p = tri_alloc_flex(type, n);
        size_t bytes = type->size + n * type->tail->size;
        check_object(p, bytes, type);
        check_layout(p, type, bytes);
    }
}

START_TEST(arrays)
{
    start_quiet();
    check_arrays(&tri_type_pair, 200000);
    check_arrays(&tri_type_five, 200000);
    check_arrays(&tri_type_ptr, 200000);
    check_arrays(&tri_type_wide, 200000);
    check_arrays(&tri_type_huge, 400000);
    check_arrays(&tri_type_conservative, 200000);
    check_flexes(&tri_type_list, 200000);
    check_flexes(&tri_type_table, 200000);
}
END_TEST

START_TEST(leaf_arrays)
{
    start_quiet();
    for (size_t n = 0; n < 5000; n += 1 + n / 20) {
        leaf *p = tri_new_array(leaf, n);
        check_object(p, n * sizeof *p, &tri_type_bytes);
        ck_assert_ptr_eq(tri_object_type(p), &tri_type_bytes);
    }
}
END_TEST

static void flexible_array_of_a_rigid_type(void)
{
    start_quiet();
    tri_alloc_flex(&tri_type_pair, 3);
}

START_TEST(a_type_without_a_tail_is_fatal)
{
    struct captured captured = capture_child(flexible_array_of_a_rigid_type);
    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "type 'pair' has no flexible tail"));
}
END_TEST

static void object_of_a_bad_type(void)
{
    static const tri_type bad = {.size = 20, .ptr_bytes = 8, .gc_data = &bad, .name = "bad"};
    start_quiet();
    tri_alloc(&bad);
}

START_TEST(a_malformed_type_is_fatal)
{
    struct captured captured = capture_child(object_of_a_bad_type);
    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "type 'bad' is malformed"));
}
END_TEST

/* ---- copies ---- */

START_TEST(strings)
{
    char text[3000];
    start_quiet();
    for (size_t n = 0; n < sizeof text; n += 1 + n / 10) {
        char *copy;
        memset(text, 'x', n);
        text[n] = '\0';
        copy = tri_strdup(text);
        ck_assert_ptr_nonnull(copy);
        ck_assert_str_eq(copy, text);
        ck_assert_ptr_eq(tri_object_type(copy), &tri_type_bytes);
        text[0] = 'y';
        ck_assert(n == 0 || copy[0] == 'x');
    }
}
END_TEST

static void check_grown(size_t old_n, size_t new_n)
{
    size_t kept = old_n < new_n ? old_n : new_n;
    pair *old = tri_new_array(pair, old_n), *grown;
    for (size_t i = 0; i < old_n; i++)
        tri_init_store(&old[i].right, &old[i]);
    grown = tri_grow(old, &tri_type_pair, old_n, new_n);
    ck_assert_ptr_nonnull(grown);
    ck_assert_ptr_ne(grown, old);
    check_layout(grown, &tri_type_pair, new_n * sizeof *grown);
    for (size_t i = 0; i < new_n; i++)
        if (grown[i].left != NULL || grown[i].right != (i < kept ? &old[i] : NULL))
            ck_abort_msg("%zu to %zu: element %zu", old_n, new_n, i);
    for (size_t i = 0; i < old_n; i++)
        if (old[i].right != &old[i])
            ck_abort_msg("%zu to %zu: the old array has changed", old_n, new_n);
}

START_TEST(growing)
{
    static const size_t lengths[] = {0, 1, 2, 31, 32, 33, 300, 2047, 2048, 5000};
    size_t count = sizeof lengths / sizeof lengths[0];
    char *letters;
    start_quiet();
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            check_grown(lengths[i], lengths[k]);
    letters = tri_grow("odd length", &tri_type_letter, 11, 5003);
    ck_assert_str_eq(letters, "odd length");
    ck_assert(is_zero(letters + 11, 5003 - 11));
    ck_assert(is_zero(tri_grow(NULL, &tri_type_pair, 0, 10), 10 * sizeof(pair)));
    ck_assert(is_zero(tri_grow(NULL, &tri_type_pair, 7, 10), 10 * sizeof(pair)));
}
END_TEST

/* ---- tiny objects ---- */

#define TINY 2000

static int by_address(const void *a, const void *b)
{
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

START_TEST(tiny_objects_share_blocks)
{
    static uintptr_t blocks[TINY];
    size_t distinct = 0;
    start_quiet();
    for (size_t i = 0; i < TINY; i++) {
        void *p = tri_alloc_bytes(1);
        check_object(p, 1, &tri_type_bytes);
        blocks[i] = (uintptr_t)tri_object_base(p);
    }
    qsort(blocks, TINY, sizeof blocks[0], by_address);
    for (size_t i = 0; i < TINY; i++)
        distinct += i == 0 || blocks[i] != blocks[i - 1];
    ck_assert_uint_le(distinct, TINY / 16 + 1);
}
END_TEST

static __attribute__((noinline)) bool next_tiny_is_an_object(void)
{
    return tri_object_base(tri_alloc_bytes(3)) != NULL;
}

/* What is left of a block whose objects are dead is given back with them. */
START_TEST(a_dead_block_is_not_used_up)
{
    start_quiet();
    for (int i = 0; i < 10; i++) {
        ck_assert_msg(next_tiny_is_an_object(), "round %d", i);
        collect();
    }
    tri_shutdown();
}
END_TEST

/* Of each size, kept alive by a pointer to the tiny object alone; all others of its block die. */
START_TEST(a_block_lives_as_long_as_one_of_its_objects)
{
    unsigned char **kept;
    start_quiet();
    kept = (unsigned char **)tri_new_ptrs(TINY);
    for (size_t i = 0; i < 16 * TINY; i++) {
        size_t n = 1 + i % 7;
        unsigned char *p = tri_alloc_bytes(n);
        check_object(p, n, &tri_type_bytes);
        memset(p, (int)(i % 251), n);
        if (i % 16 == 0)
            tri_store(&kept[i / 16], p);
        if (i % 8000 == 0)
            collect();
    }
    for (size_t i = 0; i < 16 * TINY; i += 16)
        for (size_t k = 0; k < 1 + i % 7; k++)
            ck_assert_uint_eq(kept[i / 16][k], i % 251);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alloc");
    TCase *sizes = tcase_create("sizes"), *layouts = tcase_create("layouts");
    TCase *others = tcase_create("others");

    tcase_add_test(sizes, sizes_around_every_border);
    tcase_add_test(sizes, memory_is_zero_the_second_time);
    tcase_add_test(sizes, nothing_is_an_object_too);
    tcase_add_test(sizes, sizes_that_overflow);
    tcase_add_test(sizes, sizes_beyond_the_heap);
    tcase_set_timeout(sizes, 30);
    suite_add_tcase(suite, sizes);

    tcase_add_test(layouts, one_object_of_each_type);
    tcase_add_test(layouts, types_that_share_a_run);
    tcase_add_test(layouts, arrays);
    tcase_add_test(layouts, leaf_arrays);
    tcase_add_test(layouts, a_type_without_a_tail_is_fatal);
    tcase_add_test(layouts, a_malformed_type_is_fatal);
    tcase_set_timeout(layouts, 30);
    suite_add_tcase(suite, layouts);

    tcase_add_test(others, strings);
    tcase_add_test(others, growing);
    tcase_add_test(others, tiny_objects_share_blocks);
    tcase_add_test(others, a_dead_block_is_not_used_up);
    tcase_add_test(others, a_block_lives_as_long_as_one_of_its_objects);
    suite_add_tcase(suite, others);
    return run_suite(suite);
}
