/* SPDX-License-Identifier: MIT */
/* stress/objects.h: making objects of every kind and size that the heap treats differently. */
#ifndef TRI__STRESS_OBJECTS_H
#define TRI__STRESS_OBJECTS_H

#include "stress/shadow.h"

#define COUNT_MOST 20000u /* slots of a node: 320 KB */

/* A node with `count` slots, all empty. Its caller alone knows it yet. */
node *node_new(struct worker *worker, size_t count);

/* How many slots a node should have: mostly few, sometimes more than fit in a span. */
size_t random_count(struct worker *worker);

/* A leaf object of any kind. */
slot leaf_new(struct worker *worker);
slot token_new(struct worker *worker);

/* A pointer to the node in one of the ways there are; BOXED makes a box. */
slot point_to(struct worker *worker, node *target);

/* The first store into slot i of a node that has not been published. */
void fill_slot(struct place *place, size_t i, slot value);

/* The slot as it is; the caller owns the place or holds its lock. */
static inline slot get_slot(const struct place *place, size_t i)
{
    return (slot){place->p[i * place->step], place->want[i * place->step]};
}

#endif
