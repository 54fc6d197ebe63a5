/* SPDX-License-Identifier: MIT */
/* Handshakes: the collector asks every mutator for one action and goes on when all have answered;
 * the mutators are never stopped together.
 *
 * A running mutator answers at its next safepoint, and only for running ones a round waits. A thread
 * in TRI_BLOCKING is not even visited: it takes what it has missed when it goes on, before anything
 * else. What cannot wait so long, the scan of its stack and giving its runs back, the collector does
 * for it afterwards, beside the program (tri__handshake_settle).
 * Threads: one handshake at a time; which thread of the collector carries it does not matter.
 * See: docs/architecture.md "Handshakes". */
#ifndef TRI__MUTATOR_HANDSHAKE_H
#define TRI__MUTATOR_HANDSHAKE_H

#include "mutator/registry.h"

struct tri__handshake_report {
    uint64_t ns;         /* from the request to the last answer */
    uint64_t slowest_ns; /* of the slowest thread that is still attached */
    uint32_t slowest_tid;
    size_t mutators;   /* that were running and had to answer */
    uint64_t asleep_ns; /* spent on the others, afterwards */
    size_t asleep;      /* of which so many had to be visited */
};

/* Announces `what` and returns when each running mutator has answered. Threads that attach meanwhile
 * join in the new phase; threads in TRI_BLOCKING will act on it before they go on. What a mutator
 * did before its answer, or before it blocked, happens before the return. */
void tri__handshake(enum tri__request what, struct tri__handshake_report *report);

/* Returns when every mutator has taken the last announcement, threads in TRI_BLOCKING included, but
 * for those of which an H3 needs nothing (scanned asleep, and still asleep). */
void tri__handshake_settle(struct tri__handshake_report *report);

/* Calls `look` for a thread that is in TRI_BLOCKING, with all that is its own; it waits if it wakes
 * up meanwhile. false: it runs. One at a time, and not during a handshake. */
bool tri__handshake_look(struct tri__mutator *mutator,
                         void (*look)(struct tri__mutator *mutator, void *argument),
                         void *argument);

/* Takes what was announced since the calling thread's last answer, if anything was. */
void tri__handshake_answer(struct tri__mutator *self);

/* A thread that is inside TRI_BLOCKING has to use its barrier: what the loader calls in the middle
 * of a dlclose() does. Between these two it runs, and passes no safepoint. Stack and registers stay
 * saved as they were when the block began: the frames of the program that are there wait for its
 * end. false: there is no block, and nothing to be resumed. */
bool tri__blocking_interrupt(void);
void tri__blocking_resume(bool interrupted);

/* The calling thread is inside no TRI_BLOCKING any more, however many it was in: it was unwound. */
void tri__blocking_leave_all(void);

/* At safepoints: lets threads run that a handshake still waits for, if that takes long, and naps a
 * few times for it; in all for less than a millisecond a handshake. */
void tri__handshake_step_aside(struct tri__mutator *self);

/* Has the calling thread taken the last announcement? Sequentially consistent: asked after the
 * store of the thread's state [inv.handshake.dekker]. */
bool tri__handshake_is_answered(const struct tri__mutator *self);

/* [registry_lock] In a child of fork(): no handshake is under way, and no mark [inv.fork.rebuild]. */
void tri__handshake_abandon_locked(void);

/* [registry_lock] A new mutator starts in the present phase. */
void tri__handshake_join_locked(struct tri__mutator *mutator);

#endif
