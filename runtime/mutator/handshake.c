/* SPDX-License-Identifier: MIT */
/* Announcements, answers, and acting for threads that sleep.
 *
 * An announcement is a number and the phase that a thread has to be in once it has taken it; a
 * thread catches up with the last one, however many it has slept through.
 *
 * Pairing [inv.handshake.dekker], all sequentially consistent, each side stores before it loads:
 *   coordinator: announced := n, then the thread's state is read
 *   thread, going to sleep and waking up: state := BLOCKED or RUNNING, then announced is read
 * So a thread that is found BLOCKED sees n before it does anything else, and one that is found
 * RUNNING does not fall asleep without having taken n. The latter is asked, because somebody has
 * to say when it has:
 *   coordinator: request := ASKED, then answered is read
 *   thread: answered := n, then the request is taken back
 * At least one of them sees the other's store; the one that takes the request back counts it. */
#include "mutator/handshake.h"

#include <tricolor/window.h>

#include "base/chaos.h"
#include "base/entry.h"
#include "base/fatal.h"
#include "base/futex.h"
#include "base/os.h"
#include "mutator/signal.h"
#include "mutator/stack.h"
#include "mutator/watchdog.h"

/* An announcement in one word: number, counter of H3 rounds, side of the central lists that holds
 * swept spans, barrier state. */
#define STAGE_MASK UINT64_C(3)
#define SIDE_SHIFT 2
#define STAMP_SHIFT 3
#define NUMBER_SHIFT 32
#define STAMP_MASK ((UINT32_C(1) << (NUMBER_SHIFT - STAMP_SHIFT)) - 1)

/* How long a thread that has answered goes on before it steps aside for those that have not: an
 * answer takes a thread that has a processor some microseconds. */
#define PATIENCE_NS UINT64_C(30000)
#define NAPS_MAX 8 /* of some 60 us each */

/* How long a thread may be silent before it is interrupted by a signal, at first and at most. At first
 * it is longer where threads have not been silent lately: a timer that is due before the next tick has
 * to be programmed, which on virtual machines takes longer than the whole handshake
 * (docs/performance.md). */
#define SILENCE_NS UINT64_C(100000)
#define TICK_NS UINT64_C(4000000)
#define SILENCE_MAX_NS UINT64_C(20000000)

/* What a handshake with somebody silent adds to the suspicion that the next one will be such, and one
 * without takes away. Three in a row suffice; one alone says nothing: now and then the kernel lets a
 * thread wait for a processor for a tick or two. */
#define SUSPICION_SILENT 8u
#define SUSPICION_WARY 20u
#define SUSPICION_MOST 64u
#define LOST_NS UINT64_C(100000000)

static uint64_t announced; /* atomic; written under the registry lock */
static uint32_t pending;   /* atomic: answers still to come; the last one wakes the coordinator */
static enum tri__request asked_last; /* coordinator */
static unsigned suspicion;           /* coordinator: that somebody will be silent */

static uint32_t number_of(uint64_t announcement)
{
    return (uint32_t)(announcement >> NUMBER_SHIFT);
}

static uint32_t stamp_of(uint64_t announcement)
{
    return (uint32_t)(announcement >> STAMP_SHIFT) & STAMP_MASK;
}

static uint8_t stage_of(uint64_t announcement)
{
    return (uint8_t)(announcement & STAGE_MASK);
}

static uint8_t side_of(uint64_t announcement)
{
    return (uint8_t)(announcement >> SIDE_SHIFT & 1);
}

/* ---- what an answer does ---- */

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
    mutator->writer.cache.front.barrier = tri__barrier_at_rest();
    tri__store_relaxed(&mutator->scanned_asleep, false);
}

static void scan(struct tri__mutator *mutator, bool own)
{
    if (own)
        tri__stack_scan_own(mutator);
    else
        tri__stack_scan_claimed(mutator);
}

/* Whoever is scanned asleep leaves no buffer behind: until it goes on, there is nothing of it that a
 * marker does not have [inv.handshake.asleep]. */
