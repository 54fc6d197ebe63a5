/* SPDX-License-Identifier: MIT */
/* TRICOLOR_VERIFY=barrier: a report says who told of the owner last, and when; and a store that was
 * told of is not taken for one that was not.
 *
 * The collector's steps are held up until a thread has done its part, so each run is the same. See:
 * [inv.verify.barrier], docs/verify.md. */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "collected.h"
#include "suite.h"

#include "base/atomic.h"
#include "base/entry.h"
#include "base/os.h"
#include "collector/cycle.h"
#include "mutator/mutator.h"

typedef struct pair {
    void *left, *right;
} pair;
TRI_TYPE(pair, left, right);

typedef struct single {
    uintptr_t number[2];
    void *held;
} single;
TRI_TYPE(single, held);

TRI_ROOT static pair *owner;

static struct hidden lost;
static uint32_t ordered, done, stop; /* atomic */
static uint32_t waits, may_wait;     /* atomic */
static pthread_t teller, waiter;

static __attribute__((noinline)) void make_lost(void)
{
    lost = hide(tri_new(single));
}

static __attribute__((noinline)) void make_world(void)
{
    tri_store(&owner, tri_new(pair));
    make_lost();
}

/* ---- threads ---- */

static void wait_for(uint32_t *word, uint32_t value)
{
    while (tri__load_acquire(word) != value)
        sched_yield();
}

static void say_own_number(void)
{
    fprintf(stderr, "I am thread %u\n", tri__os_tid());
}

/* One store for each order. */
static void *tell(void *unused)
{
    say_own_number();
    while (tri__load_relaxed(&stop) == 0) {
        uint32_t order = tri__load_acquire(&ordered);

        if (order != tri__load_relaxed(&done)) {
            tri_store(&owner->left, NULL);
            tri__store_release(&done, order);
        }
        tri_safepoint();
    }
    return unused;
}

static void order_a_store(void)
{
    tri__store_release(&ordered, ordered + 1);
    wait_for(&done, ordered);
}

static void start(void *(*function)(void *), pthread_t *thread)
{
    if (tri_thread_create(thread, NULL, function, NULL) != 0)
        abort();
}

static void start_verified(void)
{
    tri_config config = TRI_CONFIG_INIT;

    config.gc_percent = -1;
    config.stall_ms = UINT_MAX; /* the watchdog's lines would be taken for reports */
    config.verify = "barrier";
    if (tri_init(&config) != 0)
        abort();
    make_world();
    clear_stack();
}

/* ---- who, and when ---- */

static const struct when {
    enum tri__cycle_stage stage; /* of the store */
    unsigned mark, found_in;     /* the first is 1; 0: before it */
    const char *phase;
} whens[] = {
    {TRI__STAGE_SWEEP, 0, 1, "while no mark was running for it"},
    {TRI__STAGE_SCAN, 1, 1, "in this mark, before its stack was scanned"},
    {TRI__STAGE_VERDICT, 1, 1, "in this mark, after its stack was scanned"},
    {TRI__STAGE_SCAN, 1, 2, "in an earlier mark"},
};
enum { WHENS = sizeof whens / sizeof whens[0] };

static const struct when *when;
static unsigned mark;

static void at_stage(enum tri__cycle_stage stage)
{
    if (stage == TRI__STAGE_ARM)
        mark++;
    if (stage == when->stage && mark == when->mark && ordered == 0)
        order_a_store();
    if (stage == TRI__STAGE_VERDICT && mark == when->found_in)
        owner->right = reveal(lost);
}

static void run_told(void)
{
    start_verified();
    start(tell, &teller);
    if (when->mark == 0)
        order_a_store();
    tri__cycle_at_stage = at_stage;
    for (unsigned i = 0; i < when->found_in; i++) {
        if (i + 1 == when->found_in)
            make_lost();
        clear_stack();
        tri_collect();
    }
}

