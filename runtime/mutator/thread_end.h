/* SPDX-License-Identifier: MIT */
/* What has to happen when a thread has left its last function, before its destructors run. */
#ifndef TRI__MUTATOR_THREAD_END_H
#define TRI__MUTATOR_THREAD_END_H

/* Called whenever the thread attaches, and when it enters a TRI_BLOCKING: what was asked for once is
 * not asked for again. No safepoint; may call malloc. */
void tri__thread_end_watch_attached(void);
void tri__thread_end_watch_blocking(void);

#endif
