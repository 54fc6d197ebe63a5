/* SPDX-License-Identifier: MIT */
/* TRI_BLOCKING: its ways in and out; that cycles and handshakes find threads asleep, let them wake,
 * and miss no step of one that does; threads that end in it. */
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/os.h"
#include "collected.h"
#include "phase.h"
#include "suite.h"
#include "threads.h"

typedef struct node {
    struct node *next;
    uintptr_t key;
} node;
TRI_TYPE(node, next);

#define MAGIC 0x7265616c6c7921ul

static void collect_some(int n)
{
    for (int i = 0; i < n; i++)
        tri_collect();
}

/* Tests that go on and on end after so long, where threads wait for processors at each handshake. */
#define MOST_NS UINT64_C(5000000000)

/* ---- ways in and out ---- */

static uint32_t state(void)
{
    return tri__load_relaxed(&tri__mutator_self()->state);
}

static int leave_by_return(void)
{
    TRI_BLOCKING {
        ck_assert_uint_eq(state(), TRI__BLOCKED);
        return 4711;
    }
    return 0;
}

static void check_running(void)
{
    ck_assert_uint_eq(state(), TRI__RUNNING);
    ck_assert_uint_eq(tri__mutator_self()->blocking_depth, 0);
}

START_TEST(ways_out_of_blocking)
{
    int turns = 0;
    start_quiet();
    TRI_BLOCKING {
        ck_assert_uint_eq(state(), TRI__BLOCKED);
        turns++;
    }
    check_running();
    TRI_BLOCKING {
        turns++;
        if (turns == 2)
            break;
        turns = 100;
    }
    check_running();
    TRI_BLOCKING {
        turns++;
        if (turns == 3)
            continue;
        turns = 100;
    }
    check_running();
    TRI_BLOCKING {
        turns++;
        goto out;
    }
out:
    check_running();
    ck_assert_int_eq(turns, 4);
    ck_assert_int_eq(leave_by_return(), 4711);
    check_running();
    tri_blocking_begin();
    ck_assert_uint_eq(state(), TRI__BLOCKED);
    tri_blocking_end();
    check_running();
}
END_TEST

static void block_inside(void)
{
    TRI_BLOCKING {
        tri_blocking_begin();
        ck_assert_uint_eq(tri__mutator_self()->blocking_depth, 3);
        tri_blocking_end();
        ck_assert_uint_eq(state(), TRI__BLOCKED);
    }
}

START_TEST(blocks_nest)
{
    start_quiet();
    TRI_BLOCKING {
        block_inside();
        ck_assert_uint_eq(state(), TRI__BLOCKED);
    }
    check_running();
}
END_TEST

/* What a thread has left to do for others it does when it is awake. */
START_TEST(a_safepoint_in_a_block)
{
    struct tri__mutator *self;
    start_quiet();
    self = tri__mutator_self();
    tri__fetch_or_relaxed(&self->writer.cache.front.request, TRI__REQUEST_ASIDE);
    TRI_BLOCKING {
        tri_safepoint();
        ck_assert_uint_eq(state(), TRI__BLOCKED);
    }
    tri_safepoint();
    check_running();
}
END_TEST

static pthread_barrier_t meeting;

static void meet(void)
{
    TRI_BLOCKING
        pthread_barrier_wait(&meeting);
}

static void prepare_meeting(unsigned threads)
{
    ck_assert_int_eq(pthread_barrier_init(&meeting, NULL, threads), 0);
}

/* Objects that only locals point to: of the function with the block, and of its callers. */
static __attribute__((noinline)) uintptr_t sleep_with(node *mine, uintptr_t depth)
{
    node *local = tri_new(node);
    local->key = MAGIC + depth;
    if (depth > 0)
        return sleep_with(local, depth - 1) + (mine->key - MAGIC);
    TRI_BLOCKING {
        pthread_barrier_wait(&meeting); /* the collector runs from here */
        pthread_barrier_wait(&meeting); /* to here */
    }
    for (int i = 0; i < 2000; i++)
        tri_new(node); /* whatever was freed is used again */
    return (local->key - MAGIC) + (mine->key - MAGIC);
}

static void *sleeper_main(void *unused)
{
    node *mine = tri_new(node);
    (void)unused;
    mine->key = MAGIC + 1000;
    return (void *)sleep_with(mine, 5);
}

