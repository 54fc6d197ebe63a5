/* SPDX-License-Identifier: MIT */
/* stress/parcel.h: what goes from hand to hand: an object that says where it belongs, with a load.
 *
 * The first words are a token's, so that it can be checked as one. A parcel is known by a single
 * pointer; whoever finds one by a plain load can tell whether it is the right one. */
#ifndef TRI__STRESS_PARCEL_H
#define TRI__STRESS_PARCEL_H

#include "stress/objects.h"

typedef struct parcel {
    uint64_t id, check;
    struct parcel *next;
    uint64_t way; /* where it belongs; what that means is up to the program */
    slot load;    /* a leaf object, or nothing */
} parcel;
TRI_EXTERN_TYPE(parcel);

/* A parcel with a load. Its caller alone knows it yet. */
parcel *parcel_new(struct worker *worker, uint64_t way);

/* Looks at a parcel and what it carries; ends the program if it is not one of that way. */
void parcel_check(struct worker *worker, const parcel *at, uint64_t way, const char *where);

/* Takes a lock that others hold for a short time. */
void lock_enter(pthread_mutex_t *lock);

#endif
