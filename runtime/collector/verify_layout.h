/* SPDX-License-Identifier: MIT */
/* TRICOLOR_VERIFY=layout: finds words that a type declares as no pointers, or that lie behind the
 * end of their object, and that hold addresses of objects all the same: what a member that was
 * forgotten in TRI_TYPE looks like, or an element that was not allocated. See:
 * docs/verify-layout.md. */
#ifndef TRI__COLLECTOR_VERIFY_LAYOUT_H
#define TRI__COLLECTOR_VERIFY_LAYOUT_H

#include <stdbool.h>

/* Nothing has been found yet. */
void tri__verify_layout_init(bool on);

bool tri__verify_layout_is_on(void);

/* Looks at all marked objects, values of arenas and registered roots, and reports each word of each
 * type once. Coordinator, between the verdict of a mark and H4. */
void tri__verify_layouts(void);

#endif
