/* SPDX-License-Identifier: MIT */
/* TRICOLOR_VERIFY=barrier: finds the pointer that the collector was not told of, in the cycle in
 * which it would have been missed. See: docs/verify.md. */
#ifndef TRI__COLLECTOR_VERIFY_H
#define TRI__COLLECTOR_VERIFY_H

#include "base/config.h"
#include "collector/marker.h"

/* Takes over what is to be verified: 0 or -ENOMEM. After the heap, before the first allocation. */
int tri__verify_init(const struct tri__options *options);
void tri__verify_release(void);

bool tri__verify_is_on(void);

/* Looks for pointers to objects that the mark has not reached; the marker gets these as candidates,
 * and the program goes on, if it is only to be warned. How many there were. Coordinator, between
 * the verdict and H4, with `marker` inside [inv.verify.barrier]. */
size_t tri__verify_barriers(struct tri__marker *marker);

#endif