#define SLEEPERS 20

START_TEST(sleeping_threads_hold_their_objects)
{
    pthread_t threads[SLEEPERS];
    start_quiet();
    prepare_meeting(SLEEPERS + 1);
    for (int i = 0; i < SLEEPERS; i++)
        start_thread(&threads[i], sleeper_main, NULL);
    meet();
    collect_some(3);
    ck_assert_uint_eq(attached_threads(), SLEEPERS + 1);
    meet();
    for (int i = 0; i < SLEEPERS; i++)
        ck_assert_uint_eq((uintptr_t)join(threads[i]), 1000 + 5 + 4 + 3 + 2 + 1);
    tri_shutdown();
}
END_TEST

/* A thread that wakes and sleeps all the time, so that it often wakes while it is claimed. */
static uint32_t stop; /* atomic */

static bool stopped(void)
{
    return __atomic_load_n(&stop, __ATOMIC_RELAXED) != 0;
}

static void *flicker_main(void *unused)
{
    node *mine = NULL;
    uintptr_t count = 0;
    (void)unused;
    while (!stopped()) {
        if (count % 100 == 0)
            mine = NULL;
        node *fresh = tri_new(node);
        fresh->key = count++;
        tri_init_store(&fresh->next, mine);
        mine = fresh;
        TRI_BLOCKING
            sched_yield();
        if (mine->key != count - 1 || (mine->next != NULL && mine->next->key != count - 2))
            return "an object was freed too early";
    }
    return NULL;
}

static void *spinner_main(void *unused)
{
    node *mine = tri_new(node);
    (void)unused;
    mine->key = MAGIC;
    while (!stopped())
        tri_safepoint();
    return mine->key == MAGIC ? NULL : "an object was freed too early";
}

static uint32_t idlers; /* atomic: that are inside TRI_BLOCKING, for good */

static void *idler_main(void *unused)
{
    node *mine = tri_new(node);
    (void)unused;
    mine->key = MAGIC;
    TRI_BLOCKING {
        tri__fetch_add_acqrel(&idlers, 1); /* rel -> acq of who waits for all */
        while (!stopped())
            usleep(1000);
    }
    return mine->key == MAGIC ? NULL : "an object was freed too early";
}

START_TEST(cycles_beside_threads_of_all_kinds)
{
    void *(*const mains[])(void *) = {flicker_main, spinner_main, idler_main, flicker_main};
    pthread_t threads[4];
    void *error;
    uint64_t end;
    start_quiet();
    for (int i = 0; i < 4; i++)
        start_thread(&threads[i], mains[i], NULL);
    end = tri__os_now() + MOST_NS;
    for (int i = 0; i < 150 && tri__os_now() < end; i++)
        tri_collect();
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 4; i++) {
        error = join(threads[i]);
        ck_assert_msg(error == NULL, "thread %d: %s", i, (char *)error);
    }
    tri_shutdown();
}
END_TEST

START_TEST(handshakes_with_many_blocked_threads)
{
    enum { THREADS = 100 };
    struct tri__handshake_report report;
    pthread_t threads[THREADS];
    start_quiet();
    for (int i = 0; i < THREADS; i++)
        start_thread(&threads[i], idler_main, NULL);
    while (tri__load_acquire(&idlers) != THREADS) /* acq <- rel in idler_main() */
        usleep(1000);
    ck_assert_uint_eq(attached_threads(), THREADS + 1);
    for (int i = 0; i < 300; i++) {
        TRI_BLOCKING
            tri__handshake(TRI__REQUEST_PING, &report);
        ck_assert_uint_eq(report.mutators, 0);
        ck_assert_uint_le(report.slowest_ns, report.ns);
    }
    collect_some(3);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        ck_assert_ptr_null(join(threads[i]));
    tri_shutdown();
}
END_TEST

/* ---- handshakes and sleep, one step at a time ---- */

static void announce(enum tri__request what)
{
    struct tri__handshake_report report;
    TRI_BLOCKING
        tri__handshake(what, &report);
}

/* How many threads had to be visited; the caller, who sleeps meanwhile, is one unless the
 * announcement is an old one. */
static size_t settle(void)
{
    struct tri__handshake_report report;
    TRI_BLOCKING
        tri__handshake_settle(&report);
    return report.asleep;
}

static node *first_slot;
static struct hidden sleeps_with;

