/* SPDX-License-Identifier: MIT */
/* Roots outside of stacks: TRI_ROOT variables, registered ranges, handles. Objects must live as
 * long as one of these holds them, and die after. While a mark runs: tests/test_roots_in_mark.c. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture.h"
#include "collected.h"
#include "random.h"
#include "rooted.h"
#include "suite.h"
#include "threads.h"

#define MANY 4000

TRI_ROOT static node *variable;
TRI_ROOT static node *array[MANY];
TRI_ROOT struct {
    uintptr_t any;
    node *pointer;
} global_struct = {7, NULL};

static uint64_t test_seed;
static struct random rng;
static struct hidden seen[MANY];
static slot slots[MANY];

static void check_alive(size_t n)
{
    ck_assert_uint_eq(count_objects(seen, n), n);
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(((node *)reveal(seen[i]))->key, i);
    clear_stack();
}

static void check_gone(size_t n)
{
    size_t left = count_objects(seen, n);
    ck_assert_msg(left <= n / 20, "%zu of %zu are still there", left, n);
}

/* ---- variables ---- */

static __attribute__((noinline)) void fill_array(void)
{
    for (size_t i = 0; i < MANY; i++) {
        tri_store(&array[i], node_new(i));
        seen[i] = hide(array[i]);
    }
}

START_TEST(variables_keep_objects)
{
    start_quiet();
    fill_array();
    for (int i = 0; i < 3; i++) {
        collect();
        check_alive(MANY);
    }
    tri_memclr(array, sizeof array);
    collect();
    check_gone(MANY);
}
END_TEST

START_TEST(variables_of_all_kinds)
{
    start_quiet();
    ck_assert_uint_eq(global_struct.any, 7); /* initialized as written */
    tri_store(&variable, node_new(0));
    tri_store(&global_struct.pointer, node_new(1));
    tri_store(&global_struct.any, (uintptr_t)node_new(2) | 5);
    seen[0] = hide(variable);
    seen[1] = hide(global_struct.pointer);
    seen[2] = hide((void *)(global_struct.any & ~(uintptr_t)7));
    collect();
    check_alive(3);
}
END_TEST

/* ---- registered ranges ---- */

/* Of each element the first object hangs on a pointer, the second on a word that is none. */
static __attribute__((noinline)) void fill_slots(size_t n, bool pointers)
{
    for (size_t i = 0; i < n; i++) {
        node *p = node_new(i);
        seen[i] = hide(p);
        if (pointers && i % 2 == 0)
            tri_store(&slots[i].first, p);
        else if (pointers)
            tri_store(&slots[i].last, p);
        else
            slots[i].keys[i % 2] = slots[i].more = (uintptr_t)p;
    }
}

START_TEST(ranges_keep_what_their_pointers_hold)
{
    start_quiet();
    ck_assert_int_eq(tri_root_add(slots, &tri_type_slot, MANY), 0);
    fill_slots(MANY, true);
    collect();
    check_alive(MANY);
    ck_assert_int_eq(tri_root_remove(slots), 0);
    collect();
    check_gone(MANY);
}
END_TEST

START_TEST(other_words_of_ranges_keep_nothing)
{
    start_quiet();
    ck_assert_int_eq(tri_root_add(slots, &tri_type_slot, MANY), 0);
    fill_slots(MANY, false);
    collect();
    check_gone(MANY);
}
END_TEST

START_TEST(elements_behind_the_range_keep_nothing)
{
    start_quiet();
    ck_assert_int_eq(tri_root_add(slots, &tri_type_slot, 1), 0);
    fill_slots(MANY, true);
    collect();
    check_gone(MANY);
    ck_assert_ptr_nonnull(tri_object_base(slots[0].first));
}
END_TEST

/* The memory may be released as soon as the call is back. */
START_TEST(ranges_in_memory_that_is_freed)
{
    start_quiet();
    for (int i = 0; i < 50; i++) {
        size_t n = 1 + (size_t)i * 40;
        slot *range = calloc(n, sizeof *range);
        ck_assert_ptr_nonnull(range);
        ck_assert_int_eq(tri_root_add(range, &tri_type_slot, n), 0);
        tri_store(&range[n - 1].last, node_new((uintptr_t)i));
        if (i % 10 == 0)
            tri_collect();
        ck_assert_uint_eq(range[n - 1].last->key, (uintptr_t)i);
        ck_assert_int_eq(tri_root_remove(range), 0);
        memset(range, 0xff, n * sizeof *range);
        free(range);
    }
}
END_TEST

