/* SPDX-License-Identifier: MIT */
/* The coordinator.
 *
 * Owns: the phase of the heap. Locks: cycle_lock, for requests and waiters; nothing else is taken
 * under it. No step stops the program: each handshake is answered by one thread after the other,
 * while all others run on [inv.cycle.no-stop]. */
#include "collector/cycle.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/chaos.h"
#include "base/fatal.h"
#include "base/os.h"
#include "collector/assist.h"
#include "collector/courier.h"
#include "collector/marker.h"
#include "collector/pace.h"
#include "collector/verify.h"
#include "collector/verify_clobber.h"
#include "collector/verify_layout.h"
#include "heap/arena_quarantine.h"
#include "heap/graves.h"
#include "heap/type_notes.h"
#include "layout/type_retire.h"
#include "mutator/attach.h"
#include "mutator/roots.h"
#include "mutator/user_stack.h"

#define WAIT_NS UINT64_C(200000) /* backstop while other workers finish */

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

/* coordinator */
static struct tri__marker marker;
static uint64_t drained;

void (*tri__cycle_at_stage)(enum tri__cycle_stage stage);

static inline void enter(enum tri__cycle_stage stage)
{
    if (TRI__UNLIKELY(tri__cycle_at_stage != NULL))
        tri__cycle_at_stage(stage);
    tri__chaos(TRI__CHAOS_PREPARE + stage);
}
_Static_assert(TRI__CHAOS_SWEEP - TRI__CHAOS_PREPARE == TRI__STAGE_SWEEP, "a point each");

static void handshake(enum tri__request what, struct tri__handshake_report *report)
{
    tri__courier_handshake(what, report);
    pthread_mutex_lock(&cycle_lock);
    totals.handshakes++;
    totals.handshake_ns += report->ns;
    tri__histogram_record(&totals.rounds, report->ns);
    pthread_mutex_unlock(&cycle_lock);
}

/* ---- draining ---- */

/* The full buffers there are at this moment, not those that come meanwhile: a pass ends however
 * fast the program stores. What one holds is marked before the next one is taken, so that
 * candidates do not pile up. */
static void drain_full(void)
{
    for (uint32_t left = tri__buffers_full(); left > 0; left--) {
        size_t count = tri__buffer_drain_full(tri__marker_take, &marker);

        if (count == 0)
            break;
        drained += count;
        tri__marker_drain(&marker);
    }
}

/* What the threads' buffers hold now, partly filled ones included. It is marked later: who waits for
 * readers of the registry, a fork among them, must not wait for a mark. */
static void drain_thread(struct tri__mutator *mutator, void *unused)
{
    (void)unused;
    drained += tri__buffer_drain_writer(&mutator->writer, tri__marker_take, &marker);
}

/* ---- marking ---- */

/* Works until no worker has anything; own grey work first, then what others hold. */
static void finish_work(void)
{
    for (;;) {
        uint32_t seen = tri__work_events();

        tri__marker_enter(&marker);
        tri__marker_drain(&marker);
        tri__marker_leave(&marker);
        if (tri__work_is_done())
            return;
        tri__work_wait(seen, WAIT_NS);
    }
}

/* Grey objects that no chunk could hold are found by looking at all marked ones; that may overflow
 * again, but each pass marks more. true: there were some; the objects that mutators and markers mark
 * when they overflow are in no count. */
static bool recover_overflow(void)
{
    bool found = false;

    while (tri__overflow_take()) {
        found = true;
        tri__marker_enter(&marker);
        tri__marker_rescan_heap(&marker);
        tri__marker_leave(&marker);
        finish_work();
    }
    return found;
}

static void drain_own(void *mine)
{
    tri__marker_drain(mine);
}

/* What every thread has shaded up to its answer to H3. Only the coordinator counts rounds, so it
 * may read the stamp without the lock. true: something overflowed, so something was marked. */
static bool take_flushed(void)
{
    tri__marker_enter(&marker);
    drained += tri__buffers_drain_older(tri__phase.stamp, tri__marker_take, drain_own, &marker);
    tri__marker_drain(&marker);
    tri__marker_leave(&marker);
    finish_work();
    return recover_overflow();
}

static void take_buffers(bool partial)
{
    tri__marker_enter(&marker);
    drain_full();
    if (partial)
        tri__registry_each(drain_thread, NULL);
    tri__marker_drain(&marker);
    tri__marker_leave(&marker);
    finish_work();
    recover_overflow();
}

