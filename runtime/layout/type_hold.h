/* SPDX-License-Identifier: MIT */
/* Types are named by address, in spans, footers, the tags of runs, logs of arenas and the table of
 * roots, long after the call that brought them. So the shared object that has a descriptor is kept
 * loaded from before the first of these until the process ends [inv.type.held].
 *
 * Owns: for types without a state, a table of those that are held.
 * Threads: any, without locks of ours.
 * See: docs/threads.md "Shared objects" */
#ifndef TRI__LAYOUT_TYPE_HOLD_H
#define TRI__LAYOUT_TYPE_HOLD_H

#include "layout/type.h"

/* Types that have no state and are held: flexible ones, very large ones, those written by hand.
 * Sets of four, filled from the first way on; types of a set that is full are held again now and
 * then. */
#define TRI__NOTED_SETS 64u
#define TRI__NOTED_WAYS 4u
extern const tri_type *tri__noted_types[TRI__NOTED_SETS][TRI__NOTED_WAYS]; /* atomic */

static inline const tri_type **tri__noted_set(const tri_type *type)
{
    uintptr_t line = (uintptr_t)type / sizeof *type;

    return tri__noted_types[(line ^ line / TRI__NOTED_SETS) % TRI__NOTED_SETS];
}

/* Looks at the ways behind the first. */
bool tri__type_is_noted_slow(const tri_type *type);

static inline bool tri__type_part_is_held(const tri_type *type)
{
    if (TRI__LIKELY(tri__type_has_state(type)))
        return tri__load_acquire(&TRI__TYPE_STATE(type)->held) != 0; /* acq <- rel in hold_part() */
    return type == &tri_type_ptr || /* our own: this library is not unloaded */
           tri__load_acquire(tri__noted_set(type)) == type || /* acq <- rel in note() */
           tri__type_is_noted_slow(type);
}

/* May the type be named by what stays? Cheap enough for each object that takes the slow path. */
static inline bool tri__type_is_held(const tri_type *type)
{
    return tri__type_part_is_held(type) &&
           (TRI__LIKELY(type->tail == NULL) || tri__type_part_is_held(type->tail));
}

/* Makes it so. May wait for the dynamic loader: the collector must be able to do without the thread
 * meanwhile. */
void tri__type_hold(const tri_type *type, bool keep_loaded);

/* The heap is about to be released: forgets the table, because where a descriptor was there may be
 * something else in the next heap's life. Nobody allocates. */
void tri__types_forget_held(void);

#endif
