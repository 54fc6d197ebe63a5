/* SPDX-License-Identifier: MIT */
/* What bulk barriers need from the floor above: the layout of memory outside the heap. */
#ifndef TRI__BARRIER_BULK_H
#define TRI__BARRIER_BULK_H

#include "layout/type.h"

/* Memory that is a root: [base, limit), elements of `type`. */
struct tri__root_range {
    uintptr_t base;
    uintptr_t limit;
    const tri_type *type;
    bool module; /* TRI_ROOT variables */
};

/* The first root that has a byte of [from, to); false if there is none. */
typedef bool tri__find_root(uintptr_t from, uintptr_t to, struct tri__root_range *found);

/* Before the first barrier. */
void tri__bulk_init(tri__find_root *function);

#endif
