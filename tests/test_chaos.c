/* SPDX-License-Identifier: MIT */
/* tests/test_chaos.c: TRICOLOR_VERIFY=chaos: what it reads, that every point is reached, and that a
 * program does under it what it should. */
#include "suite.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <tricolor.h>

#include "base/chaos.h"
#include "base/os.h"
#include "barrier/buffer.h"
#include "capture.h"

#define ALL_POINTS ((UINT64_C(1) << TRI__CHAOS_POINTS) - 1)

typedef struct node {
    struct node *left, *right;
    long depth;
} node;
TRI_TYPE(node, left, right);

TRI_ROOT static node *shared;

/* ---- what it reads ---- */

static const struct {
    const char *text;
    bool good;
    uint64_t seed, points;
} texts[] = {
    {"", true, 0, ALL_POINTS},
    {"=7", true, 7, ALL_POINTS},
    {"=18446744073709551615", true, UINT64_MAX, ALL_POINTS},
    {"=7:h2", true, 7, UINT64_C(1) << TRI__CHAOS_H2},
    {"=7:h2+refill+cycle", true, 7,
     UINT64_C(1) << TRI__CHAOS_H2 | UINT64_C(1) << TRI__CHAOS_REFILL |
         UINT64_C(1) << TRI__CHAOS_CYCLE},
    {"=0:announce", true, 0, 1},
    {"7", false, 0, 0},
    {"=", false, 0, 0},
    {"=x", false, 0, 0},
    {"=-1", false, 0, 0},
    {"=18446744073709551616", false, 0, 0},
    {"=7:", false, 0, 0},
    {"=7:h", false, 0, 0},
    {"=7:h2+", false, 0, 0},
    {"=7:+h2", false, 0, 0},
    {"=7h2", false, 0, 0},
    {"=7:h2,refill", false, 0, 0},
};

START_TEST(reads_seed_and_points)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint64_t seed, points;
        bool good = tri__chaos_parse(texts[i].text, strlen(texts[i].text), &seed, &points);

        ck_assert_msg(good == texts[i].good, "\"%s\"", texts[i].text);
        if (good) {
            ck_assert_uint_eq(seed, texts[i].seed);
            ck_assert_uint_eq(points, texts[i].points);
        }
    }
}
END_TEST

static void start_with(const char *verify)
{
    tri_config config = TRI_CONFIG_INIT;

    ck_assert_int_eq(unsetenv("TRICOLOR_VERIFY"), 0);
    config.verify = verify;
    ck_assert_int_eq(tri_init(&config), 0);
}

static void start_named(void)
{
    start_with("chaos=41:h2+refill");
    tri_shutdown();
}

static void start_all(void)
{
    start_with("chaos=43");
    tri_shutdown();
}

START_TEST(says_seed_and_points)
{
    struct captured named = capture_child(start_named), all = capture_child(start_all);

    ck_assert(captured_exited(&named, 0) && captured_exited(&all, 0));
    /* In the order of the points, not of the text. */
    ck_assert_ptr_nonnull(strstr(named.text, "TRICOLOR_VERIFY=chaos=41:h2+refill\n"));
    ck_assert_ptr_nonnull(strstr(all.text, "TRICOLOR_VERIFY=chaos=43\n"));
}
END_TEST

/* ---- a short stress run ---- */

static node *tree(long depth)
{
    node *fresh = tri_new(node);

    ck_assert_ptr_nonnull(fresh);
    fresh->depth = depth;
    if (depth == 0)
        return fresh;
    tri_store(&fresh->left, tree(depth - 1));
    tri_store(&fresh->right, tree(depth - 1));
    return fresh;
}

static void check_tree(const node *at, long depth)
{
    ck_assert_ptr_nonnull(at);
    ck_assert_int_eq(at->depth, depth);
    if (depth == 0)
        return;
    check_tree(at->left, depth - 1);
    check_tree(at->right, depth - 1);
}

/* Swaps branches back and forth, so that the barrier has old values. */
static void swap_branches(node *at)
{
    node *left = at->left;

    tri_store(&at->left, at->right);
    tri_store(&at->right, left);
}

static void *work(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++) {
        node *mine = tree(7);

        tri_alloc_bytes(100000);
        TRI_BLOCKING
            tri__os_yield();
        for (int k = 0; k < 50; k++)
            swap_branches(mine);
        check_tree(mine, 7);
        tri_store(&shared, mine);
    }
    return NULL;
}

static void run_round(void)
{
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, NULL), 0);
    for (int i = 0; i < 3; i++)
        tri_collect();
    TRI_BLOCKING
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
    check_tree(shared, 7);
    ck_assert_int_eq(tri_heap_check(), 0);
}

static unsigned first_missed(void)
{
    unsigned point = 0;

    while (point < TRI__CHAOS_POINTS &&
           __atomic_load_n(&tri__chaos_hits[point], __ATOMIC_RELAXED) != 0)
        point++;
    return point;
}

START_TEST(every_point_is_reached)
{
    uint64_t end = tri__os_now() + UINT64_C(200000000000);

    start_with("chaos=5");
    ck_assert_uint_eq(tri__chaos_on, 1);
    do
        run_round();
    while (first_missed() != TRI__CHAOS_POINTS && tri__os_now() < end);
    ck_assert_msg(first_missed() == TRI__CHAOS_POINTS, "point %u is not reached", first_missed());
    tri_shutdown();
}
END_TEST

static uint64_t strikes(enum tri__chaos_point point)
{
    uint64_t count = 0;

    for (int i = 0; i < 10000; i++)
        count += tri__chaos_strikes(point);
    return count;
}

START_TEST(points_that_are_not_named_do_nothing)
{
    start_with("chaos=9:refill");
    ck_assert_uint_eq(strikes(TRI__CHAOS_PUSH), 0);
    ck_assert_uint_gt(strikes(TRI__CHAOS_REFILL), 3000);
    for (int i = 0; i < 1000; i++)
        ck_assert_uint_le(tri__chaos_less(TRI__CHAOS_PUSH, 1, 100), 100);
    tri_shutdown();
}
END_TEST

START_TEST(sizes_are_small_and_not_too_small)
{
    bool less = false;

    start_with("chaos=9:exchange");
    for (int i = 0; i < 10000; i++) {
        uint32_t number = tri__chaos_less(TRI__CHAOS_EXCHANGE, 64, 512);

        ck_assert(number == 512 || (number >= 64 && number <= 67));
        less |= number < 512;
        ck_assert_uint_eq(tri__chaos_less(TRI__CHAOS_EXCHANGE, 1, 1), 1);
    }
    ck_assert(less);
    tri_shutdown();
}
END_TEST

START_TEST(off_it_does_nothing)
{
    start_with(NULL);
    run_round();
    ck_assert_uint_eq(tri__chaos_on, 0);
    ck_assert_uint_eq(first_missed(), 0);
    tri_shutdown();
}
END_TEST

/* The same heap, whatever the seed. */
START_TEST(programs_run_under_it)
{
    char text[32];

    snprintf(text, sizeof text, "chaos=%d", 100 + _i);
    start_with(text);
    run_round();
    tri_shutdown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chaos");
    TCase *tests = tcase_create("chaos");

    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, reads_seed_and_points);
    tcase_add_test(tests, says_seed_and_points);
    tcase_add_test(tests, every_point_is_reached);
    tcase_add_test(tests, points_that_are_not_named_do_nothing);
    tcase_add_test(tests, sizes_are_small_and_not_too_small);
    tcase_add_test(tests, off_it_does_nothing);
    tcase_add_loop_test(tests, programs_run_under_it, 0, 8);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
