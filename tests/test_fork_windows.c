/* SPDX-License-Identifier: MIT */
/* Forks beside threads that answer in handlers, which wait for locks that a fork takes: while shared
 * objects come and go (who takes windows away waits for handlers), and while these threads are in
 * malloc (whose locks a fork takes, too) [inv.fork.locks]. */
#include <alloca.h>
#include <check.h>
#include <pthread.h>
#include <time.h>

#include "forked.h"
#include "limited.h"
#include "spinner.h"
#include "suite.h"

#include <tricolor/window.h>

#define FORKS 150
#define DEEP_BYTES ((size_t)1 << 20) /* of stack, so that answers take their time */

static uint32_t stop; /* atomic */

static void *collect_on(void *unused)
{
    while (tri__load_relaxed(&stop) == 0)
        tri_collect();
    return unused;
}

/* As constructors and destructors do it. No code of that module is ever run. */
static void *come_and_go(void *unused)
{
    static const struct tri__window windows[1] = {{0, 1}};

    while (tri__load_relaxed(&stop) == 0) {
        tri__windows_add(windows, windows + 1);
        tri__windows_remove(windows);
    }
    return unused;
}

/* Many objects: they fill buffers. */
static __attribute__((noinline)) void sleep_deeply(void)
{
    const struct timespec time = {.tv_nsec = 3000000};
    size_t count = DEEP_BYTES / sizeof(void *);
    void **deep = alloca(DEEP_BYTES);

    for (size_t i = 0; i < count; i++)
        deep[i] = i % 8 == 0 ? tri_new(spun) : NULL;
    __asm__ volatile("" : : "r"(deep) : "memory");
    while (tri__load_relaxed(&stop) == 0)
        nanosleep(&time, NULL);
}

static void *sleep_on(void *unused)
{
    while (tri__load_relaxed(&stop) == 0)
        sleep_deeply();
    return unused;
}

/* In malloc most of the time, with a lock of its own or of others; and with a run and pages of the
 * heap's, to be given back in the handler. */
static void *allocate_on(void *unused)
{
    spun *own = NULL;

    (void)unused;
    while (tri__load_relaxed(&stop) == 0) {
        void *blocks[200];

        own = tri_new(spun);
        for (size_t i = 0; i < 200; i++)
            blocks[i] = malloc(i * 37 % 5000 + 1);
        for (size_t i = 0; i < 200; i++)
            free(blocks[i * 7 % 200]);
    }
    return own;
}

static void end_at_once(void *unused)
{
    (void)unused;
}

enum { LIVES = 5 };

static void fork_beside(void *(*const lives[LIVES])(void *))
{
    pthread_t threads[LIVES];

    start_quiet();
    for (int i = 0; i < LIVES; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, lives[i], NULL), 0);
    for (int i = 0; i < FORKS; i++) {
        ck_assert_int_eq(run_child(end_at_once, NULL), 0);
        TRI_BLOCKING
            nap(1000000);
    }
    tri__store_relaxed(&stop, 1);
    for (int i = 0; i < LIVES; i++)
        TRI_BLOCKING
            pthread_join(threads[i], NULL);
    tri_shutdown();
}

START_TEST(beside_modules_and_handlers)
{
    void *(*const lives[LIVES])(void *) = {collect_on, come_and_go, sleep_on, sleep_on, sleep_on};

    fork_beside(lives);
}
END_TEST

START_TEST(beside_threads_in_malloc)
{
    void *(*const lives[LIVES])(void *) = {collect_on, allocate_on, allocate_on, allocate_on,
                                           allocate_on};

    fork_beside(lives);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fork_windows");
    TCase *tcase = tcase_create("fork_windows");

    tcase_set_timeout(tcase, LIMIT_SECONDS + 10);
    tcase_add_checked_fixture(tcase, begin_limit, end_limit);
    tcase_add_test(tcase, beside_modules_and_handlers);
    tcase_add_test(tcase, beside_threads_in_malloc);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
