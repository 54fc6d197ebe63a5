/* SPDX-License-Identifier: MIT */
/* Bulk barriers: which words of a range are shaded, held against the layout oracle, and that all of
 * them arrive, wherever a buffer ends. */
#include <check.h>
#include <stdlib.h>

#include "bulk_subjects.h"
#include "suite.h"

static void check_pre_write(struct subject *s, size_t from, size_t n)
{
    static uintptr_t expected[SHADED_ROOM];
    const uintptr_t *src = random_below(&rng, 3) != 0 ? &source[random_below(&rng, 100)] : NULL;
    bool old = random_below(&rng, 3) != 0 || src == NULL;
    size_t count;
    if (!old)
        memset(s->base + from, 0, n * TRI_WORD); /* what that barrier is for */
    count = expected_entries(s, from, n, src, old, expected);
    if (old)
        tri_bulk_barrier_pre_write(s->base + from, src, n * TRI_WORD);
    else
        tri_bulk_barrier_pre_write_src_only(s->base + from, src, n * TRI_WORD);
    check_entries(expected, tri__self->barrier == TRI__BARRIER_IDLE ? 0 : count);
}

static void check_ranges(struct subject *s)
{
    size_t from, n;
    number_words(s, 1);
    check_pre_write(s, 0, s->words);
    for (int i = 0; i < 300; i++) {
        if (i % 10 == 0)
            number_words(s, 1);
        random_range(s, &from, &n);
        check_pre_write(s, from, n);
    }
}

START_TEST(ranges_are_walked_by_their_layout)
{
    start_in((enum tri__barrier_state)_i);
    for (int i = 0; i < SUBJECTS; i++)
        check_ranges(&subjects[i]);
}
END_TEST

START_TEST(nulls_are_not_shaded)
{
    uintptr_t nothing[7] = {0};
    start_in(TRI__BARRIER_SCANNED);
    tri_bulk_barrier_pre_write(subjects[0].base, nothing, sizeof(part));
    tri_memcpy(subjects[0].base, nothing, sizeof(part));
    ck_assert_uint_eq(take_shaded()->count, 0);
}
END_TEST

/* Every word of a TRI_ROOT variable. */
START_TEST(variables_of_modules)
{
    start_in(TRI__BARRIER_SCANNED);
    for (uintptr_t i = 0; i < 5; i++)
        variables[i] = (void *)(i + 1);
    tri_bulk_barrier_pre_write(&variables[1], source, 3 * sizeof variables[0]);
    check_entries((uintptr_t[]){2, 3, 4, SRC_FIRST, SRC_FIRST + 1, SRC_FIRST + 2}, 6);
    tri_memclr(variables, sizeof variables);
    check_entries((uintptr_t[]){1, 2, 3, 4, 5}, 5);
    ck_assert(is_zero(variables, sizeof variables));
}
END_TEST

/* A stack and malloc's memory have no barrier, and any alignment. */
START_TEST(memory_that_is_no_root)
{
    char local[64] = {0}, *foreign = malloc(64);
    start_in(TRI__BARRIER_SCANNED);
    ck_assert_ptr_nonnull(foreign);
    tri_memcpy(local + 1, (char *)source + 8, 33);
    tri_memcpy(foreign + 3, (char *)source + 8, 33);
    ck_assert_int_eq(memcmp(local + 1, (char *)source + 8, 33), 0);
    ck_assert_int_eq(memcmp(foreign + 3, (char *)source + 8, 33), 0);
    tri_memmove(foreign, foreign + 3, 40);
    ck_assert_int_eq(memcmp(foreign, (char *)source + 8, 33), 0);
    tri_memclr(local + 1, 33);
    ck_assert(is_zero(local, sizeof local));
    tri_bulk_barrier_pre_write(foreign, source, 64);
    ck_assert_uint_eq(take_shaded()->count, 0);
    free(foreign);
}
END_TEST

/* Leaf objects, too. */
START_TEST(leaf_objects_at_any_alignment)
{
    char *leaf;
    start_in((enum tri__barrier_state)_i);
    leaf = (char *)subjects[6].base;
    tri_memcpy(leaf + 5, (char *)source + 3, 777);
    ck_assert_int_eq(memcmp(leaf + 5, (char *)source + 3, 777), 0);
    tri_memmove(leaf + 6, leaf + 5, 777);
    ck_assert_int_eq(memcmp(leaf + 6, (char *)source + 3, 777), 0);
    tri_memclr(leaf + 7, 775);
    ck_assert(is_zero(leaf + 7, 775));
    ck_assert_int_eq(leaf[6], ((char *)source)[3]);
    ck_assert_uint_eq(take_shaded()->count, 0);
}
END_TEST

START_TEST(ranges_of_no_bytes)
{
    start_in((enum tri__barrier_state)_i);
    tri_memmove(subjects[0].base, source, 0);
    tri_memclr(subjects[0].base, 0);
    tri_bulk_barrier_pre_write(subjects[0].base, source, 0);
    tri_bulk_barrier_pre_write(subjects[0].base + 7, source, 0);
    ck_assert_uint_eq(take_shaded()->count, 0);
}
END_TEST

/* ---- buffers ---- */

static void fill_buffer(uintptr_t count)
{
    for (uintptr_t i = 0; i < count; i++)
        tri__buffer_push(own_writer(), SRC_FIRST + i);
}

