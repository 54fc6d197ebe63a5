/* SPDX-License-Identifier: MIT */
/* The registry: which mutators there are, and the phase that a new one joins.
 *
 * The table of members is never changed: attaching and detaching replace it by a copy,
 * and the old one is freed through RCU. So whoever only looks (markers that drain
 * buffers, statistics) takes no lock.
 * Lock: registry_lock (docs/lock-order.md) is held to replace the table, and to change the phase
 * together with posting a request, so that a thread is either asked or joins in the new phase,
 * never neither nor both [inv.registry.phase]. */
#ifndef TRI__MUTATOR_REGISTRY_H
#define TRI__MUTATOR_REGISTRY_H

#include "mutator/mutator.h"

struct tri__members {
    size_t count;
    struct tri__rcu_head rcu;
    struct tri__mutator *mutators[];
};

struct tri__phase {
    uint8_t barrier; /* enum tri__barrier_state of a thread that attaches now */
    struct tri__cache_phase cache;
    uint32_t stamp; /* counts H3 rounds */
};

void tri__registry_lock(void);
void tri__registry_unlock(void);

/* [registry_lock] */
extern struct tri__phase tri__phase;

/* [registry_lock] Enter a mutator, or remove it. Enter: 0 or -ENOMEM; remove does not fail: without
 * memory for a smaller table it leaves a gap. */
int tri__registry_enter_locked(struct tri__mutator *mutator);
void tri__registry_remove_locked(struct tri__mutator *mutator);

/* The table as it stands: valid until tri__rcu_unlock(), or while the lock is held. Never
 * NULL; entries may be NULL. */
struct tri__members *tri__registry_members(void);

/* Members, gaps not counted. A recent value. */
size_t tri__registry_size(void);

/* Frees the table, which must be empty. */
void tri__registry_release(void);

#endif