/* Sleeps from one meeting to the next, and stores before anything else. */
static void *store_when_it_wakes(void *unused)
{
    node *mine = tri_new(node);
    (void)unused;
    TRI_BLOCKING {
        pthread_barrier_wait(&meeting);
        pthread_barrier_wait(&meeting);
    }
    tri_store(&first_slot, mine);
    return is_shaded(mine) ? NULL : "the first store was not shaded";
}

START_TEST(a_thread_sleeps_through_h1)
{
    pthread_t thread;
    start_quiet();
    prepare_meeting(2);
    start_thread(&thread, store_when_it_wakes, NULL);
    meet();
    tri__buffers_open();
    announce(TRI__REQUEST_ARM);
    announce(TRI__REQUEST_PING);
    meet();
    join_without_error(thread);
    ask_all(TRI__REQUEST_SCAN);
    end_mark();
    tri_shutdown();
}
END_TEST

static void *be_scanned_when_it_wakes(void *unused)
{
    node *mine = tri_new(node);
    (void)unused;
    TRI_BLOCKING {
        pthread_barrier_wait(&meeting);
        pthread_barrier_wait(&meeting);
    }
    if (tri__self->barrier != TRI__BARRIER_SCANNED)
        return "it goes on, and has not been scanned";
    return is_shaded(mine) ? NULL : "its stack was not looked at";
}

START_TEST(a_thread_wakes_before_h2_is_settled)
{
    pthread_t thread;
    start_quiet();
    prepare_meeting(2);
    start_thread(&thread, be_scanned_when_it_wakes, NULL);
    meet();
    tri__buffers_open();
    announce(TRI__REQUEST_ARM);
    announce(TRI__REQUEST_SCAN);
    meet();
    join_without_error(thread);
    settle();
    end_mark();
    tri_shutdown();
}
END_TEST

/* Sleeps, stores, sleeps again. */
static void *store_between_naps(void *unused)
{
    node *mine = tri_new(node);
    (void)unused;
    TRI_BLOCKING {
        pthread_barrier_wait(&meeting);
        pthread_barrier_wait(&meeting);
    }
    sleeps_with = hide(mine);
    tri_store(&first_slot, mine);
    TRI_BLOCKING {
        pthread_barrier_wait(&meeting);
        pthread_barrier_wait(&meeting);
    }
    return NULL;
}

static size_t flush(void)
{
    announce(TRI__REQUEST_FLUSH);
    return settle();
}

START_TEST(a_sleeper_is_scanned_once)
{
    pthread_t thread;
    start_quiet();
    prepare_meeting(2);
    start_thread(&thread, store_between_naps, NULL);
    meet();
    begin_mark(TRI__BARRIER_SCANNED);
    ck_assert_uint_eq(flush(), 0);
    forget_shaded();
    meet();
    meet(); /* it has run */
    ck_assert(!is_shaded(reveal(sleeps_with)));
    ck_assert_uint_eq(flush(), 1);
    ck_assert(is_shaded(reveal(sleeps_with)));
    ck_assert_uint_eq(flush(), 0);
    end_mark(); /* an H4 is for everybody */
    meet();
    join(thread);
    tri_shutdown();
}
END_TEST

/* The number of a phase, and the state of barriers in it; 0 while it changes. */
static uint64_t phase_now; /* atomic */

static const char *check_phase(void)
{
    uint64_t seen = tri__load_seqcst(&phase_now);
    uint8_t barrier = tri__self->barrier;
    if (seen != 0 && tri__load_seqcst(&phase_now) == seen && barrier != seen % 4)
        return "it runs on in an old phase";
    return NULL;
}

static uint32_t nappers; /* atomic: that have their objects */

/* Some sleep until the phase changes: if one fell asleep without an answer that is waited for, it
 * would sleep for ever. */
static void *nap_main(void *store)
{
    node *mine = tri_new(node);
    const char *error = NULL;
    tri__fetch_add_relaxed(&nappers, 1);
    while (error == NULL && !stopped()) {
        uint64_t seen = tri__load_seqcst(&phase_now);
        TRI_BLOCKING
            while (store == NULL && !stopped() && tri__load_seqcst(&phase_now) == seen)
                sched_yield();
        error = check_phase();
        if (store != NULL)
            tri_store(&mine->next, mine);
        tri_safepoint();
    }
    return (void *)error;
}

