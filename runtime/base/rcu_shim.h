/* SPDX-License-Identifier: MIT */
/* base/rcu_shim.h: read-copy-update from liburcu (the bp flavour, whose readers need not register)
 * behind our own names.
 *
 * A writer publishes a new version by tri__store_release and a reader inside lock/unlock finds it
 * by tri__load_acquire (liburcu's own pointer macros are not atomics a race checker understands).
 * The writer then frees the old version by tri__rcu_call, or after tri__rcu_synchronize: every
 * reader that could have found it has unlocked by then.
 * Threads: any. Readers never wait and may nest. Not from signal handlers: a thread's first lock
 * allocates.
 * See: docs/memory-order.md */
#ifndef TRI__BASE_RCU_SHIM_H
#define TRI__BASE_RCU_SHIM_H

#include <stdbool.h>

/* Stands in the object to be freed; untouched by its owner from tri__rcu_call on. */
struct tri__rcu_head {
    struct tri__rcu_head *next;
    void (*function)(struct tri__rcu_head *);
};

void tri__rcu_lock(void);
void tri__rcu_unlock(void);

/* Waits until all readers of now have unlocked. Never between lock and unlock: it would wait for
 * itself. */
void tri__rcu_synchronize(void);

/* Calls function(head) after such a wait, on a thread for that ("tri-rcu"), or on one that calls
 * tri__rcu_barrier(). Returns at once and allocates nothing; but the first call, in a child of fork()
 * too, starts the thread. */
void tri__rcu_call(struct tri__rcu_head *head, void (*function)(struct tri__rcu_head *));

/* Waits until every tri__rcu_call made so far has run: at shutdown, before the code of the
 * callbacks may go away. */
void tri__rcu_barrier(void);

/* A thread's first lock takes locks of liburcu's; this does it beforehand. */
void tri__rcu_register(void);
bool tri__rcu_is_registered(void);

/* Around a fork: no grace period is under way and no callback runs, and none will; waits for that.
 * Then liburcu's own hooks. From there until after the fork the calling thread takes no signals. */
void tri__rcu_pause(void);
void tri__rcu_before_fork(void);
void tri__rcu_after_fork_parent(void);
void tri__rcu_after_fork_child(void);

#endif
