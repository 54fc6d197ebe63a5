/* SPDX-License-Identifier: MIT */
/* tests/test_verdict.c: what becomes known at the end of a mark, when there is hardly time for it
 * [inv.mark.verdict].
 *
 * A white object that no grey one leads to cannot turn up in a program that keeps the rules; that
 * it does so late takes several threads and much luck. So these tests cheat: they know addresses
 * that are hidden from the collector, and store them while it waits for them, at a stage of the
 * cycle. */
#include "suite.h"

#include <pthread.h>
#include <sys/resource.h>

#include "base/os.h"
#include "collected.h"
#include "collector/assist.h"
#include "collector/cycle.h"
#include "mutator/mutator.h"
#include "sanitized.h"

typedef struct node {
    struct node *next;
    long number;
} node;
TRI_TYPE(node, next);

#define NODES 20

TRI_ROOT static node *kept[NODES], *known;
static struct hidden hidden[NODES];

/* ---- a cycle that waits for the program ---- */

static enum tri__cycle_stage awaited;
static unsigned visits;  /* so often it is awaited */
static uint32_t reached; /* atomic: the coordinator is there, and waits */
static uint32_t ended;   /* atomic: the cycle is */

static void wait_for_program(enum tri__cycle_stage stage)
{
    if (stage != awaited || visits == 0)
        return;
    visits--;
    tri__store_release(&reached, 1);
    while (tri__load_acquire(&reached) != 0)
        tri__os_sleep(10000);
}

static void go_on(void)
{
    tri__store_release(&reached, 0);
}

static void *collect_once(void *unused)
{
    tri_collect();
    tri__store_release(&ended, 1);
    return unused;
}

/* Runs a cycle, and `act` at that stage, on this thread, which has answered all requests before. It
 * has to call go_on(). Some stages come more than once. */
static void collect_and_often(enum tri__cycle_stage stage, void (*act)(void), unsigned times)
{
    pthread_t thread;

    awaited = stage;
    visits = times;
    tri__cycle_at_stage = wait_for_program;
    ck_assert_int_eq(tri_thread_create(&thread, NULL, collect_once, NULL), 0);
    while (tri__load_acquire(&ended) == 0) {
        tri_safepoint();
        if (tri__load_acquire(&reached) != 0)
            act();
    }
    TRI_BLOCKING
        pthread_join(thread, NULL);
    tri__cycle_at_stage = NULL;
}

static void collect_and(enum tri__cycle_stage stage, void (*act)(void))
{
    collect_and_often(stage, act, 1);
}

/* ---- objects that nothing leads to ---- */

static __attribute__((noinline)) void make_hidden(void)
{
    for (int i = 0; i < NODES; i++) {
        node *fresh = tri_new(node);

        tri_init_store(&fresh->next, tri_new(node));
        fresh->number = i;
        fresh->next->number = 100 + i;
        hidden[i] = hide(fresh);
    }
}

static __attribute__((noinline)) void store_hidden(int first, int end)
{
    for (int i = first; i < end; i++)
        tri_store(&kept[i], reveal(hidden[i]));
}

/* So that it is in the buffer alone, and on no stack. */
static void store_some(int first, int end)
{
    store_hidden(first, end);
    clear_stack();
}

static void store_all(void)
{
    store_some(0, NODES);
}

static void start(void)
{
    start_quiet();
    tri_store(&known, tri_new(node));
    make_hidden();
    clear_stack();
}

static void check_kept(void)
{
    for (int i = 0; i < NODES; i++) {
        ck_assert_msg(tri_object_base(kept[i]) == kept[i], "object %d is lost", i);
        ck_assert_int_eq(kept[i]->number, i);
        ck_assert_msg(tri_object_base(kept[i]->next) != NULL, "what object %d leads to is lost", i);
        ck_assert_int_eq(kept[i]->next->number, 100 + i);
    }
}

/* Else the others would say nothing. */
START_TEST(what_is_not_stored_is_lost)
{
    start();
    collect_and(TRI__STAGE_VERDICT, go_on);
    ck_assert_uint_le(count_objects(hidden, NODES), NODES / 2);
    tri_shutdown();
}
END_TEST

static void store_and_go_on(void)
{
    store_all();
    go_on();
}

START_TEST(what_is_stored_before_h3_lives)
{
    start();
    collect_and(TRI__STAGE_VERDICT, store_and_go_on);
    check_kept();
    tri_shutdown();
}
END_TEST

/* The first round brings the first ones, so there is a second one. */
static void store_half(void)
{
    static bool again;

    store_some(again ? NODES / 2 : 0, again ? NODES : NODES / 2);
    again = true;
    go_on();
}

START_TEST(what_is_stored_before_the_second_round_lives)
{
    start();
    collect_and_often(TRI__STAGE_VERDICT, store_half, 2);
    ck_assert_uint_eq(visits, 0);
    check_kept();
    tri_shutdown();
}
END_TEST

/* ... and the thread has fallen asleep when it could be asked. */
static void store_and_sleep(void)
{
    store_all();
    TRI_BLOCKING {
        go_on();
        while (tri__load_acquire(&ended) == 0)
            tri__os_sleep(100000);
    }
}

