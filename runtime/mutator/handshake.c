/* SPDX-License-Identifier: MIT */
/* Requests, answers, and answering for blocked threads.
 *
 * Pairing. Coordinator: request := what, then state is read (claim). Mutator, entering
 * TRI_BLOCKING: state := BLOCKED, then request is read. Both sides store before they load,
 * sequentially consistent, so at least one sees the other [inv.handshake.dekker]: a
 * request is answered by the mutator itself or by a claim, and only once, because only the
 * one who acts for the mutator (its thread while RUNNING, the coordinator while CLAIMED)
 * clears it [inv.mutator.claim]. */
#include "mutator/handshake.h"

#include "base/fatal.h"
#include "base/futex.h"
#include "base/os.h"
#include "mutator/stack.h"

/* How long the coordinator sleeps before it looks for blocked threads again. Only a
 * backstop: [inv.handshake.dekker]. */
#define RECHECK_NS UINT64_C(1000000)

static uint32_t pending; /* atomic: answers still to come; the last one wakes the coordinator */

static void arm(struct tri__mutator *mutator)
{
    tri__cache_arm(&mutator->writer.cache);
    tri__buffer_reset(&mutator->writer);
    mutator->writer.cache.front.barrier = TRI__BARRIER_UNSCANNED;
}

static void release(struct tri__mutator *mutator)
{
    tri__cache_flip(&mutator->writer.cache);
    tri__buffer_reset(&mutator->writer);
    mutator->writer.cache.front.barrier = TRI__BARRIER_IDLE;
}

static void scan(struct tri__mutator *mutator, bool own)
{
    if (own)
        tri__stack_scan_own(mutator);
    else
        tri__stack_scan_claimed(mutator);
}

static void act(struct tri__mutator *mutator, enum tri__request what, bool own)
{
    switch (what) {
    case TRI__REQUEST_NONE:
    case TRI__REQUEST_PING:
        break;
    case TRI__REQUEST_ARM:
        arm(mutator);
        break;
    case TRI__REQUEST_SCAN:
        if (mutator->writer.cache.front.barrier == TRI__BARRIER_IDLE)
            arm(mutator); /* only under the fault switch that leaves H1 out */
        tri__cache_blacken(&mutator->writer.cache);
        scan(mutator, own);
        mutator->writer.cache.front.barrier = TRI__BARRIER_SCANNED;
        break;
    case TRI__REQUEST_FLUSH:
        scan(mutator, own);
        tri__buffer_flush(&mutator->writer, mutator->writer.stamp + 1);
        tri__cache_report(&mutator->writer.cache);
        break;
    case TRI__REQUEST_RELEASE:
        release(mutator);
        break;
    }
}

/* acq <- the store in post_request() */
static enum tri__request asked(const struct tri__mutator *mutator)
{
    return (enum tri__request)(tri__load_acquire(&mutator->writer.cache.front.request) &
                               TRI__REQUEST_MASK);
}

/* Whoever acts for the mutator does what is asked and says so. */
static void answer(struct tri__mutator *mutator, bool own)
{
    enum tri__request what = asked(mutator);

    act(mutator, what, own);
    tri__store_relaxed(&mutator->latency, tri__os_now() - tri__load_relaxed(&mutator->asked));
    tri__fetch_and_relaxed(&mutator->writer.cache.front.request, ~TRI__REQUEST_MASK);
    /* rel -> acq in await_answers(): what the action wrote is seen when the last answer is */
    if (tri__fetch_sub_acqrel(&pending, 1) == 1)
        tri__futex_wake(&pending, 1);
}

void tri__handshake_answer(struct tri__mutator *self)
{
    enum tri__request what = asked(self);
    bool stack = what == TRI__REQUEST_SCAN || what == TRI__REQUEST_FLUSH;
    uint64_t start;

    if (what == TRI__REQUEST_NONE)
        return;
    start = tri__os_now();
    answer(self, true);
    tri__mutator_delayed(self, stack ? TRI_DELAY_STACK : TRI_DELAY_HANDSHAKE, start);
}

/* Ends a claim; wakes the thread if it wants to go on. */
static void unclaim(struct tri__mutator *mutator)
{
    /* rel -> acq in become_running() */
    if (tri__exchange_acqrel(&mutator->state, TRI__BLOCKED) == TRI__AWAITED)
        tri__futex_wake(&mutator->state, 1);
}