static void first_scan(struct tri__mutator *mutator, bool own, uint32_t stamp)
{
    tri__cache_blacken(&mutator->writer.cache);
    scan(mutator, own);
    mutator->writer.cache.front.barrier = TRI__BARRIER_SCANNED;
    mutator->writer.stamp = stamp;
    if (!own)
        tri__buffer_surrender(&mutator->writer);
    tri__store_relaxed(&mutator->scanned_asleep, !own);
}

static void flush(struct tri__mutator *mutator, bool own, uint32_t stamp)
{
    if (tri__load_relaxed(&mutator->scanned_asleep)) {
        mutator->writer.stamp = stamp;
        return;
    }
    scan(mutator, own);
    tri__buffer_flush(&mutator->writer, stamp);
    tri__cache_report(&mutator->writer.cache);
    tri__store_relaxed(&mutator->scanned_asleep, !own);
}

/* Whoever acts for the mutator brings it into the phase that was announced. true: its stack was
 * scanned. It cannot have slept through a whole mark: H2 and H4 are settled. */
static bool catch_up(struct tri__mutator *mutator, uint64_t announcement, bool own)
{
    uint8_t stage = stage_of(announcement), *barrier = &mutator->writer.cache.front.barrier;

    if (stage == TRI__BARRIER_IDLE && !tri__barrier_is_at_rest(*barrier))
        release(mutator);
    if (stage != TRI__BARRIER_IDLE && tri__barrier_is_at_rest(*barrier))
        arm(mutator);
    TRI__ASSERT(mutator->writer.cache.side == side_of(announcement));
    TRI__CHECK(!tri__barrier_is_at_rest(*barrier) ||
               *barrier == tri__barrier_at_rest()); /* [inv.verify.watched] */
    if (stage != TRI__BARRIER_SCANNED)
        return false;
    if (*barrier == TRI__BARRIER_UNSCANNED)
        first_scan(mutator, own, stamp_of(announcement));
    else if (mutator->writer.stamp != stamp_of(announcement))
        flush(mutator, own, stamp_of(announcement));
    else
        return false;
    return true;
}

/* ---- the mutator's side ---- */

bool tri__handshake_is_answered(const struct tri__mutator *self)
{
    return number_of(tri__load_seqcst(&announced)) == tri__load_relaxed(&self->answered);
}

/* true: there was a request, and the caller has to count the answer. Of the thread and the
 * coordinator, whoever updates the word last sees what the other has done [inv.handshake.dekker]. */
static bool take_request(struct tri__mutator *mutator)
{
    uint32_t *request = &mutator->writer.cache.front.request;

    /* rel -> acq in ask(): `answered`. acq <- rel in ask(): what was announced, `pending` */
    return (tri__fetch_and_acqrel(request, ~TRI__REQUEST_ASKED) & TRI__REQUEST_ASKED) != 0;
}

static void count_answer(struct tri__mutator *mutator)
{
    tri__chaos(TRI__CHAOS_COUNT);
    tri__store_relaxed(&mutator->latency, tri__os_now() - tri__load_relaxed(&mutator->asked));
    /* rel -> acq in await_answers(): what the answer wrote is seen when the last one is */
    if (tri__fetch_sub_acqrel(&pending, 1) == 1)
        tri__futex_wake(&pending, 1);
}

/* A thread that has not answered may be waiting for this one's processor while another one idles:
 * schedulers hesitate to move a thread that ran a moment ago, for milliseconds. So who has answered
 * looks at its next safepoints whether the others have. */
static void watch_others(struct tri__mutator *self)
{
    if (tri__load_relaxed(&pending) == 0)
        return;
    self->aside_after = tri__os_now() + PATIENCE_NS;
    self->naps = 0;
    tri__fetch_or_relaxed(&self->writer.cache.front.request, TRI__REQUEST_ASIDE);
}

static void stop_watching(struct tri__mutator *self)
{
    self->aside_after = 0;
    self->naps = 0;
    tri__fetch_and_relaxed(&self->writer.cache.front.request, ~TRI__REQUEST_ASIDE);
}

/* Sleeping, for the shortest time there is, instead of yielding: who wakes up is put on a processor
 * that has nothing to do. */
