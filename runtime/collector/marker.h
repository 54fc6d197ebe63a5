/* SPDX-License-Identifier: MIT */
/* A marker: turns candidate words into marked objects and their fields into more candidates.
 *
 * Candidates wait on a stack (chunks, work.h). On their way to being marked they pass a short
 * queue of two batches: when a batch is filled, the colours and the objects are prefetched; while
 * they arrive the other batch is worked on. So a marker waits for many cache misses at once
 * instead of for one after the other.
 * Threads: a marker belongs to one thread at a time, a collector thread
 * or a mutator that assists. */
#ifndef TRI__COLLECTOR_MARKER_H
#define TRI__COLLECTOR_MARKER_H

#include "collector/work.h"
#include "heap/arena_chunk.h"
#include "heap/object.h"

#define TRI__BATCH 16u /* two of them under way: docs/performance.md */

struct tri__batch {
    uint32_t count;
    struct tri__ref refs[TRI__BATCH];
};

struct tri__marker {
    struct tri__batch batches[2];
    unsigned next; /* the batch that is filled next; the other one is ready to be worked on */
    struct tri__chunk *stack; /* NULL: empty */
    uint64_t objects;         /* marked by this marker since tri__marker_enter() */
    uint64_t bytes;
    uint64_t effort; /* bytes looked at, plus a fixed price an object: the measure of a quantum */
};

/* A round of work: enter, any number of the calls below, leave. Leaving publishes what is
 * left and adds up the counts. */
void tri__marker_enter(struct tri__marker *marker);
void tri__marker_leave(struct tri__marker *marker);

/* Takes a candidate: any word. */
void tri__marker_take(uintptr_t word, void *marker);

/* Takes the values of a live arena's chunk, which is a root, as work; one that is not live has
 * none. */
void tri__marker_take_arena(struct tri__arena_chunk *chunk, void *argument);

/* Works until neither this marker nor the shared stack has anything. */
void tri__marker_drain(struct tri__marker *marker);

/* The same, but stops after about so much effort: the price of an object, and a byte for each byte
 * looked at; less for one that is marked already, or none, of which there may be thousands in a row. */
#define TRI__OBJECT_EFFORT 64u
#define TRI__MARKED_EFFORT 8u
void tri__marker_work(struct tri__marker *marker, uint64_t effort);

/* Marked objects and bytes, over all markers that have left, since the last tri__marked_reset(). */
uint64_t tri__marked_objects(void);
uint64_t tri__marked_bytes(void);
uint64_t tri__marked_effort(void); /* what it took */
void tri__marked_reset(void);

/* Scans every marked object of the heap again: what was marked without being noted as grey is among
 * them. Coordinator, with no other worker inside. */
void tri__marker_rescan_heap(struct tri__marker *marker);

#endif