/* Marks until looking at all buffers brings nothing new. Grey work goes first and the buffers after
 * it, never the other way round [inv.mark.order]. */
static void mark_until_quiet(void)
{
    bool partial = true;
    uint64_t before;

    do {
        before = tri__marked_objects();
        take_buffers(partial);
        partial = !tri__fault(TRI__FAULT_SKIP_FLUSH);
    } while (tri__marked_objects() != before);
}

static void scan_roots(void)
{
    tri__marker_enter(&marker);
    tri__roots_scan(tri__marker_take, &marker);
    tri__handles_scan(tri__marker_take, &marker);
    tri__arena_chunks_each(tri__marker_take_arena, &marker);
    tri__user_stacks_scan(tri__marker_take, &marker);
    tri__marker_drain(&marker);
    tri__marker_leave(&marker);
}

/* With verification on: is there a pointer that nobody has told of? What it leads to is a candidate
 * then, and the mark goes on, with buffers open still: so nothing is lost. */
static bool finds_unshaded(void)
{
    size_t found;

    if (TRI__LIKELY(!tri__verify_is_on()))
        return false;
    tri__marker_enter(&marker);
    found = tri__verify_barriers(&marker);
    tri__marker_drain(&marker);
    tri__marker_leave(&marker);
    return found != 0;
}

/* H3: queues are empty, so a grey object could only be in some buffer or on some stack; its owner's
 * answer brings it up, and the round fails. A thread gives its buffer away as part of the answer,
 * so no entry can move from a place that is looked at later to one that was looked at before. If no
 * answer brings anything there was none when the round began, and a white object can only be
 * reached through a grey one [inv.mark.verdict]. */
static bool terminate(struct tri__cycle_report *report)
{
    struct tri__handshake_report round;
    uint64_t before;
    bool overflow;

    tri__assist_close();
    finish_work();
    recover_overflow();
    before = tri__marked_objects();
    enter(TRI__STAGE_VERDICT);
    handshake(TRI__REQUEST_FLUSH, &round);
    tri__handshake_settle(&round);
    if (round.ns >= report->flush.ns)
        report->flush = round;
    report->rounds++;
    overflow = take_flushed();
    if (!overflow && tri__marked_objects() == before && !finds_unshaded() && tri__buffers_close())
        return true;
    tri__assist_open();
    return false;
}

/* H1, in two rounds. After the first every barrier is on; but a thread that was armed early may be in
 * the middle of a store, with an old value in hand that another thread, not armed yet, has replaced
 * since without shading. After the second such stores are over, because there is no safepoint in
 * one; only then may a stack be scanned [inv.barrier.armed]. */
static void arm(struct tri__cycle_report *report)
{
    struct tri__handshake_report settled;

    enter(TRI__STAGE_ARM);
    handshake(TRI__REQUEST_ARM, &report->arm);
    enter(TRI__STAGE_CONFIRM);
    handshake(TRI__REQUEST_PING, &settled);
    report->arm.ns += settled.ns;
}

static void mark(struct tri__cycle_report *report)
{
    uint64_t start = tri__os_now();

    tri__marked_reset();
    if (tri__graves_are_kept())
        tri__graves_mark_begins();
    tri__user_stacks_begin_mark();
    tri__buffers_open();
    tri__buffers_set_bound((uint32_t)(tri__pace_live() / 100 / sizeof(struct tri__buffer)));
    if (!tri__fault(TRI__FAULT_SKIP_ARM))
        arm(report);
    if (TRI__LIKELY(!tri__types_are_noted()))
        tri__retired_types_review();
    tri__pace_mark_begins();
    enter(TRI__STAGE_SCAN);
    handshake(TRI__REQUEST_SCAN, &report->scan);
    tri__handshake_settle(&report->scan); /* no marker looks before: [inv.mark.start] */
    tri__assist_open();
    enter(TRI__STAGE_ROOTS);
    scan_roots();
    enter(TRI__STAGE_MARK);
    do
        mark_until_quiet();
    while (!terminate(report));
    if (TRI__UNLIKELY(tri__verify_layout_is_on()))
        tri__verify_layouts();
    if (tri__graves_are_kept())
        tri__verify_clobber();
    report->mark_ns = tri__os_now() - start;
    report->marked_objects = tri__marked_objects();
    report->marked_bytes = tri__marked_bytes();
}

/* ---- sweeping ---- */