START_TEST(what_is_stored_before_a_sleep_lives)
{
    start();
    collect_and(TRI__STAGE_VERDICT, store_and_sleep);
    check_kept();
    tri_shutdown();
}
END_TEST

static node *volatile *own_words; /* on the stack of the thread */

static __attribute__((noinline)) void hold_all(void)
{
    for (int i = 0; i < NODES; i++)
        own_words[i] = reveal(hidden[i]);
    clear_stack();
    go_on();
}

/* As a thread gets hold of them by way of memory that the collector does not know
 * [inv.handshake.asleep]. */
START_TEST(what_is_on_a_stack_before_h3_lives)
{
    node *volatile mine[NODES] = {NULL};

    start();
    own_words = mine;
    collect_and(TRI__STAGE_VERDICT, hold_all);
    for (int i = 0; i < NODES; i++)
        ck_assert_msg(tri_object_base(mine[i]) == mine[i], "object %d is lost", i);
    tri_shutdown();
}
END_TEST

/* ---- a round that brings something ---- */

static uint32_t stored, cut; /* atomic */

/* Answers H3 late: what it has stored comes up when the other thread has answered. */
static void *store_late(void *unused)
{
    tri_safepoint();
    while (tri__load_acquire(&reached) == 0)
        tri_safepoint();
    tri__window_open(); /* no signal answers for it either */
    store_all();
    tri__store_release(&stored, 1);
    while (tri__load_acquire(&cut) == 0)
        tri__os_sleep(10000);
    tri__window_close();
    while (tri__load_acquire(&ended) == 0)
        tri_safepoint();
    return unused;
}

/* Each pair is exchanged: what the first one led to is only known to this thread, which has
 * answered, and to its new buffer. */
static __attribute__((noinline)) void cut_all(void)
{
    for (int i = 0; i < NODES; i++) {
        struct hidden second = hide(kept[i]->next);

        tri_store(&kept[i]->next, NULL);
        hidden[i] = second;
    }
}

static void wait_for_own_h3(uint32_t stamp)
{
    while (tri__mutator_self()->writer.stamp == stamp)
        tri_safepoint();
}

static void cut_after_answer(void)
{
    uint32_t stamp = tri__mutator_self()->writer.stamp;

    while (tri__load_acquire(&stored) == 0)
        tri__os_sleep(10000);
    go_on();
    wait_for_own_h3(stamp);
    cut_all();
    clear_stack();
    tri__store_release(&cut, 1);
}

START_TEST(a_round_that_brings_something_is_followed_by_another)
{
    pthread_t thread;

    start();
    ck_assert_int_eq(tri_thread_create(&thread, NULL, store_late, NULL), 0);
    collect_and(TRI__STAGE_VERDICT, cut_after_answer);
    TRI_BLOCKING
        pthread_join(thread, NULL);
    ck_assert_uint_eq(count_objects(hidden, NODES), NODES);
    tri_shutdown();
}
END_TEST

/* ---- who marks ---- */

static uint64_t assists[2];

static void assist_and_go_on(void)
{
    struct tri__mutator *self = tri__mutator_self();

    assists[0] = self->assists;
    self->writer.owed = 1;
    tri__assist(self, 0);
    assists[1] = self->assists;
    go_on();
}

START_TEST(nobody_assists_before_h3)
{
    start();
    collect_and(TRI__STAGE_VERDICT, assist_and_go_on);
    ck_assert_uint_eq(assists[0], assists[1]);
    tri_shutdown();
}
END_TEST

START_TEST(threads_assist_a_mark)
{
    start();
    collect_and(TRI__STAGE_MARK, assist_and_go_on);
    ck_assert_uint_eq(assists[0] + 1, assists[1]);
    tri_shutdown();
}
END_TEST

/* ---- without memory ---- */

static void limit_memory(rlim_t bytes)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

/* As many as there may be room for in buffers that are there already, and more. */
static void store_many(void)
{
    node *other = known;

    for (int i = 0; i < 100 * (int)TRI__BUFFER_ENTRIES; i++)
        tri_store(&known, other);
}

static void store_without_memory(void)
{
    limit_memory(1);
    store_many();
    store_all();
    store_many();
    limit_memory(RLIM_INFINITY);
    go_on();
}

/* Buffers are open from H1 on: without memory for one, what is shaded is marked at once. */
START_TEST(what_is_stored_without_memory_lives)
{
    if (IS_SANITIZED)
        return;
    start();
    collect_and(TRI__STAGE_MARK, store_without_memory);
    check_kept();
    tri_shutdown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verdict");
    TCase *core = tcase_create("core");

    tcase_set_timeout(core, 60);
    tcase_add_test(core, what_is_not_stored_is_lost);
    tcase_add_test(core, what_is_stored_before_h3_lives);
    tcase_add_test(core, what_is_stored_before_the_second_round_lives);
    tcase_add_test(core, what_is_stored_before_a_sleep_lives);
    tcase_add_test(core, what_is_on_a_stack_before_h3_lives);
    tcase_add_test(core, a_round_that_brings_something_is_followed_by_another);
    tcase_add_test(core, nobody_assists_before_h3);
    tcase_add_test(core, threads_assist_a_mark);
    tcase_add_test(core, what_is_stored_without_memory_lives);
    suite_add_tcase(suite, core);
    return run_suite(suite);
}
