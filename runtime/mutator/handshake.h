/* SPDX-License-Identifier: MIT */
/* Handshakes: the collector asks every mutator for one action and goes on when all have answered;
 * the mutators are never stopped together. A running mutator answers at its next safepoint; for a
 * blocked one the collector answers itself.
 * Threads: tri__handshake() is the collector's coordinator alone.
 * See: docs/architecture.md "Handshakes". */
#ifndef TRI__MUTATOR_HANDSHAKE_H
#define TRI__MUTATOR_HANDSHAKE_H

#include "mutator/registry.h"

struct tri__handshake_report {
    uint64_t ns;         /* from the request to the last answer */
    uint64_t slowest_ns; /* of the slowest thread that is still attached */
    uint32_t slowest_tid;
    size_t mutators;
};

/* Asks all mutators for `what` and returns when each has answered. Threads that attach meanwhile
 * join in the new phase. What a mutator did before its answer happens before the return. */
void tri__handshake(enum tri__request what, struct tri__handshake_report *report);

/* Answers the pending request of the calling thread, if there is one. */
void tri__handshake_answer(struct tri__mutator *self);

#endif
