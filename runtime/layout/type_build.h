/* SPDX-License-Identifier: MIT */
/* What stands behind a type of tri_type_build(): one block with its state, its mask or program, and
 * its name.
 *
 * Owns: the block, from building until the type is gone.
 * See: docs/architecture.md "Types made at run time" */
#ifndef TRI__LAYOUT_TYPE_BUILD_H
#define TRI__LAYOUT_TYPE_BUILD_H

#include <tricolor/type_build.h>

#include "layout/type.h"

enum tri__type_life {
    TRI__TYPE_ALIVE,
    TRI__TYPE_RETIRED, /* not met since the coordinator looked last */
    TRI__TYPE_MET,     /* retired, and something refers to it */
};

/* A type that is gone has no block: its cache field is NULL. */
struct tri__built {
    /* First: the type's cache field points here. All that allocates, files or sweeps reads it while
     * the type is in use or has spans [inv.type.retire]. */
    struct tri__type_state state;

    /* const after building */
    tri_type *type; /* the caller's; leads back here by its cache field */
    tri_gc_program program;
    struct tri__built *tail; /* the type's tail, if that was built, too */

    /* atomic */
    uint32_t holders; /* built types whose tail this one is, and that are not gone */
    uint8_t life;     /* enum tri__type_life */

    struct tri__built *next; /* among retired types: [retire_lock] */
    uint64_t words[];        /* mask or program, then the name */
};

_Static_assert(offsetof(struct tri__built, state.mask) == 0, "tri__built_of() casts");

static inline struct tri__built *tri__built_of(const tri_type *type)
{
    return (struct tri__built *)(void *)type->cache;
}

/* Frees all that belongs to the type, and gives the descriptor back to the caller, who may free it
 * at once. Nothing refers to the type any more. */
void tri__built_free(struct tri__built *built);

#endif