START_TEST(ranges_that_are_refused)
{
    char *base = (char *)slots;
    start_quiet();
    ck_assert_int_eq(tri_root_add(NULL, &tri_type_slot, 1), -EINVAL);
    ck_assert_int_eq(tri_root_add(slots, &tri_type_slot, 0), -EINVAL);
    ck_assert_int_eq(tri_root_add(base + 4, &tri_type_slot, 1), -EINVAL);
    ck_assert_int_eq(tri_root_add(slots, &tri_type_slot, SIZE_MAX / 8), -EINVAL);
    ck_assert_int_eq(tri_root_add(slots, &tri_type_ptr, SIZE_MAX / 8), -EINVAL);
    ck_assert_int_eq(tri_root_remove(slots), -ENOENT);
    ck_assert_int_eq(tri_root_remove(NULL), -ENOENT);
    ck_assert_int_eq(tri_root_add(&slots[10], &tri_type_slot, 10), 0);
    ck_assert_int_eq(tri_root_add(&slots[10], &tri_type_slot, 10), -EINVAL);
    ck_assert_int_eq(tri_root_add(&slots[10], &tri_type_ptr, 1), -EINVAL);
    ck_assert_int_eq(tri_root_add(&slots[5], &tri_type_slot, 6), -EINVAL);
    ck_assert_int_eq(tri_root_add(&slots[19], &tri_type_slot, 6), -EINVAL);
    ck_assert_int_eq(tri_root_add(&slots[12], &tri_type_slot, 2), -EINVAL);
    ck_assert_int_eq(tri_root_add(&slots[5], &tri_type_slot, 30), -EINVAL);
    ck_assert_int_eq(tri_root_add(array, &tri_type_ptr, 1), -EINVAL); /* a root already */
    ck_assert_int_eq(tri_root_add(&slots[20], &tri_type_slot, 1), 0);
    ck_assert_int_eq(tri_root_add(&slots[9], &tri_type_slot, 1), 0);
    ck_assert_int_eq(tri_root_remove(&slots[11]), -ENOENT);
    ck_assert_int_eq(tri_root_remove(&slots[10]), 0);
    ck_assert_int_eq(tri_root_remove(&slots[10]), -ENOENT);
    ck_assert_int_eq(tri_root_remove(&slots[20]), 0);
    ck_assert_int_eq(tri_root_remove(&slots[9]), 0);
}
END_TEST

/* Types without pointers, of any size, and flexible ones. */
START_TEST(ranges_of_odd_types)
{
    start_quiet();
    ck_assert_int_eq(tri_root_add(slots, &tri_type_bytes, 13), 0);
    ck_assert_int_eq(tri_root_add(&slots[1], &tri_type_conservative, 10), 0);
    tri_store(&slots[1].more, (uintptr_t)node_new(0));
    seen[0] = hide((void *)slots[1].more);
    collect();
    check_alive(1);
    tri_memcpy((char *)slots + 1, "twelve bytes", 12);
    ck_assert_int_eq(memcmp((char *)slots + 1, "twelve bytes", 12), 0);
    ck_assert_int_eq(tri_root_remove(slots), 0);
    ck_assert_int_eq(tri_root_remove(&slots[1]), 0);
}
END_TEST

static void add_bad_type(void)
{
    static const tri_type bad = {.size = 12, .ptr_bytes = 8, .gc_data = &bad, .name = "bad"};
    start_quiet();
    tri_root_add(slots, &bad, 1);
}

START_TEST(a_malformed_type_is_fatal)
{
    struct captured captured = capture_child(add_bad_type);
    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "type 'bad' is malformed"));
}
END_TEST

/* Against a model that knows of each element which range it belongs to. */
#define ELEMENTS 300

static int owner_of[ELEMENTS]; /* the first element of its range, or -1 */

static void add_some(void)
{
    int first = (int)random_below(&rng, ELEMENTS);
    int n = 1 + (int)random_below(&rng, 12), expected = 0;
    if (first + n > ELEMENTS)
        n = ELEMENTS - first;
    for (int i = first; i < first + n; i++)
        if (owner_of[i] >= 0)
            expected = -EINVAL;
    ck_assert_int_eq(tri_root_add(&slots[first], &tri_type_slot, (size_t)n), expected);
    for (int i = first; expected == 0 && i < first + n; i++)
        owner_of[i] = first;
}

