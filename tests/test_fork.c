/* SPDX-License-Identifier: MIT */
/* fork, in each stage of a cycle and at any other moment: the child can allocate, collect, make
 * threads, fork again and end; what was reachable is there, in both processes.
 * See: docs/threads.md "fork". */
#include <pthread.h>

#include "coroutine.h"
#include "fork_world.h"
#include "suite.h"

#include "base/atomic.h"
#include "collector/cycle.h"

/* ---- in each stage ---- */

/* The coordinator waits at the wanted stage until the test has forked. */
static enum tri__cycle_stage wanted;
static uint32_t arrived, go; /* atomic */

static void wait_at_stage(enum tri__cycle_stage stage)
{
    if (stage != wanted || tri__load_acquire(&go) != 0)
        return;
    tri__store_release(&arrived, 1);
    while (tri__load_acquire(&go) == 0)
        nap(100000);
}

enum forker { ATTACHED, UNATTACHED, BLOCKING, COROUTINE, FORKERS };

struct order {
    struct random random;
    int status;
};

static void fork_here(struct order *order)
{
    node *mine = list_of(13);
    pid_t child = fork();

    if (child == 0) {
        child_assert(is_list_of(mine, 13));
        live_and_fork(&order->random);
        child_assert(is_list_of(mine, 13));
        _exit(0);
    }
    tri__store_release(&go, 1);
    TRI_BLOCKING
        order->status = end_of_child(child);
    if (!is_list_of(mine, 13))
        order->status = -2;
}

/* For children that hold nothing. */
static void begin_again(struct random *random)
{
    tri_shutdown();
    child_assert(tri_init(NULL) == 0);
    make_world();
    live_on(random);
}

static void live_anew(struct random *random)
{
    live_and_fork(random);
    if (random_below(random, 2) == 0)
        begin_again(random);
}

static void *fork_unattached(void *argument)
{
    struct order *order = argument;
    pid_t child = fork();

    if (child == 0) {
        child_assert(threads_here() == 0);
        if (CHILDREN_HAVE_THREADS) /* attaching needs one, for what it leaves to RCU */
            live_anew(&order->random);
        _exit(0);
    }
    tri__store_release(&go, 1);
    order->status = end_of_child(child);
    return NULL;
}

static void fork_blocking(struct order *order)
{
    node *mine = list_of(15);
    pid_t child = -1;

    TRI_BLOCKING {
        child = fork();
        if (child != 0) {
            tri__store_release(&go, 1);
            order->status = end_of_child(child);
        } else {
            nap(1000000);
        }
    }
    if (child != 0)
        return;
    child_assert(is_list_of(mine, 15));
    live_and_fork(&order->random);
    child_assert(is_list_of(mine, 15));
    _exit(0);
}

static void fork_in_coroutine(struct coroutine *self)
{
    node *mine = list_of(17);

    fork_here(self->argument);
    ck_assert(is_list_of(mine, 17));
}

static void run_order(enum forker forker, struct order *order)
{
    pthread_t thread;
    struct coroutine *coroutine;

    switch (forker) {
    case ATTACHED:
        fork_here(order);
        break;
    case UNATTACHED:
        ck_assert_int_eq(pthread_create(&thread, NULL, fork_unattached, order), 0);
        TRI_BLOCKING
            pthread_join(thread, NULL);
        break;
    case BLOCKING:
        fork_blocking(order);
        break;
    default:
        coroutine = coroutine_new(fork_in_coroutine, order);
        coroutine_resume(coroutine);
        coroutine_free(coroutine);
    }
}

START_TEST(in_each_stage)
{
    struct order order = {random_of(seed, (uint64_t)_i), -1};

    wanted = (enum tri__cycle_stage)(_i / FORKERS);
    tri__cycle_at_stage = wait_at_stage;
    start_world();
    while (tri__load_acquire(&arrived) == 0)
        TRI_BLOCKING
            nap(100000);
    run_order((enum forker)(_i % FORKERS), &order);
    ck_assert_int_eq(order.status, 0);
    end_world();
}
END_TEST

/* ---- at any moment ---- */

static uint32_t failures; /* atomic */

static void *fork_on(void *number)
{
    struct random random = random_of(seed, 1000 + (uintptr_t)number);
    bool attached = (uintptr_t)number % 2 == 0;

    for (int i = 0; i < (IS_SANITIZED ? 4 : 10); i++) {
        struct order order = {random_of(random_next(&random), 1), -1};

        nap((long)random_below(&random, 3000000));
        if (attached)
            fork_here(&order);
        else
            fork_unattached(&order);
        tri__fetch_add_relaxed(&failures, order.status != 0);
    }
    return NULL;
}

START_TEST(storms)
{
    enum { AT_ONCE = 3 };
    pthread_t forkers[AT_ONCE];

    start_world();
    if (CHILDREN_HAVE_THREADS)
        tri_set_gc_percent(20);
    for (uintptr_t i = 0; i < AT_ONCE; i++)
        ck_assert_int_eq(pthread_create(&forkers[i], NULL, fork_on, (void *)i), 0);
    for (unsigned i = 0; i < AT_ONCE; i++)
        TRI_BLOCKING
            pthread_join(forkers[i], NULL);
    ck_assert_uint_eq(failures, 0);
    end_world();
}
END_TEST

static void *come_and_go(void *unused)
{
    (void)unused;
    list_of(3);
    return NULL;
}

/* Threads that attach, detach, and first read under RCU at the moment of the fork. */
static void *make_short_threads(void *unused)
{
    (void)unused;
    while (tri__load_relaxed(&stop) == 0) {
        pthread_t threads[8];

        for (unsigned i = 0; i < 8; i++)
            if (pthread_create(&threads[i], NULL, come_and_go, NULL) != 0)
                abort();
        for (unsigned i = 0; i < 8; i++)
            pthread_join(threads[i], NULL);
    }
    return NULL;
}

START_TEST(beside_threads_that_come_and_go)
{
    pthread_t maker;
    struct random random = random_of(seed, 77);

    start_world();
    ck_assert_int_eq(pthread_create(&maker, NULL, make_short_threads, NULL), 0);
    for (int i = 0; i < (IS_SANITIZED ? 4 : 15); i++) {
        struct order order = {random_of(random_next(&random), 2), -1};

        fork_here(&order);
        ck_assert_int_eq(order.status, 0);
    }
    tri__store_relaxed(&stop, 1);
    TRI_BLOCKING
        pthread_join(maker, NULL);
    end_world();
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("fork");
    TCase *stages = tcase_create("stages"), *moments = tcase_create("moments");

    seed = random_start(argc, argv);
    tcase_set_timeout(stages, 90);
    tcase_add_loop_test(stages, in_each_stage, 0, TRI__STAGES *FORKERS);
    tcase_set_timeout(moments, 180);
    tcase_add_test(moments, storms);
    tcase_add_test(moments, beside_threads_that_come_and_go);
    suite_add_tcase(suite, stages);
    suite_add_tcase(suite, moments);
    return run_suite(suite);
}
