/* SPDX-License-Identifier: MIT */
/* Stacks that threads come to and leave: those of coroutines, and a thread's own while it is on one.
 *
 *     UNUSED  --register-->  LEFT  --a thread comes-->  ENTERED  --it leaves-->  LEFT  --unregister-->
 *     LEFT  --collector, scans it-->  CLAIMED  --done-->  LEFT
 *     CLAIMED  --a thread wants to come, sleeps-->  AWAITED  --done, wakes it-->  LEFT
 *
 * Colour. A thread's stack is black from its answer to H2 on; so is any stack it leaves from then
 * on. One that was left before is grey until it is scanned: by the collector after H2, as a root, or
 * by the first thread that is black and comes to it, before it runs [inv.stack.left]. */
#ifndef TRI__MUTATOR_USER_STACK_H
#define TRI__MUTATOR_USER_STACK_H

#include "mutator/mutator.h"

enum tri__stack_state {
    TRI__STACK_UNUSED,
    TRI__STACK_LEFT,
    TRI__STACK_ENTERED,
    TRI__STACK_CLAIMED,
    TRI__STACK_AWAITED,
};

/* A new mark: no stack has been scanned in it. Coordinator, before H1. */
void tri__user_stacks_begin_mark(void);

/* Scans the stacks that nobody is on. Coordinator, after H2. */
void tri__user_stacks_scan(tri__buffer_take *take, void *argument);

/* The thread is about to end: it must be on its own stack. */
void tri__user_stacks_check_leave(const struct tri__mutator *self);

/* In a child of fork(), where `self` (or NULL) is the only thread. */
void tri__user_stacks_after_fork(struct tri__mutator *self);

void tri__user_stacks_release(void);

#endif