/* A step's entries fit exactly, or do not by one, or by all: old values only, new ones only, both. */
static void check_border(uintptr_t filled, size_t words)
{
    static uintptr_t expected[SHADED_ROOM];
    struct subject *s = &subjects[POINTERS];
    size_t from = s->words - words, count = 0;
    for (int kind = 0; kind < 3; kind++) {
        const uintptr_t *src = kind == 0 ? NULL : &source[2 * TRI__BUFFER_ENTRIES];
        number_words(s, 1);
        if (kind == 2)
            memset(s->base, 0, s->words * TRI_WORD);
        count = expected_entries(s, from, words, src, true, expected);
        for (uintptr_t i = 0; i < filled; i++)
            expected[count++] = SRC_FIRST + i;
        fill_buffer(filled);
        tri_bulk_barrier_pre_write(s->base + from, src, words * TRI_WORD);
        check_entries(expected, count);
    }
}

START_TEST(borders_of_buffers)
{
    static const size_t words[] = {1, 2, 3, 31, 32, 33, 63, 64};
    start_in(TRI__BARRIER_SCANNED);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (uintptr_t left = 0; left <= 2 * words[i] + 1; left++)
            check_border(TRI__BUFFER_ENTRIES - left, words[i]);
        check_border(0, words[i]);
    }
}
END_TEST

/* NULLs take no room, and hide nothing behind them. */
START_TEST(nulls_between)
{
    static uintptr_t expected[SHADED_ROOM];
    struct subject *s = &subjects[11];
    start_in(TRI__BARRIER_SCANNED);
    for (int i = 0; i < 50; i++) {
        uint64_t percent = random_below(&rng, 101);
        size_t from, n, count;
        number_words(s, 1);
        for (size_t k = 0; k < s->words; k++)
            if (random_below(&rng, 100) < percent)
                s->base[k] = 0;
        random_range(s, &from, &n);
        count = expected_entries(s, from, n, NULL, true, expected);
        tri_bulk_barrier_pre_write(s->base + from, NULL, n * TRI_WORD);
        check_entries(expected, count);
    }
}
END_TEST

/* ---- what is left of a list when its NULLs are left out, in any order ---- */

#define MOST_VALUES 11

static const struct {
    size_t count;
    uintptr_t values[MOST_VALUES];
} lists[] = {
    {0, {0}},
    {1, {4}},
    {1, {0}},
    {2, {0, 4}},
    {2, {4, 0}},
    {4, {0, 0, 0, 4}},
    {4, {4, 0, 0, 0}},
    {5, {0, 0, 0, 4, 0}},
    {2, {5, 12}},
    {3, {0, 5, 12}},
    {3, {5, 0, 12}},
    {3, {5, 12, 0}},
    {5, {0, 5, 0, 12, 0}},
    {11, {1, 5, 5, 0, 0, 0, 12, 0, 121, 5, 0}},
};
#define LISTS ((int)(sizeof lists / sizeof lists[0]))

static size_t add_values(uintptr_t *to, size_t count, int which)
{
    for (size_t i = 0; i < lists[which].count; i++)
        if (lists[which].values[i] != 0)
            to[count++] = lists[which].values[i];
    return count;
}

/* At both ends of an object: as old values, as new ones, and as both, of all lists so long. */
static void check_list(struct subject *s, size_t from, int which)
{
    size_t n = lists[which].count, bytes = n * TRI_WORD;
    uintptr_t expected[2 * MOST_VALUES], *dst = s->base + from;

    memset(s->base, 0, s->words * TRI_WORD);
    tri_bulk_barrier_pre_write_src_only(dst, lists[which].values, bytes);
    check_entries(expected, add_values(expected, 0, which));
    tri_bulk_barrier_pre_write(dst, lists[which].values, bytes);
    check_entries(expected, add_values(expected, 0, which));
    memcpy(dst, lists[which].values, bytes);
    tri_bulk_barrier_pre_write(dst, NULL, bytes);
    check_entries(expected, add_values(expected, 0, which));
    for (int other = 0; other < LISTS; other++)
        if (lists[other].count == n) {
            tri_bulk_barrier_pre_write(dst, lists[other].values, bytes);
            check_entries(expected, add_values(expected, add_values(expected, 0, which), other));
        }
}

START_TEST(lists_without_their_nulls)
{
    struct subject *s = &subjects[POINTERS];
    start_in(TRI__BARRIER_SCANNED);
    check_list(s, 0, _i);
    check_list(s, s->words - lists[_i].count, _i);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("bulk");
    TCase *walks = tcase_create("walks"), *buffers = tcase_create("buffers");
    int phases = TRI__BARRIER_SCANNED + 1;
    test_seed = random_start(argc, argv);

    tcase_add_loop_test(walks, ranges_are_walked_by_their_layout, 0, phases);
    tcase_add_test(walks, nulls_are_not_shaded);
    tcase_add_test(walks, variables_of_modules);
    tcase_add_test(walks, memory_that_is_no_root);
    tcase_add_loop_test(walks, leaf_objects_at_any_alignment, 0, phases);
    tcase_add_loop_test(walks, ranges_of_no_bytes, 0, phases);
    tcase_set_timeout(walks, 20);
    suite_add_tcase(suite, walks);

    tcase_add_test(buffers, borders_of_buffers);
    tcase_add_test(buffers, nulls_between);
    tcase_add_loop_test(buffers, lists_without_their_nulls, 0, LISTS);
    tcase_set_timeout(buffers, 20);
    suite_add_tcase(suite, buffers);
    return run_suite(suite);
}
