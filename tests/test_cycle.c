/* SPDX-License-Identifier: MIT */
/* Whole cycles, seen from the program: what is reachable stays as it was, what is not is freed. */
#include <check.h>
#include <stdlib.h>

#include "capture.h"
#include "collected.h"
#include "suite.h"

#define MANY 20000

typedef struct node {
    struct node *left, *right;
    uintptr_t key; /* no pointer, whatever it looks like */
    long rest;
} node;
TRI_TYPE(node, left, right);

/* With a footer; the first word and the last. */
typedef struct wide {
    node *first;
    uintptr_t keys[80];
    node *last;
} wide;
TRI_TYPE(wide, first, last);

typedef struct list {
    struct list *next;
    node *items[];
} list;
TRI_FLEX_TYPE(list, items, next);

TRI_ROOT static void *root;

static struct hidden seen[MANY];

static node *node_new(uintptr_t key)
{
    node *fresh = tri_new(node);
    if (fresh == NULL)
        ck_abort_msg("out of memory");
    fresh->key = key;
    return fresh;
}

/* Most are gone; compilers may keep a few. */
static void check_gone(size_t n)
{
    size_t left = count_objects(seen, n);
    ck_assert_msg(left <= n / 20, "%zu of %zu are still there", left, n);
}

static void check_alive(size_t n)
{
    ck_assert_uint_eq(count_objects(seen, n), n);
}

/* ---- garbage ---- */

static __attribute__((noinline)) void make_garbage(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (i % 6) {
        case 0:
            seen[i] = hide(node_new(i));
            break;
        case 1:
            seen[i] = hide(tri_alloc_bytes(1 + i % 3000));
            break;
        case 2:
            seen[i] = hide(tri_new(wide));
            break;
        case 3:
            seen[i] = hide(tri_new_flex(list, i % 900));
            break;
        case 4:
            seen[i] = hide(tri_alloc_conservative(i % 20000));
            break;
        default:
            seen[i] = hide(i % 100 == 5 ? tri_new_ptrs(9000) : tri_new_ptrs(2));
        }
    }
}

START_TEST(garbage_is_freed)
{
    tri_stats before, after;
    start_quiet();
    make_garbage(MANY);
    before = stats_now();
    check_alive(MANY);
    collect();
    check_gone(MANY);
    after = stats_now();
    ck_assert_uint_le(after.heap_bytes, before.allocated_bytes / 20);
    ck_assert_uint_ge(after.freed_bytes, before.allocated_bytes / 20 * 19);
    ck_assert_uint_eq(after.cycles, 1);
}
END_TEST

static __attribute__((noinline)) void make_rings(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        node *a = node_new(i), *b = node_new(i);
        tri_store(&a->left, b);
        tri_store(&b->left, a);
        tri_store(&b->right, b);
        seen[i] = hide(a);
    }
}

START_TEST(garbage_that_points_to_itself_is_freed)
{
    start_quiet();
    make_rings(MANY);
    collect();
    check_gone(MANY);
}
END_TEST

static volatile uintptr_t foreign[MANY];

/* Addresses in words that are not declared pointers, in leaf objects, and in a global variable. */
static __attribute__((noinline)) void point_without_pointers(size_t n)
{
    wide *holder = tri_new(wide);
    uintptr_t *leaf = tri_alloc_bytes(n * sizeof *leaf);
    for (size_t i = 0; i < n; i++) {
        node *p = node_new(i);
        seen[i] = hide(p);
        if (i % 3 == 0)
            holder->keys[i / 3 % 80] = (uintptr_t)p;
        if (i % 3 == 1)
            leaf[i] = (uintptr_t)p;
        if (i % 3 == 2)
            foreign[i] = (uintptr_t)p; /* no root */
    }
    tri_store(&holder->last, node_new(0));
    tri_store(&holder->last->left, (node *)(void *)leaf);
    holder->last->key = ~seen[0].bits;
    tri_store(&root, holder);
}

