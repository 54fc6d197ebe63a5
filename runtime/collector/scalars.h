/* SPDX-License-Identifier: MIT */
/* Every word outside of stacks whose type declares it as no pointer, and that holds the address of
 * an object all the same: for verification. Threads: the coordinator, between the verdict of a mark
 * and H4. */
#ifndef TRI__COLLECTOR_SCALARS_H
#define TRI__COLLECTOR_SCALARS_H

#include "collector/words.h"

struct tri__scalar {
    enum tri__holder_kind kind;
    const tri_type *type;
    uintptr_t base; /* of the object, of the arena's value, or of the range that is a root */
    uintptr_t slot, value;
    bool is_past_end; /* behind the last element that was asked for */
    size_t elements;  /* that were, and their bytes: if it is */
    size_t bytes;
};

/* The program may be storing there. A chunk's scan_lock may be held, or RCU. */
typedef void tri__visit_scalar(const struct tri__scalar *scalar, void *argument);

/* Of marked objects, those born black included, of the values of arenas, but for bytes in both; and
 * of the ranges of tri_root_add(). Nothing of conservative types. In the latter two a
 * word that leads to an arena is left out: no pointer keeps that alive. */
void tri__scalars_each(tri__visit_scalar *visit, void *argument);

#endif
