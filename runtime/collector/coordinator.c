/* SPDX-License-Identifier: MIT */
/* The coordinator's thread and the further markers; who wants a cycle, or something between two,
 * and waits for it.
 *
 * Locks: cycle_lock, for requests and waiters; nothing else is taken under it. Threads: any may
 * ask, as cycle.h says of the steps and coordinator.h of the calls. */
#include "collector/coordinator.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/fatal.h"
#include "base/os.h"
#include "collector/courier.h"
#include "collector/marker.h"
#include "mutator/attach.h"
#include "mutator/stack.h"

static pthread_mutex_t cycle_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wanted = PTHREAD_COND_INITIALIZER, finished = PTHREAD_COND_INITIALIZER;

/* [cycle_lock] */
static uint64_t cycles_wanted; /* run until cycles_started is at least this */
static uint64_t cycles_started;
static uint64_t cycles_finished;
static bool stopping;
static bool present; /* the collector's threads are there: not in a child of fork(), at first */
static struct tri__cycle_totals totals;
static struct errand *errand; /* on the stack of who waits for it */

/* atomic */
static uint32_t running; /* a hint that keeps requests for a cycle from taking the lock in vain */
static uint32_t markers_stop;

/* const while the collector runs */
static pthread_t coordinator;
static pthread_t *helpers;
static unsigned helper_count, helpers_wanted;
static tri__cycle_observer *observe;
static uint64_t birth;

/* ---- totals ---- */

void tri__coordinator_count(const struct tri__handshake_report *report)
{
    pthread_mutex_lock(&cycle_lock);
    totals.handshakes++;
    totals.handshake_ns += report->ns;
    tri__histogram_record(&totals.rounds, report->ns);
    pthread_mutex_unlock(&cycle_lock);
}

static void add_totals_locked(const struct tri__cycle_report *report)
{
    totals.cycles++;
    totals.forced_cycles += report->forced;
    totals.mark_ns += report->mark_ns;
    totals.mark_rounds += report->rounds;
    totals.marked_objects += report->marked_objects;
    totals.drained += report->drained;
}

void tri__cycle_totals_get(struct tri__cycle_totals *out)
{
    pthread_mutex_lock(&cycle_lock);
    *out = totals;
    pthread_mutex_unlock(&cycle_lock);
}

/* ---- errands ---- */

struct errand {
    tri__errand *run;
    void *argument;
    int result;
    bool done;
};

static void run_errand_locked(void)
{
    struct errand *now = errand;

    pthread_mutex_unlock(&cycle_lock);
    tri__cycle_freeze();
    now->result = now->run(now->argument);
    pthread_mutex_lock(&cycle_lock);
    now->done = true;
    errand = NULL;
    pthread_cond_broadcast(&finished);
}

/* ---- the coordinator ---- */

/* Waits for a request. false: stop. */
static bool next_cycle(struct tri__cycle_report *report)
{
    bool go;

    pthread_mutex_lock(&cycle_lock);
    while (errand != NULL ||
           (!stopping && cycles_started >= cycles_wanted && tri__load_relaxed(&running) == 0)) {
        if (errand != NULL)
            run_errand_locked();
        else
            pthread_cond_wait(&wanted, &cycle_lock);
    }
    go = !stopping;
    *report = (struct tri__cycle_report){.number = ++cycles_started};
    report->forced = report->number <= cycles_wanted;
    pthread_mutex_unlock(&cycle_lock);
    report->started = tri__os_now() - birth;
    return go;
}

static void end_cycle(const struct tri__cycle_report *report)
{
    pthread_mutex_lock(&cycle_lock);
    add_totals_locked(report);
    tri__store_relaxed(&running, 0);
    pthread_mutex_unlock(&cycle_lock);
    observe(report);
    pthread_mutex_lock(&cycle_lock);
    cycles_finished = report->number;
    pthread_cond_broadcast(&finished);
    pthread_mutex_unlock(&cycle_lock);
}

static void *coordinate(void *unused)
{
    struct tri__cycle_report report;

    (void)unused;
    tri__mutator_forbid();
    while (next_cycle(&report)) {
        tri__cycle_steps(&report);
        end_cycle(&report);
    }
    return NULL;
}

/* A further marker: works whenever there is work. */
static void *help(void *unused)
{
    struct tri__marker *mine = malloc(sizeof *mine);

    (void)unused;
    tri__mutator_forbid();
    while (mine != NULL) {
        uint32_t seen = tri__work_events();

        if (tri__load_acquire(&markers_stop) != 0)
            break;
        if (!tri__work_is_shared()) {
            tri__work_wait(seen, 0);
            continue;
        }
        tri__marker_enter(mine);
        tri__marker_drain(mine);
        tri__marker_leave(mine);
    }
    free(mine);
    return NULL;
}

/* ---- the threads ---- */

static void join_helpers(void)
{
    tri__store_release(&markers_stop, 1);
    for (unsigned i = 0; i < helper_count; i++) {
        tri__work_wake();
        pthread_join(helpers[i], NULL);
    }
    free(helpers);
    helpers = NULL;
    helper_count = 0;
}