START_TEST(words_that_are_no_pointers_keep_nothing)
{
    start_quiet();
    point_without_pointers(MANY);
    collect();
    check_gone(MANY);
    ck_assert_ptr_nonnull(tri_object_base(root));
}
END_TEST

/* ---- what is reachable ---- */

/* A complete tree whose keys are its nodes' numbers. */
static node *tree_new(unsigned depth, uintptr_t number)
{
    node *top = node_new(number);
    if (depth > 0) {
        tri_store(&top->left, tree_new(depth - 1, 2 * number));
        tri_store(&top->right, tree_new(depth - 1, 2 * number + 1));
    }
    return top;
}

static size_t check_tree(const node *top, unsigned depth, uintptr_t number)
{
    if (tri_object_base(top) != top || top->key != number || top->rest != 0)
        ck_abort_msg("node %zu was overwritten", (size_t)number);
    if (depth == 0)
        return top->left == NULL && top->right == NULL ? 1 : 0;
    return 1 + check_tree(top->left, depth - 1, 2 * number) +
           check_tree(top->right, depth - 1, 2 * number + 1);
}

static __attribute__((noinline)) void plant_tree(unsigned depth)
{
    tri_store(&root, tree_new(depth, 1));
}

static void keep_and_drop_a_tree(void)
{
    plant_tree(14);
    for (int i = 0; i < 3; i++) {
        make_garbage(3000); /* so that freed memory is used again */
        collect();
        ck_assert_uint_eq(check_tree(root, 14, 1), (1 << 15) - 1);
    }
    tri_store(&root, NULL);
    collect();
    ck_assert_uint_le(stats_now().heap_bytes, 4 << 10);
}

START_TEST(a_tree)
{
    start_quiet();
    keep_and_drop_a_tree();
}
END_TEST

/* Without memory for work chunks marking falls back to walking the heap. */
START_TEST(a_tree_without_work_chunks)
{
    if (!IS_DEBUG_BUILD)
        return;
    ck_assert_int_eq(setenv("TRICOLOR_FAULT", "no-chunks", 1), 0);
    start_quiet();
    keep_and_drop_a_tree();
}
END_TEST

START_TEST(a_tree_with_several_markers)
{
    tri_config config = TRI_CONFIG_INIT;
    config.gc_percent = -1;
    config.markers = 3;
    ck_assert_int_eq(tri_init(&config), 0);
    keep_and_drop_a_tree();
    tri_shutdown();
}
END_TEST

#define DEEP 1000000

static __attribute__((noinline)) void make_list(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        node *fresh = node_new(i);
        tri_store(&fresh->left, (node *)root);
        tri_store(&root, fresh);
    }
}

START_TEST(a_deep_list)
{
    size_t i = DEEP;
    start_quiet();
    make_list(DEEP);
    collect();
    for (const node *p = root; p != NULL; p = p->left)
        if (p->key != --i)
            ck_abort_msg("element %zu was overwritten", i);
    ck_assert_uint_eq(i, 0);
    ck_assert_uint_ge(stats_now().marked_objects, DEEP);
    tri_store(&root, NULL);
    collect();
    ck_assert_uint_le(stats_now().heap_bytes, 4 << 10);
}
END_TEST

/* Large enough for many pieces of 128 KiB; elements at the borders of pieces, too. */
static __attribute__((noinline)) void fill_large_array(size_t n)
{
    void **array = tri_new_ptrs(n);
    for (size_t i = 0; i < MANY; i++) {
        size_t at = i < 100 ? i : i < 200 ? n - 1 - 2 * (i - 100) : i * (n / MANY);
        node *p = node_new(i);
        seen[i] = hide(p);
        tri_store(&array[at], (void *)p);
    }
    tri_store(&root, (void *)array);
}

