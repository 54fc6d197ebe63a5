/* SPDX-License-Identifier: MIT */
/* A layout for one object alone: a copy of its type whose masks are made of the type's program and
 * die with the object.
 *
 * The masks of very large types would otherwise stay for as long as their types.
 * Owner: the object's span. */
#ifndef TRI__LAYOUT_OWN_MASK_H
#define TRI__LAYOUT_OWN_MASK_H

#include "layout/type.h"

struct tri__own_layout {
    size_t bytes;  /* of all this */
    tri_type type; /* what to walk the object by: flags, tail and gc_data differ from the type's */
    tri_type tail;
    uint64_t masks[];
};

/* Does an object of the type need a layout of its own? */
static inline bool tri__own_layout_is_wanted(const tri_type *type)
{
    return tri__type_wants_own_mask(type) ||
           (type->tail != NULL && tri__type_wants_own_mask(type->tail));
}

/* NULL: no memory. Mapped, not malloc'd: only the span's descriptor points to it, which a leak checker
 * does not look through. */
struct tri__own_layout *tri__own_layout_new(const tri_type *type);

/* NULL is fine. */
void tri__own_layout_free(struct tri__own_layout *layout);

#endif