static int start_helpers(unsigned count)
{
    int error = 0;

    free(helpers); /* of the parent's threads, in a child of fork() */
    helpers = calloc(count, sizeof *helpers);
    if (helpers == NULL && count != 0)
        return -ENOMEM;
    while (helper_count < count && error == 0) {
        error = tri__os_thread_start(&helpers[helper_count], help, NULL, "tri-marker");
        helper_count += error == 0;
    }
    if (error != 0)
        join_helpers();
    return error;
}

static unsigned default_markers(void)
{
    unsigned cpus = tri__os_cpus();

    return cpus < 4 ? 1 : cpus / 4;
}

static int start_threads_locked(void)
{
    int error;

    tri__store_relaxed(&markers_stop, 0);
    error = start_helpers(helpers_wanted);
    if (error != 0)
        return error;
    error = tri__courier_start();
    if (error != 0) {
        join_helpers();
        return error;
    }
    error = tri__os_thread_start(&coordinator, coordinate, NULL, "tri-collector");
    if (error != 0) {
        tri__courier_stop();
        join_helpers();
    }
    present = error == 0;
    return error;
}

/* A child of fork() has them when it first wants a cycle. false: they cannot be started now. */
static bool are_present_locked(void)
{
    TRI__ASSERT(!tri__load_relaxed(&tri__heap.orphaned)); /* [inv.fork.rebuild] */
    return present || start_threads_locked() == 0;
}

int tri__collector_start(unsigned markers, tri__cycle_observer *observer)
{
    int error;

    cycles_wanted = cycles_started = cycles_finished = 0;
    stopping = false;
    totals = (struct tri__cycle_totals){0};
    tri__store_relaxed(&running, 0);
    observe = observer;
    birth = tri__os_now();
    helpers_wanted = (markers != 0 ? markers : default_markers()) - 1;
    pthread_mutex_lock(&cycle_lock);
    error = start_threads_locked();
    pthread_mutex_unlock(&cycle_lock);
    return error;
}

void tri__collector_stop(void)
{
    tri__stack_must_be_own("waited for the collector to stop");
    pthread_mutex_lock(&cycle_lock);
    stopping = true;
    pthread_cond_signal(&wanted);
    pthread_mutex_unlock(&cycle_lock);
    if (!present)
        return;
    TRI_BLOCKING
        pthread_join(coordinator, NULL);
    tri__courier_stop();
    join_helpers();
    present = false;
}

/* ---- fork ---- */

void tri__collector_before_fork(void)
{
    pthread_mutex_lock(&cycle_lock);
}

void tri__collector_after_fork(void)
{
    pthread_mutex_unlock(&cycle_lock);
}

/* The cycle that was running is as if it had ended. Whoever waited for it is gone, and the
 * condition variables would wait for them. */
void tri__collector_abandon_locked(void)
{
    present = false;
    helper_count = 0;
    stopping = false;
    errand = NULL;
    cycles_wanted = cycles_finished = cycles_started;
    tri__store_relaxed(&running, 0);
    wanted = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    finished = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}

/* ---- from other threads ---- */

void tri__cycle_request(void)
{
    uint32_t idle = 0;

    if (tri__load_relaxed(&running) != 0 || !tri__cas_relaxed(&running, &idle, 1))
        return;
    tri__heap_take_over();
    pthread_mutex_lock(&cycle_lock);
    if (are_present_locked())
        pthread_cond_signal(&wanted);
    else
        tri__store_relaxed(&running, 0); /* the next request tries again */
    pthread_mutex_unlock(&cycle_lock);
}

/* [cycle_lock] Returns when a cycle has ended that was started after the call. false: there are no
 * threads to run it. */
static bool run_locked(void)
{
    uint64_t mine = cycles_started + 1;

    if (!are_present_locked())
        return false;
    if (cycles_wanted < mine)
        cycles_wanted = mine;
    pthread_cond_signal(&wanted);
    while (cycles_finished < mine)
        pthread_cond_wait(&finished, &cycle_lock);
    return true;
}

void tri__cycle_run(struct tri__mutator *self)
{
    uint64_t start = tri__os_now();
    int cancel_state;
    bool done = true;

    tri__stack_must_be_own("waited for a cycle");
    tri__heap_take_over();
    /* A cancelled waiter would keep cycle_lock. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    TRI_BLOCKING {
        pthread_mutex_lock(&cycle_lock);
        done = run_locked();
        pthread_mutex_unlock(&cycle_lock);
    }
    pthread_setcancelstate(cancel_state, NULL);
    if (!done)
        tri__warn("there is no memory for the collector's threads: no cycle was run");
    tri__mutator_delayed(self, TRI_DELAY_WAIT, start);
}

static int run_errand_there_locked(struct errand *mine)
{
    if (!are_present_locked())
        return -EAGAIN;
    while (errand != NULL)
        pthread_cond_wait(&finished, &cycle_lock);
    errand = mine;
    pthread_cond_signal(&wanted);
    while (!mine->done)
        pthread_cond_wait(&finished, &cycle_lock);
    return mine->result;
}

int tri__cycle_between(tri__errand *run, void *argument)
{
    struct errand mine = {.run = run, .argument = argument};
    int result = 0, cancel_state;

    tri__stack_must_be_own("waited for the collector");
    tri__heap_take_over();
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    TRI_BLOCKING {
        pthread_mutex_lock(&cycle_lock);
        result = run_errand_there_locked(&mine);
        pthread_mutex_unlock(&cycle_lock);
    }
    pthread_setcancelstate(cancel_state, NULL);
    return result;
}
