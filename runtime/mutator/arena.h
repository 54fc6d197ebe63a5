/* SPDX-License-Identifier: MIT */
/* Arenas, for the floors above: how many there are, and their end at shutdown. */
#ifndef TRI__MUTATOR_ARENA_H
#define TRI__MUTATOR_ARENA_H

#include <stdint.h>

/* Arenas that are not freed. A recent value. */
uint64_t tri__arenas_live(void);

/* At shutdown: forgets all arenas. Their pages go with the heap. */
void tri__arenas_release(void);

#endif
