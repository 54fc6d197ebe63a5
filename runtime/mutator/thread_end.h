/* SPDX-License-Identifier: MIT */
/* What has to happen when a thread has left its last function, before its destructors run. */
#ifndef TRI__MUTATOR_THREAD_END_H
#define TRI__MUTATOR_THREAD_END_H

/* What was asked for once is not asked for again. Calls malloc and waits for the loader's lock, which
 * another thread may hold while it waits for a cycle: so no cycle may wait for this one, which is not
 * known to the collector yet, or blocked [inv.type.held]. It may also wait for a lock that this one
 * has: so the first is called where a thread begins, or says that it attaches; a thread that does
 * neither calls it in its first TRI_BLOCKING. The second is called by each that attaches. */
void tri__thread_end_watch(void);
void tri__thread_end_watch_attached(void);

#endif