static void check_large_array(size_t n)
{
    fill_large_array(n);
    collect();
    check_alive(MANY);
    for (size_t i = 0; i < MANY; i++)
        ck_assert_uint_eq(((node *)reveal(seen[i]))->key, i);
    clear_stack();
    tri_memclr(root, n * sizeof(void *));
    collect();
    check_gone(MANY);
}

START_TEST(large_arrays)
{
    start_quiet();
    check_large_array(1000000);
    check_large_array(5 * 16384);
}
END_TEST

/* ---- kinds of pointers ---- */

/* Interior, tagged, to the last byte: each keeps its object. */
static __attribute__((noinline)) void point_inside(size_t n)
{
    void **array = tri_new_ptrs(n);
    tri_store(&root, (void *)array);
    for (size_t i = 0; i < n; i++) {
        size_t bytes = i % 500 == 0 ? 50000 : 16 + i % 700;
        char *p = tri_alloc_conservative(bytes);
        seen[i] = hide(p);
        tri_store(&array[i], (void *)(p + (i % 3 == 0   ? i % 8 /* a tag */
                                           : i % 3 == 1 ? bytes - 1
                                                        : bytes / 2)));
    }
}

START_TEST(pointers_into_objects)
{
    start_quiet();
    point_inside(MANY);
    collect();
    check_alive(MANY);
    collect();
    check_alive(MANY);
    tri_store(&root, NULL);
    collect();
    check_gone(MANY);
}
END_TEST

/* Each word of a conservative object may be a pointer; what else it holds does no harm. */
static __attribute__((noinline)) void fill_conservative(size_t n)
{
    uintptr_t *words = tri_alloc_conservative(n * 2 * sizeof *words);
    tri_store(&root, (void *)words);
    for (size_t i = 0; i < n; i++) {
        node *p = node_new(i);
        seen[i] = hide(p);
        tri_store(&words[2 * i], (uintptr_t)p);
        words[2 * i + 1] = i * 0x123456789u;
    }
}

START_TEST(conservative_objects)
{
    start_quiet();
    fill_conservative(20); /* a bitmap */
    collect();
    check_alive(20);
    fill_conservative(500); /* a footer */
    collect();
    check_alive(500);
    fill_conservative(MANY);
    collect();
    check_alive(MANY);
    tri_store(&root, NULL);
    collect();
    check_gone(MANY);
}
END_TEST

/* The last pointer of each kind of layout. */
static __attribute__((noinline)) void hang_on_last_words(size_t n)
{
    void **array = tri_new_ptrs(n);
    tri_store(&root, (void *)array);
    for (size_t i = 0; i < n; i++) {
        node *p = node_new(i);
        size_t length = i % 2 == 0 ? i % 50 : i % 500 == 1 ? 20000 : 100 + i % 500;
        seen[i] = hide(p);
        if (i % 3 == 0) {
            list *l = tri_new_flex(list, length + 1);
            tri_store(&l->items[length], p);
            tri_store(&array[i], (void *)l);
        } else if (i % 3 == 1) {
            wide *w = tri_new_array(wide, 1 + length / 100);
            tri_store(&w[length / 100].last, p);
            tri_store(&array[i], (void *)w);
        } else {
            node *many = tri_new_array(node, length + 1);
            tri_store(&many[length].right, p);
            tri_store(&array[i], (void *)many);
        }
    }
}

START_TEST(last_words_of_objects)
{
    size_t n = 3000;
    start_quiet();
    hang_on_last_words(n);
    collect();
    check_alive(n);
    tri_store(&root, NULL);
    collect();
    check_gone(n);
}
END_TEST

/* Kept by the stack alone: a local of a frame that goes on. */
START_TEST(locals_keep_what_they_point_to)
{
    node *first, *second;
    start_quiet();
    first = node_new(1);
    second = node_new(2);
    tri_store(&second->left, node_new(3));
    make_garbage(1000);
    collect();
    make_garbage(1000);
    ck_assert_uint_eq(first->key, 1);
    ck_assert_uint_eq(second->key, 2);
    ck_assert_uint_eq(second->left->key, 3);
}
END_TEST

