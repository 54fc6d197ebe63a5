/* SPDX-License-Identifier: MIT */
/* stress/guard.h: watches whether threads get on, and tells what all of them do if one does not.
 *
 * Watched is who has said what it does (worker_begins). The guard's thread has nothing to do with
 * the heap, and blocks all signals. */
#ifndef TRI__STRESS_GUARD_H
#define TRI__STRESS_GUARD_H

#include "stress/worker.h"

/* For so long a thread may do one and the same thing: longer than a child of fork() may take. */
#define GUARD_SECONDS 110

void guard_start(void);
void guard_stop(void);

void guard_watch(struct worker *worker);
void guard_forget(struct worker *worker);

/* All that can be had to standard error: what watched threads do, what all threads wait for, and if
 * there is gdb, their stacks and how they stand to the collector. */
void guard_show_all(void);

#endif