/* Only the coordinator flips the phase, so it may read its side without the lock. */
static void sweep_all(void)
{
    uint8_t unswept = tri__phase.cache.side ^ 1;

    for (unsigned list = TRI__LARGE_SPAN; list < TRI__LISTS; list++)
        tri__sweep_list(unswept, list);
}

/* ---- the cycle ---- */

static void add_assists(struct tri__mutator *mutator, void *count)
{
    *(uint64_t *)count += tri__load_relaxed(&mutator->assists);
}

static uint64_t count_assists(void)
{
    struct tri__departed departed;
    uint64_t count;

    tri__departed_statistics(&departed);
    count = departed.assists;
    tri__registry_each(add_assists, &count);
    return count;
}

/* H4: marks are final. A thread goes on allocating black, and pushing to its old side, until it
 * answers; from its answer on it allocates from swept spans only. Sweeping needs to wait for
 * nobody [inv.sweep.sides]. */
static void release(struct tri__cycle_report *report)
{
    enter(TRI__STAGE_RELEASE);
    handshake(TRI__REQUEST_RELEASE, &report->release);
    tri__handshake_settle(&report->release); /* before the next mark, and before runs are swept */
    tri__buffer_discard_full(); /* what is left in them is marked: [inv.mark.verdict] */
    tri__pace_mark_ends(report->marked_bytes,
                        tri__marked_scan_bytes() + report->marked_objects * TRI__OBJECT_EFFORT);
}

static void sweep(struct tri__cycle_report *report)
{
    uint64_t start = tri__os_now();

    tri__typed_age();
    enter(TRI__STAGE_SWEEP);
    sweep_all();
    report->sweep_ns = tri__os_now() - start;
}

static void run_cycle(struct tri__cycle_report *report)
{
    uint64_t start = tri__os_now(), exchanged = tri__buffers_exchanged(), assists = count_assists();
    uint64_t freed = tri__load_relaxed(&tri__heap.freed);

    report->started = start - birth;
    drained = 0;
    enter(TRI__STAGE_PREPARE);
    tri__quarantine_begin();
    sweep_all(); /* prepare: nothing is left unless a thread has held it back; marks are clear */
    report->prepare_ns = tri__os_now() - start;
    report->heap_before = tri__pace_heap();
    report->heap_goal = tri__pace_goal();
    mark(report);
    release(report);
    tri__quarantine_end();
    sweep(report);
    report->heap_after = tri__pace_heap();
    report->freed_bytes = tri__load_relaxed(&tri__heap.freed) - freed;
    report->drained = drained;
    report->full_buffers = tri__buffers_exchanged() - exchanged;
    report->assists = count_assists() - assists;
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

/* ---- between cycles ---- */

struct errand {
    tri__errand *run;
    void *argument;
    int result;
    bool done;
};

void tri__cycle_quiet(void)
{
    struct tri__handshake_report report;

    tri__courier_handshake(TRI__REQUEST_PING, &report);
}

uint8_t tri__cycle_swept_side(void)
{
    return tri__phase.cache.side;
}

/* No lists get unswept spans until the next H4; but a thread may have popped one before the lists
 * were found empty, to sweep it or give it back: it has not after its next safepoint
 * [inv.check.frozen]. */
static void run_errand_locked(void)
{
    struct errand *now = errand;

    pthread_mutex_unlock(&cycle_lock);
    sweep_all();
    tri__cycle_quiet();
    now->result = now->run(now->argument);
    pthread_mutex_lock(&cycle_lock);
    now->done = true;
    errand = NULL;
    pthread_cond_broadcast(&finished);
}

/* Waits for a request. false: stop. */
static bool next_cycle(struct tri__cycle_report *report)
{
    bool go;

    pthread_mutex_lock(&cycle_lock);
    while (errand != NULL || (!stopping && cycles_started >= cycles_wanted &&
                              tri__load_relaxed(&running) == 0)) {
        if (errand != NULL)
            run_errand_locked();
        else
            pthread_cond_wait(&wanted, &cycle_lock);
    }
    go = !stopping;
    *report = (struct tri__cycle_report){.number = ++cycles_started};
    report->forced = report->number <= cycles_wanted;
    pthread_mutex_unlock(&cycle_lock);
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
        run_cycle(&report);
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

/* The cycle that was running is as if it had ended. Whoever waited for it is gone, and the condition
 * variables would wait for them. */
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

void tri__cycle_totals_get(struct tri__cycle_totals *out)
{
    pthread_mutex_lock(&cycle_lock);
    *out = totals;
    pthread_mutex_unlock(&cycle_lock);
}