static void remove_some(void)
{
    int at = (int)random_below(&rng, ELEMENTS);
    int expected = owner_of[at] == at ? 0 : -ENOENT;
    ck_assert_int_eq(tri_root_remove(&slots[at]), expected);
    for (int i = at; expected == 0 && i < ELEMENTS && owner_of[i] == at; i++)
        owner_of[i] = -1;
}

static __attribute__((noinline)) void hang_on_all(void)
{
    for (size_t i = 0; i < ELEMENTS; i++) {
        slots[i].first = node_new(i); /* some of these are no roots, so no barrier is needed */
        seen[i] = hide(slots[i].first);
    }
}

static void check_model(void)
{
    size_t alive = 0, roots = 0;
    hang_on_all();
    collect();
    for (size_t i = 0; i < ELEMENTS; i++) {
        alive += tri_object_base(reveal(seen[i])) != NULL;
        roots += owner_of[i] >= 0;
        if (owner_of[i] >= 0 && tri_object_base(reveal(seen[i])) == NULL)
            ck_abort_msg("element %zu is a root, and its object is gone", i);
    }
    ck_assert_uint_le(alive, roots + ELEMENTS / 20);
}

START_TEST(ranges_come_and_go)
{
    start_quiet();
    rng = random_of(test_seed, 0);
    memset(owner_of, -1, sizeof owner_of);
    for (int round = 0; round < 15; round++) {
        for (int i = 0; i < 60; i++)
            random_below(&rng, 3) == 0 ? remove_some() : add_some();
        check_model();
    }
}
END_TEST

/* ---- handles ---- */

static tri_handle *handles[MANY];

static __attribute__((noinline)) void make_handles(void)
{
    for (size_t i = 0; i < MANY; i++) {
        node *p = node_new(i);
        seen[i] = hide(p);
        handles[i] = tri_handle_new(p);
        ck_assert_ptr_nonnull(handles[i]);
    }
}

static void free_handles(void)
{
    for (size_t i = 0; i < MANY; i++)
        tri_handle_free(handles[i]);
}

START_TEST(handles_keep_objects)
{
    start_quiet();
    for (int round = 0; round < 3; round++) {
        make_handles();
        collect();
        check_alive(MANY);
        for (size_t i = 0; i < MANY; i++)
            ck_assert_ptr_eq(tri_handle_get(handles[i]), reveal(seen[i]));
        clear_stack();
        free_handles();
        collect();
        check_gone(MANY);
    }
}
END_TEST

static __attribute__((noinline)) void set_handles(void)
{
    for (size_t i = 0; i < MANY; i++) {
        node *p = node_new(i);
        seen[i] = hide(p);
        tri_handle_set(handles[i], p);
    }
}

START_TEST(handles_are_set)
{
    static struct hidden before[MANY];
    start_quiet();
    make_handles();
    memcpy(before, seen, sizeof seen);
    set_handles();
    collect();
    check_alive(MANY);
    memcpy(seen, before, sizeof seen);
    check_gone(MANY);
    tri_handle_set(handles[0], NULL);
    ck_assert_ptr_null(tri_handle_get(handles[0]));
    tri_handle_free(handles[0]);
    tri_handle_free(NULL);
}
END_TEST

START_TEST(a_handle_that_holds_nothing)
{
    tri_handle *handle;
    start_quiet();
    handle = tri_handle_new(NULL);
    ck_assert_ptr_nonnull(handle);
    ck_assert_ptr_null(tri_handle_get(handle));
    collect();
    ck_assert_ptr_null(tri_handle_get(handle));
    tri_handle_free(handle);
}
END_TEST

static void free_twice(void)
{
    tri_handle *handle;
    start_quiet();
    handle = tri_handle_new(tri_new(node));
    tri_handle_free(handle);
    tri_handle_free(handle);
}

START_TEST(freeing_a_handle_twice_is_fatal)
{
    struct captured captured = capture_child(free_twice);
    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "of a handle that is free already"));
}
END_TEST

/* ---- threads ---- */

#define THREADS 4
#define TURNS 1500

static tri_handle *shared; /* every thread replaces what it holds */

