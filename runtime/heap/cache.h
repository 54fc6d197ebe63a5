/* SPDX-License-Identifier: MIT */
/* A thread's cache: the runs it allocates from, and the spans they are cut from.
 *
 * All bookkeeping (zeroing, colour, layout, accounting) is done when a run is cut, none
 * when an object is handed out.
 * Threads: the owner; for a thread in TRI_BLOCKING the collector, after it has claimed the thread.
 * See: docs/architecture.md "Allocation". */
#ifndef TRI__HEAP_CACHE_H
#define TRI__HEAP_CACHE_H

#include <tricolor/fast.h>

#include "base/fault.h"
#include "heap/heap.h"
#include "heap/page_cache.h"
#include "heap/typed.h"

struct tri__cache {
    struct tri__front front; /* first: tri__self points here */
    struct tri__span *spans[TRI__RUNS];   /* that the runs are cut from */
    uint64_t used[(TRI__RUNS + 63) / 64]; /* runs that have a span */
    struct tri__heat_table heat;
    struct tri__page_cache pages;
    uintptr_t tiny; /* rest of the block that small leaf objects share: [tiny, tiny_end) */
    uintptr_t tiny_end;
    uint64_t unreported; /* atomic: bytes handed out in runs since the last report to the heap */
    uint64_t given_back; /* bytes of runs given back since then */
    uint8_t side;        /* central lists that hold swept spans, in this thread's view */
    bool black;          /* from H2 until H4: new objects are born marked [inv.alloc.black] */
    bool sweeping;       /* spans on the other side may be swept by this thread [inv.sweep.sides] */
};

/* What a thread takes over from the phase it joins. */
struct tri__cache_phase {
    uint8_t side;
    bool black;
    bool sweeping;
};

/* Of objects that are born now. */
static inline enum tri__colour tri__cache_colour(const struct tri__cache *cache)
{
    return cache->black && !tri__fault(TRI__FAULT_ALLOCATE_WHITE) ? TRI__BLACK : TRI__WHITE;
}

void tri__cache_init(struct tri__cache *cache, struct tri__cache_phase phase);

/* Gives the thread's run `number` at least one slot. The number is a span class, and slots of
 * bitmap spans get `type`'s layout when it is not NULL; or that of `type`'s own run. false: out of
 * memory, or, of such a run: the thread may have none of that type now. No safepoint; the caller
 * has passed one. */
bool tri__cache_refill(struct tri__cache *cache, unsigned number, const tri_type *type);

/* H1: sweeping is over for this thread. New objects are still white: another thread
 * whose barrier is not on yet may store to them, and nobody would look into a black
 * one again [inv.alloc.black]. */
void tri__cache_arm(struct tri__cache *cache);

/* H2, when every thread's barrier is on: from now on new objects are black; slots already in runs
 * become so. Marking has not begun, and begins only after the last answer [inv.mark.start]. */
void tri__cache_blacken(struct tri__cache *cache);

/* H4: gives all runs and spans back, to be swept; from now on allocates white, from swept
 * spans only. Marking is over. */
void tri__cache_flip(struct tri__cache *cache);

/* Gives everything back without a change of phase: the thread is leaving. */
void tri__cache_drop(struct tri__cache *cache);

/* Adds what the thread has allocated to the heap's counters. */
void tri__cache_report(struct tri__cache *cache);

/* Allocates a span of its own for `bytes` of `type` (NULL: leaf). 0: out of memory. A safepoint. */
uintptr_t tri__large_alloc(struct tri__cache *cache, const tri_type *type, size_t bytes);

/* Puts a span on its central list, of the side that is given. Its owner, for the last time. */
void tri__file_span(struct tri__span *span, uint8_t side);

/* Takes one span of a central list, of the side that `unswept` names, sweeps it and files it on the
 * other. false: there is none. */
bool tri__sweep_one(uint8_t unswept, unsigned list);

/* Sweeps spans of one list until that side is empty; returns how many. */
size_t tri__sweep_list(uint8_t unswept, unsigned list);

#endif
