/* SPDX-License-Identifier: MIT */
/* Lives of programs with many threads: storms of threads and heaps that come and go leave nothing;
 * before main and after it; when main returns, or the heap goes, while others run. How one thread
 * ends: tests/test_thread_end.c. See: docs/threads.md "Life and death". */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "collected.h"
#include "forked.h"
#include "lives.h"
#include "suite.h"

/* ---- storms ---- */

static void *live_shortly(void *number)
{
    struct random random = random_of(seed, (uintptr_t)number);

    store_somewhere(&random);
    if ((uintptr_t)number % 3 == 0)
        tri_thread_detach();
    return NULL;
}

static void run_together(size_t first, size_t count)
{
    pthread_t threads[500];
    pthread_attr_t small;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, (size_t)128 << 10);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&threads[i], &small, live_shortly, (void *)(first + i)), 0);
    for (size_t i = 0; i < count; i++)
        join(threads[i]);
    pthread_attr_destroy(&small);
}

START_TEST(storms_leave_nothing)
{
    size_t all = IS_SANITIZED ? 600 : 10000, together = IS_SANITIZED ? 60 : 500;
    struct holdings before;

    start_cycles();
    run_together(0, together); /* libc keeps some stacks, and malloc some arenas */
    before = holdings_now();
    for (size_t first = 0; first < all; first += together)
        run_together(first, together);
    check_holdings(&before);
    end_cycles();
}
END_TEST

START_TEST(libraries_that_come_and_go)
{
    struct holdings before = {0};

    for (int i = 0; i < 20; i++) {
        start_quiet();
        fill_lists();
        collect();
        if (i == 5)
            before = holdings_now();
        tri_shutdown();
    }
    start_quiet();
    check_holdings(&before);
    tri_shutdown();
}
END_TEST

/* ---- before main, and after it: this program once more ---- */

static const char *role(void)
{
    return getenv("TRI_LIFE_ROLE");
}

static bool has_role(const char *name)
{
    return role() != NULL && strcmp(role(), name) == 0;
}

/* Nothing of Check's is there. */
static void start_alone(void)
{
    tri_config config = TRI_CONFIG_INIT;

    config.gc_percent = -1;
    if (tri_init(&config) != 0)
        _exit(10);
}

__attribute__((constructor)) static void before_main(void)
{
    if (!has_role("early"))
        return;
    start_alone();
    fill_lists();
}

__attribute__((destructor)) static void after_main(void)
{
    if (!has_role("early"))
        return;
    tri_store(&lists[1], list_of(1));
    tri_collect();
    if (!is_whole())
        _exit(9);
    tri_shutdown();
}

static void *work_on(void *number)
{
    struct random random = random_of(seed, (uintptr_t)number);

    for (;;)
        store_somewhere(&random);
    return NULL;
}

static int main_of_role(void)
{
    pthread_t thread;

    if (has_role("early")) {
        tri_collect();
        return is_whole() ? 5 : 8;
    }
    start_alone();
    fill_lists();
    tri_set_gc_percent(10);
    for (uintptr_t i = 0; i < 3; i++)
        if (pthread_create(&thread, NULL, work_on, (void *)i) != 0)
            return 7;
    nap(3000000);
    return 5;
}

static char own_path[4096];

static void run_again(void *name)
{
    setenv("TRI_LIFE_ROLE", name, 1);
    execl(own_path, own_path, (char *)NULL);
    _exit(96);
}

static char early_role[] = "early", returns_role[] = "returns";

START_TEST(constructors_and_destructors)
{
    ck_assert_int_eq(run_child(run_again, early_role), 5);
}
END_TEST

START_TEST(main_returns_while_others_run)
{
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(run_child(run_again, returns_role), 5);
}
END_TEST

/* ---- shutdown ---- */

static uint32_t attached; /* atomic */

static void *stay(void *unused)
{
    (void)unused;
    list_of(1);
    tri__store_relaxed(&attached, 1);
    for (;;)
        TRI_BLOCKING
            nap(1000000);
    return NULL;
}

static void shut_down_too_early(void)
{
    pthread_t thread;

    start_quiet();
    if (pthread_create(&thread, NULL, stay, NULL) != 0)
        _exit(1);
    while (tri__load_relaxed(&attached) == 0)
        tri_safepoint();
    tri_shutdown();
}

START_TEST(shutdown_with_others_attached)
{
    struct captured captured = capture_child(shut_down_too_early);

    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "tri_shutdown() while 1 other thread is attached"));
    ck_assert_ptr_nonnull(strstr(captured.text, "(tid "));
}
END_TEST

static int main_of_tests(int argc, char **argv)
{
    Suite *suite = suite_create("life");
    TCase *tests = tcase_create("life");

    if (readlink("/proc/self/exe", own_path, sizeof own_path - 1) < 0)
        return EXIT_FAILURE;
    seed = random_start(argc, argv);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, storms_leave_nothing);
    tcase_add_test(tests, libraries_that_come_and_go);
    tcase_add_test(tests, constructors_and_destructors);
    tcase_add_test(tests, main_returns_while_others_run);
    tcase_add_test(tests, shutdown_with_others_attached);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

int main(int argc, char **argv)
{
    return role() != NULL ? main_of_role() : main_of_tests(argc, argv);
}
