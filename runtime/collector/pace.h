/* SPDX-License-Identifier: MIT */
/* When a cycle starts, and how much threads that allocate must help it.
 *
 * After a cycle the goal is set: live bytes plus gc_percent of them, at least 4 MiB. The next cycle
 * starts at the trigger, as far below the goal as the program allocated during the last mark, so
 * that the mark should end at the goal. From the trigger on, threads mark a bounded quantum for
 * every so many bytes they allocate, more the nearer the goal.
 * Threads: any; all values are atomics that are read without order: being
 * a moment late is harmless. */
#ifndef TRI__COLLECTOR_PACE_H
#define TRI__COLLECTOR_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void tri__pace_init(int gc_percent, size_t memory_limit);

/* Coordinator: a mark begins, or ends with `marked_bytes` found alive that were there when it
 * began, for so much effort (marker.h). */
void tri__pace_mark_begins(void);
void tri__pace_mark_ends(uint64_t marked_bytes, uint64_t effort);

/* In a child of fork(): the heap has so many bytes in use. */
void tri__pace_after_fork(uint64_t heap);

/* Bytes the heap would have if what the last cycle found dead were gone already. */
uint64_t tri__pace_heap(void);
uint64_t tri__pace_live(void);
uint64_t tri__pace_goal(void);

/* It is time for a cycle. */
bool tri__pace_is_due(void);

/* Effort (marker.h) a thread should put into marking now, because it
 * has allocated some; 0: none. */
uint64_t tri__pace_assist(uint64_t allocated_bytes);

int tri__pace_set_gc_percent(int percent);
size_t tri__pace_set_memory_limit(size_t bytes);

#endif
