/* SPDX-License-Identifier: MIT */
/* Marking work: chunks of addresses, shared through a lock-free stack, and the count
 * that says when there is none.
 *
 * `pending` counts the chunks on the shared stack and the workers that hold work of their own. It
 * is raised before a chunk is pushed and before a worker looks for its first one, and lowered
 * after; so 0 means that no address is anywhere [inv.work.pending].
 * Threads: markers, and mutators that assist. */
#ifndef TRI__COLLECTOR_WORK_H
#define TRI__COLLECTOR_WORK_H

#include "base/atomic.h"
#include "base/ck_shim.h"

#define TRI__CHUNK_ITEMS 509u /* with its head 4 KiB */

struct tri__chunk {
    struct tri__stack_entry link;
    uint32_t count;
    uintptr_t items[TRI__CHUNK_ITEMS];
};

/* An empty chunk, or NULL when there is no memory. Type-stable; chunks go back to a pool. */
struct tri__chunk *tri__chunk_take(void);
void tri__chunk_give(struct tri__chunk *chunk);

/* A worker begins, and ends with nothing left in its hands. */
void tri__work_enter(void);
void tri__work_leave(void);

/* Between enter and leave. */
void tri__work_publish(struct tri__chunk *chunk);
struct tri__chunk *tri__work_take(void); /* NULL: nothing is shared now */

/* No work anywhere, no worker inside. */
bool tri__work_is_done(void);
/* Sleeps until work is published, or the last worker leaves, or tri__work_wake() is called, or
 * the time is over (0: no limit). `seen` is what tri__work_events() said before the caller
 * looked whether it has to wait. */
uint32_t tri__work_events(void);
void tri__work_wait(uint32_t seen, uint64_t timeout_ns);
/* Hints: some chunk is shared; nothing is shared, and somebody waits for work. */
bool tri__work_is_shared(void);
bool tri__work_is_wanted(void);
/* Wakes everybody in tri__work_wait(). */
void tri__work_wake(void);

/* In a child of fork(): nobody works, and there is no work. No other thread uses it. */
void tri__work_rebuild(void);

/* At shutdown. */
void tri__work_release(void);

#endif
