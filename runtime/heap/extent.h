/* SPDX-License-Identifier: MIT */
/* Where an object ends: behind what was asked for, not where its slot does. Any thread. */
#ifndef TRI__HEAP_EXTENT_H
#define TRI__HEAP_EXTENT_H

#include "heap/object.h"

struct tri__extent {
    size_t elements; /* that were asked for; if the type is flexible, of its tail */
    size_t bytes;    /* of these, and of the fixed part */
};

/* What the object, of this type, was asked for, as far as its layout tells. false: it does not. So
 * it is for objects of more than TRI__BITMAP_BYTES that have no span of their type: there the
 * collector sees elements up to the end of the slot. */
bool tri__extent_of(const struct tri__ref *ref, const tri_type *type, struct tri__extent *extent);

#endif
