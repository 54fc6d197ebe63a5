/* SPDX-License-Identifier: MIT */
/* A thread that is cancelled while it answers in a handler: in a call that is a cancellation point,
 * libc ends a thread at once, wherever its signal finds it. See: [inv.window.whole]. */
#include <alloca.h>
#include <check.h>
#include <pthread.h>
#include <time.h>

#include "limited.h"
#include "random.h"
#include "spinner.h"
#include "suite.h"

#define ROUNDS 60
#define DEEP_BYTES ((size_t)2 << 20) /* of stack, so that answers take their time */

static pthread_key_t key;
static uint32_t asleep; /* atomic */
static uint32_t stop;   /* atomic */
static uint32_t broken; /* atomic: threads that have ended inside the library */

static void look(void *unused)
{
    (void)unused;
    if (tri__window_depth != 0)
        tri__fetch_add_relaxed(&broken, 1);
}

/* On a deep stack full of pointers, in a cancellation point outside TRI_BLOCKING. */
static __attribute__((noinline)) void sleep_deeply(void)
{
    const struct timespec long_time = {.tv_sec = 100};
    size_t count = DEEP_BYTES / sizeof(void *);
    void **deep = alloca(DEEP_BYTES), *object = tri_new(spun);

    for (size_t i = 0; i < count; i++)
        deep[i] = object;
    __asm__ volatile("" : : "r"(deep) : "memory");
    tri__store_release(&asleep, 1); /* rel -> acq in cancel_one() */
    for (;;)
        nanosleep(&long_time, NULL);
}

static void *sleep_until_cancelled(void *unused)
{
    (void)unused;
    pthread_setspecific(key, &key);
    sleep_deeply();
    return NULL;
}

static void *collect_on(void *unused)
{
    while (tri__load_relaxed(&stop) == 0)
        tri_collect();
    return unused;
}

static void cancel_one(struct random *random)
{
    pthread_t thread;
    void *result;

    tri__store_relaxed(&asleep, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, sleep_until_cancelled, NULL), 0);
    while (tri__load_acquire(&asleep) == 0) /* acq <- rel in sleep_deeply() */
        tri__os_sleep(100000);
    tri__os_sleep(random_below(random, 8000000));
    ck_assert_int_eq(pthread_cancel(thread), 0);
    pthread_join(thread, &result);
    ck_assert_ptr_eq(result, PTHREAD_CANCELED);
}

START_TEST(cancelled_in_the_handler)
{
    struct random random = random_of(1, 1);
    pthread_t collector;

    start_quiet();
    ck_assert_int_eq(pthread_key_create(&key, look), 0);
    ck_assert_int_eq(pthread_create(&collector, NULL, collect_on, NULL), 0);
    for (int i = 0; i < ROUNDS; i++)
        TRI_BLOCKING
            cancel_one(&random);
    ck_assert_uint_eq(tri__load_relaxed(&broken), 0);
    tri__store_relaxed(&stop, 1);
    TRI_BLOCKING
        pthread_join(collector, NULL);
    tri_shutdown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signal_cancel");
    TCase *tcase = tcase_create("signal_cancel");

    tcase_set_timeout(tcase, LIMIT_SECONDS + 10);
    tcase_add_checked_fixture(tcase, begin_limit, end_limit);
    if (!HAS_TSAN) /* it loses count of the locks of a thread that is cancelled asleep */
        tcase_add_test(tcase, cancelled_in_the_handler);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
