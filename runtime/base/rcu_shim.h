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

/* Stands in the object to be freed; untouched by its owner from tri__rcu_call on. */
struct tri__rcu_head {
    void *opaque[2]; /* liburcu's */
    void (*function)(struct tri__rcu_head *);
};

void tri__rcu_lock(void);
void tri__rcu_unlock(void);

/* Waits until all readers of now have unlocked. Never between lock and unlock: it would wait for
 * itself. */
void tri__rcu_synchronize(void);

/* Calls function(head) after such a wait, on liburcu's thread. Returns at once and allocates
 * nothing, but for the first call: that starts the thread, and liburcu aborts if it can't. */
void tri__rcu_call(struct tri__rcu_head *head, void (*function)(struct tri__rcu_head *));

/* Waits until every tri__rcu_call made so far has run: at shutdown, before the code of the
 * callbacks may go away. */
void tri__rcu_barrier(void);

#endif