static void *handle_main(void *argument)
{
    struct random random = random_of(test_seed, (uintptr_t)argument);
    tri_handle *mine[20] = {NULL};
    slot *range = calloc(1, sizeof *range);
    ck_assert_ptr_nonnull(range);
    for (uintptr_t i = 1; i <= TURNS; i++) {
        unsigned at = (unsigned)random_below(&random, 20);
        const node *seen_now = mine[at] == NULL ? NULL : tri_handle_get(mine[at]);
        if (seen_now != NULL && seen_now->key % 20 != at)
            return "a handle holds another thread's object";
        tri_handle_free(mine[at]);
        mine[at] = tri_handle_new(node_new(20 * i + at));
        tri_handle_set(shared, node_new(20 * i));
        if (((node *)tri_handle_get(shared))->key % 20 != 0)
            return "the shared handle holds what nobody has put there";
        if (i % 100 == 0 && tri_root_add(range, &tri_type_slot, 1) != 0)
            return "a range cannot be registered";
        if (i % 100 == 50 && i > 100 && tri_root_remove(range) != 0)
            return "a range cannot be removed";
        if (i % 100 < 50 && i >= 100)
            tri_store(&range->first, node_new(i));
    }
    for (unsigned at = 0; at < 20; at++)
        tri_handle_free(mine[at]);
    return tri_root_remove(range) == 0 ? (free(range), NULL) : "the last range is not there";
}

START_TEST(roots_of_many_threads)
{
    pthread_t threads[THREADS];
    start_quiet();
    shared = tri_handle_new(node_new(0));
    for (uintptr_t i = 0; i < THREADS; i++)
        start_thread(&threads[i], handle_main, (void *)i);
    for (int i = 0; i < 20; i++)
        tri_collect();
    for (int i = 0; i < THREADS; i++)
        join_without_error(threads[i]);
    tri_shutdown();
}
END_TEST

#define RANGE ((size_t)4 << 20)

static uint32_t done; /* atomic */

/* Were a marker still reading the range by an old table, it would fault. */
static void *unmapper_main(void *unused)
{
    (void)unused;
    for (int i = 0; i < 400; i++) {
        void *range = mmap(NULL, RANGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(range, MAP_FAILED);
        ck_assert_int_eq(tri_root_add(range, &tri_type_conservative, RANGE / 8), 0);
        TRI_BLOCKING
            usleep((useconds_t)(i % 8) * 100);
        ck_assert_int_eq(tri_root_remove(range), 0);
        ck_assert_int_eq(munmap(range, RANGE), 0);
    }
    __atomic_store_n(&done, 1, __ATOMIC_RELAXED);
    return NULL;
}

START_TEST(ranges_are_unmapped_beside_cycles)
{
    pthread_t thread;
    start_quiet();
    start_thread(&thread, unmapper_main, NULL);
    while (__atomic_load_n(&done, __ATOMIC_RELAXED) == 0)
        tri_collect();
    join(thread);
    tri_shutdown();
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("roots");
    TCase *variables = tcase_create("variables"), *ranges = tcase_create("ranges");
    TCase *handle = tcase_create("handles"), *threads = tcase_create("threads");
    test_seed = random_start(argc, argv);

    tcase_add_test(variables, variables_keep_objects);
    tcase_add_test(variables, variables_of_all_kinds);
    suite_add_tcase(suite, variables);

    tcase_add_test(ranges, ranges_keep_what_their_pointers_hold);
    tcase_add_test(ranges, other_words_of_ranges_keep_nothing);
    tcase_add_test(ranges, elements_behind_the_range_keep_nothing);
    tcase_add_test(ranges, ranges_in_memory_that_is_freed);
    tcase_add_test(ranges, ranges_that_are_refused);
    tcase_add_test(ranges, ranges_of_odd_types);
    tcase_add_test(ranges, a_malformed_type_is_fatal);
    tcase_add_test(ranges, ranges_come_and_go);
    tcase_set_timeout(ranges, 30);
    suite_add_tcase(suite, ranges);

    tcase_add_test(handle, handles_keep_objects);
    tcase_add_test(handle, handles_are_set);
    tcase_add_test(handle, a_handle_that_holds_nothing);
    tcase_add_test(handle, freeing_a_handle_twice_is_fatal);
    suite_add_tcase(suite, handle);

    tcase_add_test(threads, roots_of_many_threads);
    tcase_add_test(threads, ranges_are_unmapped_beside_cycles);
    tcase_set_timeout(threads, 30);
    suite_add_tcase(suite, threads);
    return run_suite(suite);
}
