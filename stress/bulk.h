/* SPDX-License-Identifier: MIT */
/* stress/bulk.h: the things a thread of the bulk stress program does. */
#ifndef TRI__STRESS_BULK_H
#define TRI__STRESS_BULK_H

#include "stress/worker.h"

/* ranges.c: rotates, reverses, clears, copies or fills a range of a field. */
void act_range(struct worker *worker);

/* rows.c: what a bulk barrier with one half missing would lose. A hoard is the private graph that
 * this needs; it lives on the worker's stack. */
struct rows {
    void ***rows;     /* arrays of tokens */
    uint64_t mark_ns; /* how long the last mark lasted, as this thread has seen it */
};

void rows_init(struct worker *worker, struct rows *rows);
void rows_check(struct worker *worker, const struct rows *rows);
void act_rows(struct worker *worker, struct rows *rows);

/* Offers black memory, as far as this thread can tell, to threads that may not have been scanned
 * yet. */
void rows_offer(struct worker *worker);

#endif