void tri__handshake_step_aside(struct tri__mutator *self)
{
    uint64_t start;

    if (self->aside_after == 0)
        return;
    if (tri__load_relaxed(&pending) == 0 || self->naps == NAPS_MAX) {
        stop_watching(self);
        return;
    }
    start = tri__os_now();
    if (start < self->aside_after)
        return;
    self->naps++;
    tri__os_sleep(1);
    tri__mutator_delayed(self, TRI_DELAY_HANDSHAKE, start);
}

/* The thread is at a safepoint: what it was about to move, it has moved. */
static void let_go(struct tri__mutator *self)
{
    uint32_t *request = &self->writer.cache.front.request;

    if ((tri__load_relaxed(request) & TRI__REQUEST_HELD) != 0)
        tri__fetch_and_relaxed(request, ~TRI__REQUEST_HELD);
}

/* The coordinator may count an answer itself, and ask for the next announcement at any moment. So
 * what was taken back may be a request that is newer than what was caught up with: that is seen
 * afterwards, and nothing is announced between taking a request back and counting it. */
void tri__handshake_answer(struct tri__mutator *self)
{
    bool scanned = false, counts = false;
    uint64_t start, announcement;

    TRI__CHECK(tri__window_depth != 0); /* [inv.window.runtime] */
    let_go(self);
    if (tri__handshake_is_answered(self) && !tri__mutator_is_asked(self))
        return;
    start = tri__os_now();
    do {
        announcement = tri__load_seqcst(&announced);
        tri__chaos(TRI__CHAOS_ANSWER);
        scanned |= catch_up(self, announcement, true);
        tri__chaos(TRI__CHAOS_ANSWERED);
        tri__store_seqcst(&self->answered, number_of(announcement));
        counts |= take_request(self);
    } while (tri__load_seqcst(&announced) != announcement);
    tri__store_relaxed(&self->refused_at, 0);
    if (counts)
        count_answer(self);
    watch_others(self);
    tri__mutator_delayed(self, scanned ? TRI_DELAY_STACK : TRI_DELAY_HANDSHAKE, start);
}

/* Not while it holds back, is between two stacks, or leaves the library in TRI_BLOCKING. */
void tri__window_deferred_slow(void)
{
    struct tri__mutator *self = tri__mutator_self();
    uintptr_t pointer = tri__stack_pointer();
    uint32_t *request;

    if (self == NULL)
        return;
    request = &self->writer.cache.front.request;
    if (tri__window_depth != 0 || (tri__load_relaxed(request) & TRI__REQUEST_DEFERRED) == 0)
        return;
    tri__window_open();
    tri__fetch_and_relaxed(request, ~TRI__REQUEST_DEFERRED);
    if ((tri__load_relaxed(request) & TRI__REQUEST_HELD) == 0 &&
        tri__load_relaxed(&self->state) == TRI__RUNNING && pointer >= self->stack_end &&
        pointer < self->stack_high)
        tri__handshake_answer(self);
    tri__window_close();
}

void tri__handshake_join_locked(struct tri__mutator *mutator)
{
    tri__writer_init(&mutator->writer, tri__phase.cache, tri__phase.barrier, tri__phase.stamp);
    tri__store_relaxed(&mutator->answered, number_of(tri__load_relaxed(&announced)));
}

/* ---- the coordinator's side ---- */

