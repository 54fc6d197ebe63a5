/* SPDX-License-Identifier: MIT */
/* The heap as a whole: the reserved range, the page table over it, the central lists, and
 * what the upper floors install.
 *
 * Threads: every field of struct tri__heap is const after tri__heap_init()
 * or says how it is shared. */
#ifndef TRI__HEAP_HEAP_H
#define TRI__HEAP_HEAP_H

#include <stdalign.h>

#include <tricolor/fast.h>

#include "base/atomic.h"
#include "base/ck_shim.h"
#include "heap/page_heap.h"
#include "heap/span.h"
#include "layout/type_hold.h"

struct tri__cache;

/* Central lists are numbered like runs; the last one has the typed spans of types that are not hot,
 * from which nobody allocates. */
#define TRI__COLD_LIST TRI__RUNS
#define TRI__LISTS (TRI__RUNS + 1)

/* Spans of one span class, or of one hot type, that no thread holds. Pushing and popping is lock-free; popping one
 * makes the popper its owner. Which of the two sides holds swept spans is each thread's own
 * view (struct tri__cache, `side`): H4 flips it thread by thread, so that nobody has to stop
 * for it [inv.sweep.sides]. */
struct tri__central {
    alignas(64) struct tri__stack partial[2]; /* may have free slots */
    struct tri__stack full[2];                /* had none when it was put here */
};

/* What the heap needs from the floors above it. Installed once, before the first allocation. */
struct tri__heap_hooks {
    /* The calling thread's cache; attaches the thread. Never NULL. */
    struct tri__cache *(*attach)(void);
    /* A safepoint of the calling thread: may flip the cache's phase, so nothing of the
     * cache may be held across it. */
    void (*safepoint)(struct tri__cache *cache);
    /* A delay of the calling thread from `start` (tri__os_now) until now, spent getting memory. */
    void (*refilled)(struct tri__cache *cache, uint64_t start);
    /* Something is about to name this type that is not held: holds it. A safepoint. */
    void (*hold_type)(const tri_type *type);
    /* The process is a child of fork(), and the heap is as its threads have left it: puts in order
     * what belongs to the floors above and calls tri__heap_rebuild(). Once a fork. */
    void (*take_over)(void);
    /* `bytes` cannot be had. A safepoint. true: something was done about it, try again. */
    bool (*out_of_memory)(struct tri__cache *cache, size_t bytes, unsigned attempt);
    /* The program has called `call`, which uses the heap, from `caller` (heap/watch.h). */
    void (*used)(const char *call, const void *caller);
    /* Writes where the call is that returns to `caller`, for tools like addr2line. Once, before a
     * fatal end. */
    void (*name_code)(const void *caller, char *text, size_t room);
    /* The calling thread's, as tools show it (heap/told.h). */
    uint32_t (*thread_number)(void);
};

struct tri__heap {
    uintptr_t base;
    size_t bytes;
    /* A byte a page: page class, or TRI__NO_SPAN. atomic: release after the span is set up */
    uint8_t *page_class;
    /* A pointer a page, right while page_class says so. atomic */
    struct tri__span **page_span;
    struct tri__heap_hooks hooks;
    bool orphaned; /* atomic: left behind by a fork, and not taken over yet */

    alignas(64) struct tri__page_heap pages;
    /* atomic: bytes ever */
    alignas(64) uint64_t allocated; /* handed out, in whole runs, as far as threads have reported */
    uint64_t freed;                 /* swept */
    uint64_t given_back;            /* of runs that were given back unused */

    struct tri__central central[TRI__LISTS];
};

extern struct tri__heap tri__heap;

/* Reserves the range and its tables: 0, or -ENOMEM with nothing left behind.
 * reserve == 0: the default. */
int tri__heap_init(size_t reserve, size_t memory_limit, const struct tri__heap_hooks *hooks);

/* Gives everything back. No other thread may be using the heap. */
void tri__heap_release(void);

/* Sets the limit on committed bytes; SIZE_MAX: none. Any thread. */
void tri__heap_set_limit(size_t bytes);

/* Enter a span into the page table, or take it out, so that words can be resolved to its
 * slots. Owner of the span. */
void tri__span_publish(struct tri__span *span);
void tri__span_retract(struct tri__span *span);

/* Takes an empty span out of the page table and gives its pages and its
 * descriptor back. Owner of the span. */
void tri__span_free(struct tri__span *span);

/* Visits every span whose objects may hold pointers, arenas' chunks left out; one that is published
 * meanwhile may be missed. Coordinator, while no span can be given back: while it marks. */
void tri__pointer_spans_each(void (*visit)(struct tri__span *span, void *argument), void *argument);

/* The same for those of leaf objects only; large ones are visited by the former. */
void tri__leaf_spans_each(void (*visit)(struct tri__span *span, void *argument), void *argument);

/* Bytes handed out and not swept: objects, garbage, and what is left of
 * cached runs. A recent value. */
uint64_t tri__heap_in_use(void);

/* Before something names the type that outlives the call [inv.type.held]. May be a safepoint. */
static inline void tri__heap_hold_type(const tri_type *type)
{
    if (TRI__UNLIKELY(!tri__type_is_held(type)))
        tri__heap.hooks.hold_type(type);
}

/* Around a fork: nobody takes the heap over. */
void tri__heap_before_fork(void);
void tri__heap_after_fork(void);

/* In a child of fork(): makes lists, colours, descriptors and pages anew from the page table, with
 * `side` for spans that need no sweep. Returns the bytes in use. No other thread uses the heap
 * [inv.fork.rebuild]. */
uint64_t tri__heap_rebuild(uint8_t side);

void tri__heap_take_over_slow(void);

/* Before anything of the heap but contents of objects is touched: in a child of fork() it may have
 * to be put in order. May take long; not a safepoint. */
static inline void tri__heap_take_over(void)
{
    /* acq <- rel in tri__heap_take_over_slow() */
    if (TRI__UNLIKELY(tri__load_acquire(&tri__heap.orphaned)))
        tri__heap_take_over_slow();
}

static inline bool tri__in_heap(uintptr_t address)
{
    return address - tri__heap.base < tri__heap.bytes;
}

static inline size_t tri__page_of(uintptr_t address)
{
    return (address - tri__heap.base) >> TRI__PAGE_SHIFT;
}

#endif