/* With the number that the thread itself has said. */
static void expect_told(const struct captured *captured, const char *phase, const char *what)
{
    const char *said = strstr(captured->text, "I am thread ");
    char expected[200];

    ck_assert_msg(captured_aborted(captured), "%s", captured->text);
    ck_assert_ptr_nonnull(said);
    snprintf(expected, sizeof expected, "that was told of, by thread %ld, %s, was %s",
             strtol(said + strlen("I am thread "), NULL, 10), phase, what);
    ck_assert_msg(strstr(captured->text, expected) != NULL, "%s in %s", expected, captured->text);
}

START_TEST(a_report_says_who_told_and_when)
{
    struct captured captured;

    when = &whens[_i];
    captured = capture_child(run_told);
    expect_told(&captured, when->phase, "at offset 0");
}
END_TEST

/* ---- told, and lost all the same ---- */

static uint32_t own_stamp(void)
{
    return tri__mutator_self()->writer.stamp;
}

static void store_it(void)
{
    tri_store(&owner->right, reveal(lost));
}

static void copy_it(void)
{
    void *object = reveal(lost);

    tri_memcpy(&owner->right, &object, sizeof object);
}

/* Not this is what it was told of. */
static void store_plainly_what_was_not_exchanged(void)
{
    void *expected = owner;

    if (tri_compare_exchange(&owner->right, &expected, reveal(lost)))
        abort();
    owner->right = reveal(lost);
}

#define HAND_OFF "probably it was handed over in malloc'd memory"

static const struct late {
    void (*act)(void);
    const char *told, *rule;
} lates[] = {
    {store_it, "the last store to that word that was told of, by thread ", HAND_OFF},
    {copy_it, "the last store to that word that was told of, by thread ", HAND_OFF},
    {store_plainly_what_was_not_exchanged, "there is none to that object",
     "probably by a plain store (=). Use tri_store; "},
};
enum { LATES = sizeof lates / sizeof lates[0] };

static const struct late *late;

/* When it has answered H3, it stores what no mark has seen. */
static void *hand_over(void *unused)
{
    uint32_t stamp;

    say_own_number();
    while (tri__load_acquire(&ordered) == 0)
        tri_safepoint();
    stamp = own_stamp();
    tri__store_release(&done, 1);
    while (own_stamp() == stamp)
        tri_safepoint();
    late->act();
    tri__store_release(&done, 2);
    for (;;)
        tri_safepoint();
    return unused;
}

/* It answers H3 last. */
static void *hold_up(void *unused)
{
    while (tri__load_acquire(&may_wait) == 0)
        tri_safepoint();
    {
        TRI__IN_RUNTIME;
        tri__store_release(&waits, 1);
        wait_for(&done, 2);
    }
    for (;;)
        tri_safepoint();
    return unused;
}

static void order_at_verdict(enum tri__cycle_stage stage)
{
    if (stage != TRI__STAGE_VERDICT || ordered != 0)
        return;
    order_a_store();
    tri__store_release(&may_wait, 1);
    wait_for(&waits, 1);
}

static void run_handed_over(void)
{
    start_verified();
    start(hand_over, &teller);
    start(hold_up, &waiter);
    tri__cycle_at_stage = order_at_verdict;
    clear_stack();
    tri_collect();
}

START_TEST(what_was_told_of_is_a_hand_off)
{
    struct captured captured;

    late = &lates[_i];
    captured = capture_child(run_handed_over);
    ck_assert_msg(strstr(captured.text, late->told) != NULL, "%s", captured.text);
    ck_assert_msg(strstr(captured.text, late->rule) != NULL, "%s", captured.text);
    if (strcmp(late->rule, HAND_OFF) == 0)
        expect_told(&captured, "in this mark, after its stack was scanned", "of 0x");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verify told");
    TCase *tests = tcase_create("verify told");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_report_says_who_told_and_when, 0, WHENS);
    tcase_add_loop_test(tests, what_was_told_of_is_a_hand_off, 0, LATES);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
