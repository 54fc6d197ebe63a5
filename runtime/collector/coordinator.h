/* SPDX-License-Identifier: MIT */
/* The coordinator: the thread that runs the cycles, when somebody wants one.
 * See: docs/architecture.md "A cycle". */
#ifndef TRI__COLLECTOR_COORDINATOR_H
#define TRI__COLLECTOR_COORDINATOR_H

#include "collector/cycle.h"

/* Sums over all cycles. */
struct tri__cycle_totals {
    uint64_t cycles, forced_cycles;
    uint64_t handshakes, handshake_ns;
    struct tri__histogram rounds; /* each handshake's time */
    uint64_t mark_ns, mark_rounds;
    uint64_t marked_objects;
    uint64_t drained;
};

/* Called by the coordinator after each cycle, before its waiters are woken. */
typedef void tri__cycle_observer(const struct tri__cycle_report *report);

/* Starts the coordinator and markers - 1 further threads: 0, or -errno with none left behind. */
int tri__collector_start(unsigned markers, tri__cycle_observer *observer);

/* Lets a running cycle finish, and joins the threads. */
void tri__collector_stop(void);

/* Around a fork; and in the child, between the two: there are no threads of the collector, and no
 * cycle is running. They are started again when a cycle is wanted. */
void tri__collector_before_fork(void);
void tri__collector_abandon_locked(void);
void tri__collector_after_fork(void);

/* Asks for a cycle; does not wait. Any thread. */
void tri__cycle_request(void);

/* Asks for a cycle that starts after the call, and returns when it is swept; or, in a child of
 * fork() that cannot have threads, warns. A safepoint. */
void tri__cycle_run(struct tri__mutator *self);

/* Runs `run` on the coordinator's thread between two cycles, and returns what it has returned. No
 * mark is running then; all spans are swept; and each thread has passed a safepoint since, so that
 * none has a span in its hands that it has popped to sweep it [inv.check.frozen]. -EAGAIN: the
 * collector's threads cannot be started, in a child of fork(). A safepoint. */
typedef int tri__errand(void *argument);
int tri__cycle_between(tri__errand *run, void *argument);

/* Coordinator: one handshake more. */
void tri__coordinator_count(const struct tri__handshake_report *report);

void tri__cycle_totals_get(struct tri__cycle_totals *out);

#endif
