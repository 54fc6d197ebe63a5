/* SPDX-License-Identifier: MIT */
/* The structural check of the heap: what it has found so far, and its parts, one a structure.
 *
 * Between two cycles, when everything has been swept and each thread has passed a safepoint since,
 * no span leaves the page table, and no list but that of swept spans gets any [inv.check.frozen].
 * Threads allocate meanwhile. So what is looked at is
 *   - what nobody changes: descriptors of spans in the page table, the table of size classes
 *   - what a lock holds still: the page heap's bits, summaries and counts; an arena's log
 *   - what is owned: spans, by popping them from their list; caches of threads in TRI_BLOCKING, by
 *     claiming these
 *   - sums over all of that, if no thread of the program runs at all (`alone`).
 * Threads: the coordinator. See: docs/debugging.md "Checking the heap". */
#ifndef TRI__HEAP_CHECK_H
#define TRI__HEAP_CHECK_H

#include "base/pool.h"
#include "heap/arena_chunk.h"
#include "heap/cache.h"
#include "heap/resolve.h"

#define TRI__CHECK_LINES 32u /* more would hide the first */
#define TRI__CHECK_LINE 256u

struct tri__check {
    /* Returns when every thread that runs has passed a safepoint since the call. */
    void (*quiet)(void);
    uint8_t swept;    /* side of the central lists */
    uint16_t caches;  /* looked at so far */
    bool alone;       /* the only thread that is attached sleeps, waiting for the check */
    size_t pages;     /* committed when the check began */
    uint16_t *places; /* of each: where the span that begins there was found; 0: nowhere */
    char (*lines)[TRI__CHECK_LINE];
    unsigned defects;

    /* sums, all of the same moment if `alone` */
    size_t table_spans, table_pages; /* in the page table */
    size_t arena_spans;              /* of these, chunks of arenas */
    size_t lost_spans;               /* of these, neither listed nor in a cache */
    uintptr_t lost;                  /* one of them */
    size_t moved_spans;              /* found in two places */
    uintptr_t moved;                 /* one of them */
    size_t vacant_pages;             /* in page caches */
    uint64_t taken_bytes;            /* slots of spans, and what arenas use */
    uint64_t unreported, given_back; /* that caches have not told the heap of */
    struct tri__arena_counts arenas;
};

/* 0, or -ENOMEM with nothing left behind. `check` is all zero but for its first fields. */
int tri__check_begin(struct tri__check *check);
void tri__check_end(struct tri__check *check);

/* Notes a defect: it is told to the user when no lock is held. */
void tri__check_defect(struct tri__check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/* The parts, in an order that they can be called in. */
void tri__check_classes(struct tri__check *check);
void tri__check_lists(struct tri__check *check);
void tri__check_cache(struct tri__check *check, const struct tri__cache *cache); /* claimed */
void tri__check_page_table(struct tri__check *check);
void tri__check_page_heap(struct tri__check *check, struct tri__page_heap *heap);
void tri__check_arenas(struct tri__check *check);

/* What has to come out even when no thread runs. */
void tri__check_sums(struct tri__check *check);
void tri__check_typed_counts(struct tri__check *check);

/* Are the const fields of a span what its class and place say? */
bool tri__check_shape(struct tri__check *check, const struct tri__span *span);

/* Every byte is 0; also where a sanitizer has poisoned memory. */
bool tri__check_is_zero(uintptr_t start, size_t bytes);

/* Free objects of a pool, none of which may be in use. Pops all of them and gives them back. */
size_t tri__check_pool(struct tri__check *check, struct tri__pool *pool, const char *name,
                       bool (*is_used)(struct tri__stack_entry *object));

/* The pool of span descriptors: free ones, and all there are. */
size_t tri__check_descriptors(struct tri__check *check, size_t *all);

#endif
