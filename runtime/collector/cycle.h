/* SPDX-License-Identifier: MIT */
/* The cycle: DESIGN's table as a program. One coordinator thread runs it (coordinator.h), and marks;
 * further markers only mark. All of this is called there.
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

/* A whole one: what it did is added to the report. */
void tri__cycle_steps(struct tri__cycle_report *report);

/* Between two: no span is left to be swept, and none is in the hands of a thread that has popped it
 * to sweep it. */
void tri__cycle_freeze(void);

/* In an errand: returns when each thread that runs has passed a safepoint since the call. */
void tri__cycle_quiet(void);

/* In an errand: side of the central lists that holds swept spans. */
uint8_t tri__cycle_swept_side(void);

#endif