/* ---- while the program runs ---- */

#define THREADS 3
#define CYCLES 30

static uint32_t stop; /* atomic */

/* Replaces subtrees of a tree that it then checks. */
static void *gardener_main(void *unused)
{
    node *top = tree_new(8, 1);
    (void)unused;
    while (__atomic_load_n(&stop, __ATOMIC_RELAXED) == 0) {
        node *at = top;
        unsigned depth = 8;
        uintptr_t number = 1;
        for (; depth > 3; depth--) {
            unsigned right = (unsigned)rand() & 1;
            at = right ? at->right : at->left;
            number = 2 * number + right;
        }
        tri_store(&at->left, tree_new(depth - 1, 2 * number));
        node *moved = at->right;
        tri_store(&at->right, NULL);
        tri_safepoint();
        tri_store(&at->right, moved);
    }
    return check_tree(top, 8, 1) == 511 ? NULL : "the tree is not as it was";
}

static void start_gardeners(pthread_t *threads)
{
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(tri_thread_create(&threads[i], NULL, gardener_main, NULL), 0);
}

static void stop_gardeners(pthread_t *threads)
{
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++) {
        void *error;
        TRI_BLOCKING
            ck_assert_int_eq(pthread_join(threads[i], &error), 0);
        ck_assert_msg(error == NULL, "%s", (char *)error);
    }
}

START_TEST(cycles_beside_the_program)
{
    pthread_t threads[THREADS];
    start_quiet();
    start_gardeners(threads);
    for (int i = 0; i < CYCLES; i++)
        tri_collect();
    stop_gardeners(threads);
    ck_assert_uint_ge(stats_now().cycles, CYCLES);
    tri_shutdown();
}
END_TEST

/* A cycle that was running already when tri_collect was called is not enough. */
static void *collector_main(void *argument)
{
    struct hidden *mine = argument;
    for (int i = 0; i < 5; i++) {
        for (size_t k = 0; k < 1000; k++)
            mine[k] = hide(node_new(k));
        collect();
    }
    return NULL;
}

START_TEST(threads_collect_at_the_same_time)
{
    pthread_t threads[THREADS];
    start_quiet();
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(
            tri_thread_create(&threads[i], NULL, collector_main, &seen[1000 * i]), 0);
    for (int i = 0; i < THREADS; i++)
        TRI_BLOCKING
            ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    check_gone(1000 * THREADS);
    ck_assert_uint_ge(stats_now().forced_cycles, 5);
    ck_assert_uint_le(stats_now().forced_cycles, 5 * THREADS);
    tri_shutdown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cycle");
    TCase *dead = tcase_create("dead"), *live = tcase_create("live");
    TCase *beside = tcase_create("beside");

    tcase_add_test(dead, garbage_is_freed);
    tcase_add_test(dead, garbage_that_points_to_itself_is_freed);
    tcase_add_test(dead, words_that_are_no_pointers_keep_nothing);
    tcase_set_timeout(dead, 20);
    suite_add_tcase(suite, dead);

    tcase_add_test(live, a_tree);
    tcase_add_test(live, a_tree_without_work_chunks);
    tcase_add_test(live, a_tree_with_several_markers);
    tcase_add_test(live, a_deep_list);
    tcase_add_test(live, large_arrays);
    tcase_add_test(live, pointers_into_objects);
    tcase_add_test(live, conservative_objects);
    tcase_add_test(live, last_words_of_objects);
    tcase_add_test(live, locals_keep_what_they_point_to);
    tcase_set_timeout(live, 30);
    suite_add_tcase(suite, live);

    tcase_add_test(beside, cycles_beside_the_program);
    tcase_add_test(beside, threads_collect_at_the_same_time);
    tcase_set_timeout(beside, 30);
    suite_add_tcase(suite, beside);
    return run_suite(suite);
}
