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

/* Visits every member of the table as it stands, under RCU: their blocks stay mapped meanwhile.
 * Threads that leave at the same moment may be visited still; with the lock held, none leaves. */
void tri__registry_each(void (*visit)(struct tri__mutator *mutator, void *argument), void *argument);

/* Members, gaps not counted. A recent value; what those have done that had left by then is seen. */
size_t tri__registry_size(void);

/* How many members have ever been entered. */
uint64_t tri__registry_entered(void);

/* [registry_lock] In a child of fork(), which has no other thread: `survivor`, if not NULL a member,
 * is the only one. The others are put before those in the list `dead`, and the new list returned.
 * Allocates nothing. */
struct tri__mutator *tri__registry_shrink_locked(struct tri__mutator *survivor,
                                                 struct tri__mutator *dead);

/* Frees the table, which must be empty. */
void tri__registry_release(void);

#endif