static void claim_and_answer(struct tri__mutator *mutator)
{
    uint32_t state = TRI__BLOCKED;

    /* seqcst: after the store of the request. acq <- rel in become_blocked(): its
     * stack and cache are ours now */
    if (!tri__cas_seqcst(&mutator->state, &state, TRI__CLAIMED))
        return;
    if (asked(mutator) != TRI__REQUEST_NONE)
        answer(mutator, false);
    unclaim(mutator);
}

static void answer_for_blocked(void)
{
    struct tri__members *members;

    tri__rcu_lock();
    members = tri__registry_members();
    for (size_t i = 0; i < members->count; i++) {
        struct tri__mutator *mutator = tri__load_relaxed(&members->mutators[i]);

        if (mutator != NULL && asked(mutator) != TRI__REQUEST_NONE)
            claim_and_answer(mutator);
    }
    tri__rcu_unlock();
}

static void await_answers(void)
{
    uint32_t left;

    while ((left = tri__load_acquire(&pending)) != 0) { /* acq <- rel in answer() */
        tri__futex_wait(&pending, left, RECHECK_NS);
        if (tri__load_relaxed(&pending) != 0)
            answer_for_blocked();
    }
}

/* [registry_lock] What a thread that attaches from now on is told. */
static void advance_phase_locked(enum tri__request what)
{
    switch (what) {
    case TRI__REQUEST_NONE:
    case TRI__REQUEST_PING:
        break;
    case TRI__REQUEST_FLUSH:
        tri__phase.stamp++;
        break;
    case TRI__REQUEST_ARM:
        tri__phase.barrier = TRI__BARRIER_UNSCANNED;
        tri__phase.cache.black = false;
        tri__phase.cache.sweeping = false;
        break;
    case TRI__REQUEST_SCAN: /* a new thread's stack is empty, so it counts as scanned */
        tri__phase.barrier = TRI__BARRIER_SCANNED;
        tri__phase.cache.black = true;
        tri__phase.cache.sweeping = false;
        break;
    case TRI__REQUEST_RELEASE:
        tri__phase.barrier = TRI__BARRIER_IDLE;
        tri__phase.cache.black = false;
        tri__phase.cache.sweeping = true;
        tri__phase.cache.side ^= 1;
        break;
    }
}

static size_t post_request(enum tri__request what, uint64_t now)
{
    struct tri__members *members;
    size_t count = 0;

    tri__registry_lock();
    advance_phase_locked(what);
    members = tri__registry_members();
    for (size_t i = 0; i < members->count; i++)
        count += members->mutators[i] != NULL;
    TRI__ASSERT(tri__load_relaxed(&pending) == 0); /* one handshake at a time */
    tri__store_relaxed(&pending, (uint32_t)count);
    for (size_t i = 0; i < members->count; i++) {
        struct tri__mutator *mutator = members->mutators[i];

        if (mutator == NULL)
            continue;
        tri__store_relaxed(&mutator->asked, now);
        /* Before any claim: [inv.handshake.dekker]. */
        tri__fetch_or_seqcst(&mutator->writer.cache.front.request, what);
    }
    tri__registry_unlock();
    return count;
}

static void find_slowest(struct tri__handshake_report *report)
{
    struct tri__members *members;

    report->slowest_ns = 0;
    report->slowest_tid = 0;
    tri__rcu_lock();
    members = tri__registry_members();
    for (size_t i = 0; i < members->count; i++) {
        struct tri__mutator *mutator = tri__load_relaxed(&members->mutators[i]);

        if (mutator == NULL || tri__load_relaxed(&mutator->latency) < report->slowest_ns)
            continue;
        report->slowest_ns = tri__load_relaxed(&mutator->latency);
        report->slowest_tid = mutator->tid;
    }
    tri__rcu_unlock();
}

void tri__handshake(enum tri__request what, struct tri__handshake_report *report)
{
    uint64_t start = tri__os_now();

    report->mutators = post_request(what, start);
    answer_for_blocked();
    await_answers();
    report->ns = tri__os_now() - start;
    find_slowest(report);
}
