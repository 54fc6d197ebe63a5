/* SPDX-License-Identifier: MIT */
/* stress/acts.h: the things a worker does, one after the other. Between two of them it holds no
 * lock. */
#ifndef TRI__STRESS_ACTS_H
#define TRI__STRESS_ACTS_H

#include "stress/world.h"

/* mutate.c: one small change of the shared graph, or a look at it. */
void act_mutate(struct worker *worker);

/* own.c: something that one thread makes, changes and looks at; only its stack leads there. */
void act_own(struct worker *worker);

/* crowd.c: threads that come and go. */
void act_crowd(struct worker *worker);
void crowd_sleeper(struct worker *worker); /* the whole life of a thread that mostly sleeps */

/* patterns.c: what a collector with one half of its protocol missing would lose. A hoard is the
 * private graph that some of them need; it lives on the worker's stack. */
struct hoard {
    void **boxes;     /* each a slot that leads to a token */
    uint64_t mark_ns; /* how long the last mark lasted, as this thread has seen it */
};

void hoard_init(struct worker *worker, struct hoard *hoard);
void hoard_check(struct worker *worker, const struct hoard *hoard);
void act_pattern(struct worker *worker, struct hoard *hoard);

/* Offers a box that is black, as far as this thread can tell, to threads that may not have been
 * scanned yet. */
void pattern_offer(struct worker *worker);

#endif
