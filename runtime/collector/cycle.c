/* SPDX-License-Identifier: MIT */
/* A cycle, step by step.
 *
 * Owns: the phase of the heap. No step stops the program: each handshake is answered by one thread
 * after the other, while all others run on [inv.cycle.no-stop]. Threads: the coordinator. */
#include "collector/cycle.h"

#include "base/chaos.h"
#include "base/os.h"
#include "collector/assist.h"
#include "collector/coordinator.h"
#include "collector/courier.h"
#include "collector/marker.h"
#include "collector/pace.h"
#include "collector/verify.h"
#include "collector/verify_clobber.h"
#include "collector/verify_layout.h"
#include "heap/arena_quarantine.h"
#include "heap/graves.h"
#include "heap/told.h"
#include "heap/type_notes.h"
#include "layout/type_retire.h"
#include "mutator/attach.h"
#include "mutator/roots.h"
#include "mutator/user_stack.h"

#define WAIT_NS UINT64_C(200000) /* backstop while other workers finish */

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
    tri__coordinator_count(report);
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
    if (TRI__UNLIKELY(tri__verify_is_on()))
        tri__told_mark_begins();
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
    tri__pace_mark_ends(report->marked_bytes, tri__marked_effort());
}

static void sweep(struct tri__cycle_report *report)
{
    uint64_t start = tri__os_now();

    tri__typed_age();
    enter(TRI__STAGE_SWEEP);
    sweep_all();
    report->sweep_ns = tri__os_now() - start;
}

void tri__cycle_steps(struct tri__cycle_report *report)
{
    uint64_t start = tri__os_now(), exchanged = tri__buffers_exchanged(), assists = count_assists();
    uint64_t freed = tri__load_relaxed(&tri__heap.freed);

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

/* ---- between cycles ---- */

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
void tri__cycle_freeze(void)
{
    sweep_all();
    tri__cycle_quiet();
}
