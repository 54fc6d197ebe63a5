/* SPDX-License-Identifier: MIT */
/* Setting up and tearing down the mutator floor, and what it remembers of threads that are gone. */
#ifndef TRI__MUTATOR_ATTACH_H
#define TRI__MUTATOR_ATTACH_H

#include "mutator/mutator.h"

/* Statistics of threads that have detached. */
struct tri__departed {
    struct tri__histogram delays[TRI_DELAY_CAUSES];
    uint64_t assists;
};

int tri__mutators_init(void);     /* 0 or -errno */
void tri__mutators_release(void); /* nobody may be attached */

/* Is there a heap for threads to attach to? */
bool tri__mutators_are_open(void);

/* Attaches the calling thread, which is not: 0 or -ENOMEM. */
int tri__mutator_attach(void);

/* What is no use of the heap, but changes roots, may be done by any thread, and inside TRI_BLOCKING.
 * Between these two the thread is attached and runs, and passes no safepoint [inv.roots.change]. */
struct tri__visit {
    bool guest;       /* it is attached for the visit only */
    bool interrupted; /* a block goes on afterwards */
};

struct tri__visit tri__visit_begin(void);
void tri__visit_end(struct tri__visit visit);

/* In a child of fork(), with registry_lock held: the calling thread is the only one, and the phase
 * is that of no mark [inv.fork.rebuild]. Later, when it may take long: frees the others' blocks. */
void tri__mutators_after_fork(void);
void tri__mutators_bury(void);

void tri__departed_statistics(struct tri__departed *out);

#endif