/* [registry_lock] What a thread that attaches from now on is told. */
static void advance_phase_locked(enum tri__request what)
{
    switch (what) {
    case TRI__REQUEST_PING:
        break;
    case TRI__REQUEST_FLUSH:
        tri__phase.stamp = (tri__phase.stamp + 1) & STAMP_MASK;
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

static void announce_locked(enum tri__request what)
{
    uint64_t number = number_of(tri__load_relaxed(&announced)) + UINT64_C(1);

    advance_phase_locked(what);
    /* Before any look at a thread's state: [inv.handshake.dekker]. */
    tri__store_seqcst(&announced, number << NUMBER_SHIFT |
                                      (uint64_t)tri__phase.stamp << STAMP_SHIFT |
                                      (uint64_t)tri__phase.cache.side << SIDE_SHIFT |
                                      tri__phase.barrier);
}

static bool is_answered(const struct tri__mutator *mutator)
{
    /* acq <- rel in tri__handshake_answer() */
    return tri__load_seqcst(&mutator->answered) == number_of(tri__load_relaxed(&announced));
}

/* Asks a thread that runs. It may have answered by itself already, and be asleep: then nobody else
 * would take the request back. */
static void ask(struct tri__mutator *mutator, uint64_t now)
{
    tri__chaos(TRI__CHAOS_ASK);
    tri__fetch_add_relaxed(&pending, 1);
    tri__store_relaxed(&mutator->asked, now);
    tri__store_relaxed(&mutator->signalled, false);
    tri__fetch_or_seqcst(&mutator->writer.cache.front.request, TRI__REQUEST_ASKED);
    if (is_answered(mutator) && take_request(mutator))
        count_answer(mutator);
}

/* One is the coordinator's own, so that nobody wakes it before all are asked. */
static void begin_asking(void)
{
    TRI__ASSERT(tri__load_relaxed(&pending) == 0); /* one handshake at a time */
    tri__store_relaxed(&pending, 1);
}

/* It does not sleep in TRI_BLOCKING: who does answers when it wakes up. */
static void interrupt_silent(struct tri__mutator *mutator, void *unused)
{
    (void)unused;
    if (tri__mutator_is_asked(mutator) && tri__load_relaxed(&mutator->state) == TRI__RUNNING)
        tri__signal_send(mutator);
}

/* A signal that seems to be on its way may have been taken by the program, with sigwait() or from a
 * signalfd. */
static void forget_signal(struct tri__mutator *mutator, void *unused)
{
    (void)unused;
    tri__store_relaxed(&mutator->signalled, false);
}

/* Patience with threads that do not answer: when it ends, and how long it lasts the next time; and
 * when a signal counts as lost, and when silence is reported. */
struct patience {
    uint64_t start, end, ns, lost, report;
    bool was_lost;
};

/* Where signals queue up, those for a thread that blocks them must not become many: ever more time
 * lies between two. */
static void send_signals(struct patience *patience, uint64_t now)
{
    if (now >= patience->lost) {
        tri__registry_each(forget_signal, NULL);
        patience->lost = now + 2 * (now - patience->start);
    }
    tri__registry_each(interrupt_silent, NULL);
}

static void lose_patience(struct patience *patience, uint64_t now)
{
    patience->was_lost = true;
    if (tri__signal_is_usable())
        send_signals(patience, now);
    if (now >= patience->report)
        patience->report = tri__watchdog_report(asked_last, patience->start, now);
    patience->ns = patience->ns < SILENCE_MAX_NS / 2 ? 2 * patience->ns : SILENCE_MAX_NS;
    patience->end = now + patience->ns;
}

static void suspect(bool somebody_was_silent)
{
    if (somebody_was_silent)
        suspicion = suspicion + SUSPICION_SILENT < SUSPICION_MOST ? suspicion + SUSPICION_SILENT
                                                                  : SUSPICION_MOST;
    else
        suspicion -= suspicion != 0;
}

static void await_answers(uint64_t start)
{
    uint32_t left = tri__fetch_sub_acqrel(&pending, 1) - 1;
    uint64_t silence = tri__chaos_strikes(TRI__CHAOS_SILENCE) ? 1000
                       : suspicion > SUSPICION_WARY           ? SILENCE_NS
                                                              : TICK_NS;
    struct patience patience = {start, start + silence, silence, start + LOST_NS,
                                tri__watchdog_first(start), false};

    while (left != 0) {
        uint64_t now = tri__os_now();

        if (now < patience.end)
            tri__futex_wait(&pending, left, patience.end - now);
        else
            lose_patience(&patience, now);
        left = tri__load_acquire(&pending); /* acq <- rel in count_answer() */
    }
    suspect(patience.was_lost);
}

/* A walk over the mutators: how many of them it has dealt with. */
struct walk {
    uint64_t now;
    size_t count;
};

static void ask_if_running(struct tri__mutator *mutator, void *argument)
{
    struct walk *walk = argument;

    /* acq <- rel in become_blocked(): what it did before it blocked */
    if (tri__load_seqcst(&mutator->state) == TRI__BLOCKED)
        return;
    ask(mutator, walk->now);
    walk->count++;
}

static size_t ask_running(enum tri__request what, uint64_t now)
{
    struct walk walk = {now, 0};

    tri__registry_lock();
    announce_locked(what);
    tri__chaos(TRI__CHAOS_ANNOUNCE);
    tri__registry_each(ask_if_running, &walk);
    tri__registry_unlock();
    return walk.count;
}

/* Of those that were asked in this round. */
struct slowest {
    struct tri__handshake_report *report;
    uint64_t asked;
};

static void find_slowest(struct tri__mutator *mutator, void *argument)
{
    const struct slowest *slowest = argument;
    struct tri__handshake_report *report = slowest->report;

    if (tri__load_relaxed(&mutator->asked) != slowest->asked ||
        tri__load_relaxed(&mutator->latency) < report->slowest_ns)
        return;
    report->slowest_ns = tri__load_relaxed(&mutator->latency);
    report->slowest_tid = mutator->tid;
}

void tri__handshake(enum tri__request what, struct tri__handshake_report *report)
{
    uint64_t start = tri__os_now();
    struct slowest slowest = {report, start};

    *report = (struct tri__handshake_report){0};
    begin_asking();
    asked_last = what;
    report->mutators = ask_running(what, start);
    await_answers(start);
    report->ns = tri__os_now() - start;
    tri__registry_each(find_slowest, &slowest);
}

/* ---- fork ---- */

/* Nothing that was asked is waited for; the mark is off, whatever had been announced. */
void tri__handshake_abandon_locked(void)
{
    tri__store_relaxed(&pending, 0);
    tri__phase.barrier = TRI__BARRIER_IDLE;
    tri__phase.cache.black = false;
    tri__phase.cache.sweeping = true;
    announce_locked(TRI__REQUEST_PING);
}

/* ---- threads that sleep ---- */

/* Ends a claim; wakes the thread if it wants to go on. */
static void unclaim(struct tri__mutator *mutator)
{
    /* rel -> acq in become_running() */
    if (tri__exchange_acqrel(&mutator->state, TRI__BLOCKED) == TRI__AWAITED)
        tri__futex_wake(&mutator->state, 1);
}

/* false: it is awake. */
static bool act_for(struct tri__mutator *mutator)
{
    uint64_t announcement = tri__load_relaxed(&announced);
    uint32_t state = TRI__BLOCKED;

    /* acq <- rel in become_blocked(): its stack and cache are ours now */
    if (!tri__cas_seqcst(&mutator->state, &state, TRI__CLAIMED))
        return false;
    tri__chaos(TRI__CHAOS_CLAIM);
    if (!is_answered(mutator)) {
        catch_up(mutator, announcement, false);
        tri__store_seqcst(&mutator->answered, number_of(announcement));
    }
    unclaim(mutator);
    return true;
}

bool tri__handshake_look(struct tri__mutator *mutator,
                         void (*look)(struct tri__mutator *mutator, void *argument),
                         void *argument)
{
    uint32_t state = TRI__BLOCKED;

    /* acq <- rel in become_blocked(): its cache is ours now */
    if (!tri__cas_seqcst(&mutator->state, &state, TRI__CLAIMED))
        return false;
    look(mutator, argument);
    unclaim(mutator);
    return true;
}

/* A look without a claim. It is asleep, and was when the round began or has answered since; what it
 * had is marked, and it cannot get more before it has caught up [inv.handshake.asleep]. */
static bool needs_nothing(const struct tri__mutator *mutator)
{
    return is_answered(mutator) ||
           (tri__load_seqcst(&mutator->state) == TRI__BLOCKED &&
            tri__load_relaxed(&mutator->scanned_asleep) &&
            stage_of(tri__load_relaxed(&announced)) == TRI__BARRIER_SCANNED);
}

static void visit_sleeper(struct tri__mutator *mutator, void *argument)
{
    struct walk *walk = argument;

    if (needs_nothing(mutator))
        return;
    if (!act_for(mutator))
        ask(mutator, walk->now); /* it has just woken up, and catches up by itself */
    walk->count++;
}

void tri__handshake_settle(struct tri__handshake_report *report)
{
    struct walk walk = {tri__os_now(), 0};

    begin_asking();
    tri__registry_each(visit_sleeper, &walk);
    await_answers(walk.now);
    report->asleep = walk.count;
    report->asleep_ns = tri__os_now() - walk.now;
}
