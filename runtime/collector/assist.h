/* SPDX-License-Identifier: MIT */
/* Marking by threads of the program: bounded quanta at their safepoints. */
#ifndef TRI__COLLECTOR_ASSIST_H
#define TRI__COLLECTOR_ASSIST_H

#include "mutator/mutator.h"

/* Between these two, mutators may mark. One that is at it when the door closes is counted as a
 * worker until it leaves, at most a quantum later. Coordinator. */
void tri__assist_open(void);
void tri__assist_close(void);

/* A safepoint of `self`, which has allocated so many bytes since its last one: marks its share, and
 * takes on as many full barrier buffers as it has given away while too many were waiting. */
void tri__assist(struct tri__mutator *self, uint64_t allocated_bytes);

#endif
