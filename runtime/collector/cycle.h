/* SPDX-License-Identifier: MIT */
/* The cycle: DESIGN's table as a program. One coordinator thread runs it, and
 * marks; further markers only mark.
 * See: docs/architecture.md "A cycle", docs/model/. */
#ifndef TRI__COLLECTOR_CYCLE_H
#define TRI__COLLECTOR_CYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include "mutator/handshake.h"

/* What a cycle did, for traces and statistics. Times in nanoseconds. */
struct tri__cycle_report {
    uint64_t number;
    bool forced;
    uint64_t started;    /* since tri_init */
    uint64_t prepare_ns; /* finishing the last sweep */
    uint64_t mark_ns;    /* from the beginning of H1 to the verdict, with all handshakes between */
    uint64_t sweep_ns;   /* by the collector, in the background */
    uint32_t rounds;     /* H3 handshakes; all but the last found something new */
    struct tri__handshake_report arm, scan, flush, release; /* flush: the slowest round */
    uint64_t heap_before, heap_after, heap_goal;
    uint64_t marked_objects, marked_bytes;
    uint64_t freed_bytes;
    uint64_t drained; /* entries taken from barrier buffers */
    uint64_t full_buffers;
    uint64_t assists;
};

/* Sums over all cycles. */
struct tri__cycle_totals {
    uint64_t cycles, forced_cycles;
    uint64_t handshakes, handshake_ns;
    struct tri__histogram rounds; /* each handshake's time */
    uint64_t mark_ns, mark_rounds;
    uint64_t marked_objects;
    uint64_t drained;
};

/* For tests: called by the coordinator before it does what the stage is named after, and may keep it
 * waiting. NULL: nobody wants to know. */
enum tri__cycle_stage {
    TRI__STAGE_PREPARE,
    TRI__STAGE_ARM,
    TRI__STAGE_CONFIRM,
    TRI__STAGE_SCAN,
    TRI__STAGE_ROOTS,
    TRI__STAGE_MARK,
    TRI__STAGE_VERDICT,
    TRI__STAGE_RELEASE,
    TRI__STAGE_SWEEP,
    TRI__STAGES
};
extern void (*tri__cycle_at_stage)(enum tri__cycle_stage stage);

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

/* Asks for a cycle that starts after the call, and returns when it is swept; or, in a child of fork()
 * that cannot have threads, warns. A safepoint. */
void tri__cycle_run(struct tri__mutator *self);

/* Runs `run` on the coordinator's thread between two cycles, and returns what it has returned. No
 * mark is running then; all spans are swept; and each thread has passed a safepoint since, so that
 * none has a span in its hands that it has popped to sweep it [inv.check.frozen]. -EAGAIN: the
 * collector's threads cannot be started, in a child of fork(). A safepoint. */
typedef int tri__errand(void *argument);
int tri__cycle_between(tri__errand *run, void *argument);

/* In an errand: returns when each thread that runs has passed a safepoint since the call. */
void tri__cycle_quiet(void);

/* In an errand: side of the central lists that holds swept spans. */
uint8_t tri__cycle_swept_side(void);

void tri__cycle_totals_get(struct tri__cycle_totals *out);

#endif