static void change_phase(enum tri__request what, enum tri__barrier_state barrier)
{
    static uint64_t number;
    tri__store_seqcst(&phase_now, 0);
    announce(what);
    tri__store_seqcst(&phase_now, 4 * ++number + barrier);
    if (what != TRI__REQUEST_ARM)
        settle();
}

START_TEST(wakings_beside_handshakes)
{
    enum { THREADS = 4, MARKS = 400 };
    pthread_t threads[THREADS];
    void *error;
    uint64_t end;
    start_quiet();
    for (int i = 0; i < THREADS; i++)
        start_thread(&threads[i], nap_main, i % 2 != 0 ? &stop : NULL);
    /* These marks mark nothing: who allocated after one would get what another stores into. */
    TRI_BLOCKING
        while (tri__load_relaxed(&nappers) != THREADS)
            usleep(1000);
    end = tri__os_now() + MOST_NS;
    for (int i = 0; i < MARKS && tri__os_now() < end; i++) {
        tri__buffers_open();
        change_phase(TRI__REQUEST_ARM, TRI__BARRIER_UNSCANNED);
        change_phase(TRI__REQUEST_SCAN, TRI__BARRIER_SCANNED);
        change_phase(TRI__REQUEST_FLUSH, TRI__BARRIER_SCANNED);
        ck_assert(tri__buffers_close());
        change_phase(TRI__REQUEST_RELEASE, TRI__BARRIER_IDLE);
        tri__buffer_discard_full();
    }
    heap_is_left_wrong = true; /* nobody sweeps what they allocate black */
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++) {
        error = join(threads[i]);
        ck_assert_msg(error == NULL, "thread %d: %s", i, (char *)error);
    }
    tri_shutdown();
}
END_TEST

/* ---- threads that end asleep ---- */

static void *sleep_for_ever(void *how)
{
    node *mine = tri_new(node);
    tri_blocking_begin();
    TRI_BLOCKING {
        pthread_barrier_wait(&meeting);
        if (how != NULL)
            pthread_exit(mine);
        for (;;)
            pause();
    }
    return mine;
}

START_TEST(a_thread_is_cancelled_while_it_sleeps)
{
    pthread_t thread;
    start_quiet();
    prepare_meeting(2);
    for (int i = 0; i < 10; i++) {
        start_thread(&thread, sleep_for_ever, NULL);
        meet();
        ck_assert_int_eq(pthread_cancel(thread), 0);
        ck_assert_ptr_eq(join(thread), PTHREAD_CANCELED);
        ck_assert_uint_eq(attached_threads(), 1);
        tri_collect();
    }
    tri_shutdown();
}
END_TEST

START_TEST(a_thread_ends_inside_a_block)
{
    pthread_t thread;
    start_quiet();
    prepare_meeting(2);
    start_thread(&thread, sleep_for_ever, (void *)1);
    meet();
    ck_assert_ptr_nonnull(join(thread));
    ck_assert_uint_eq(attached_threads(), 1);
    tri_collect();
    tri_shutdown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("blocking");
    TCase *blocking = tcase_create("blocking"), *end = tcase_create("end");

    tcase_add_test(blocking, ways_out_of_blocking);
    tcase_add_test(blocking, blocks_nest);
    tcase_add_test(blocking, a_safepoint_in_a_block);
    tcase_add_test(blocking, sleeping_threads_hold_their_objects);
    tcase_add_test(blocking, cycles_beside_threads_of_all_kinds);
    tcase_add_test(blocking, handshakes_with_many_blocked_threads);
    tcase_add_test(blocking, a_thread_sleeps_through_h1);
    tcase_add_test(blocking, a_thread_wakes_before_h2_is_settled);
    tcase_add_test(blocking, a_sleeper_is_scanned_once);
    tcase_add_test(blocking, wakings_beside_handshakes);
    tcase_set_timeout(blocking, 30);
    suite_add_tcase(suite, blocking);

    if (!HAS_TSAN) /* it takes no notice of what a thread does that was cancelled asleep */
        tcase_add_test(end, a_thread_is_cancelled_while_it_sleeps);
    tcase_add_test(end, a_thread_ends_inside_a_block);
    tcase_set_timeout(end, 30);
    suite_add_tcase(suite, end);
    return run_suite(suite);
}
