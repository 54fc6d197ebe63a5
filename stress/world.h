/* SPDX-License-Identifier: MIT */
/* stress/world.h: the graph that all threads share.
 *
 * It hangs on tables (large nodes that TRI_ROOT variables lead to), TRI_ROOT slots, slots in
 * registered malloc memory and handles. Locks: one for each place's stripe. A thread holds one at a
 * time, and waits for it in TRI_BLOCKING; so pointer and word of a slot always agree for who holds
 * it. Beside that, edges: single pointers to boxes that never change, exchanged without a lock. */
#ifndef TRI__STRESS_WORLD_H
#define TRI__STRESS_WORLD_H

#include "stress/objects.h"

/* A place, locked. */
struct spot {
    struct place place;
    pthread_mutex_t *lock;
};

void world_init(struct worker *worker);
void world_end(struct worker *worker); /* looks at everything there is, then lets go of it */

/* Above its size limit the world grows no more until things have been dropped. */
extern uint32_t world_is_full; /* atomic */

/* Locks a place at random: never an empty one. */
struct spot spot_enter(struct worker *worker);
void spot_leave(const struct spot *spot);

/* A slot at random, looked at. */
slot world_pick(struct worker *worker);

/* From a slot at random through nodes, looking at each; returns the last one, or NULL. */
node *world_walk(struct worker *worker, unsigned steps);

/* Takes the lock of a node's slots. */
struct spot node_enter(node *of);

/* Exchanges a table for a copy of another size. */
void world_change_table(struct worker *worker);

/* Unregisters slots in malloc memory and registers others. */
void world_change_root(struct worker *worker);

/* Stores, reads, or frees one of the handles. */
void world_change_handle(struct worker *worker);

/* Reads, exchanges, or compares and exchanges one of the edges. */
void world_change_edge(struct worker *worker);

#endif
