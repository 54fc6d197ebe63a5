/* SPDX-License-Identifier: MIT */
/* What has to happen when a thread has left its last function, before its destructors run. */
#ifndef TRI__MUTATOR_THREAD_END_H
#define TRI__MUTATOR_THREAD_END_H

/* Called when the thread attaches, and when it has entered a TRI_BLOCKING: what was asked for once is
 * not asked for again. Calls malloc and waits for the loader's lock, which another thread may hold
 * while it waits for a cycle: so no cycle may wait for this one, which is not known to the collector
 * yet, or blocked [inv.type.held]. */
void tri__thread_end_watch_attached(void);
void tri__thread_end_watch_blocking(void);

#endif
