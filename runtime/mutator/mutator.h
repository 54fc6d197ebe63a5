/* SPDX-License-Identifier: MIT */
/* A mutator: a thread of the program that uses the heap.
 *
 * The block of a thread is touched by the thread itself while it runs, and by the collector while
 * the thread is in TRI_BLOCKING and the collector has claimed its state word [inv.mutator.claim].
 * Others read the fields marked atomic, under RCU.
 * See: docs/architecture.md "Handshakes". */
#ifndef TRI__MUTATOR_MUTATOR_H
#define TRI__MUTATOR_MUTATOR_H

#include <tricolor/inspect.h>
#include <tricolor/thread.h>

#include "barrier/buffer.h"
#include "base/histogram.h"
#include "base/rcu_shim.h"
#include "mutator/registers.h"

/* Who acts for the mutator.
 *
 *     RUNNING  --thread, tri_blocking_begin-->  BLOCKED  --thread, tri_blocking_end-->  RUNNING
 *     BLOCKED  --collector, claims-->  CLAIMED  --collector, done-->  BLOCKED
 *     CLAIMED  --thread wants to go on, sleeps-->  AWAITED  --collector, wakes it-->  BLOCKED */
enum tri__mutator_state {
    TRI__RUNNING,
    TRI__BLOCKED,
    TRI__CLAIMED,
    TRI__AWAITED,
    TRI__DETACHED,
};

/* Set in the request word of a thread whose answer the coordinator waits for. */
#define TRI__REQUEST_ASKED UINT32_C(1)

/* Set there by the thread itself, once it has answered: others have not yet. */
#define TRI__REQUEST_ASIDE UINT32_C(2)

/* What the collector asks of every mutator, one thing at a time. */
enum tri__request {
    TRI__REQUEST_PING,    /* just answer */
    TRI__REQUEST_ARM,     /* H1: barrier on */
    TRI__REQUEST_SCAN,    /* H2: allocate black, shade what the own stack holds */
    TRI__REQUEST_FLUSH,   /* H3: scan again, and give the buffer away */
    TRI__REQUEST_RELEASE, /* H4: barrier off, give cached runs back */
};

/* A stack of the program's, or a thread's own once that thread has left it (user_stack.h). */
struct tri_stack {
    struct tri__stack_entry link; /* while the record is free */
    uint32_t state;               /* atomic: enum tri__stack_state */
    uint32_t scanned;             /* number of the mark that has seen all that is on it */

    /* of who is on it; while nobody is, of who has claimed it */
    uintptr_t low, high;
    uintptr_t pointer; /* what lies above is on it */
    struct tri__registers registers;
};

/* Where a signal handler that answers was called: which stretches of stack hold what was
 * interrupted. */
struct tri__interrupted {
    uintptr_t pointer;   /* the thread's stack from here on; 0: not in a handler */
    uintptr_t low, high; /* the handler's own frame on an alternate stack; or empty */
};

struct tri__mutator {
    struct tri__writer writer; /* first: tri__self points into it */

    uint32_t tid; /* const after attach */

    /* owner */
    uintptr_t stack_end; /* lowest address that the stack it is on may grow to */
    uintptr_t stack_high;
    tri_stack *stack;         /* that it is on; NULL: its own, and has never left it */
    struct tri_stack native; /* its own; in use once it has left it */
    uint32_t attach_depth;
    uint32_t blocking_depth;
    uint64_t aside_after; /* 0, or when to step aside if the handshake is not over by then */
    uint32_t naps;        /* taken so far */
    struct tri__interrupted interrupted;
    uintptr_t stack_low; /* valid while BLOCKED or CLAIMED: what lies above is scanned */
    struct tri__registers registers;

    /* atomic; on one line, which the coordinator reads of each thread in each round */
    alignas(64) uint32_t state; /* enum tri__mutator_state */
    uint32_t answered;          /* the announcement it has taken last; written by who acts for it */
    bool scanned_asleep;        /* scanned during this mark, in TRI_BLOCKING, and not run since */
    uint64_t asked;             /* when its answer was last waited for; written by the coordinator */
    bool signalled;             /* a signal is on its way, or lost; reset with each request */
    uint64_t latency;           /* how long that answer took to come */
    uintptr_t refused_at;       /* where a signal came last that could not be answered; or 0 */
    uintptr_t refused_stack;    /* the stack pointer there */

    /* atomic */
    struct tri__histogram delays[TRI_DELAY_CAUSES]; /* one writer: the thread itself */
    uint64_t assists;                               /* one writer */

    struct tri__rcu_head rcu;
    struct tri__mutator *next_dead; /* in a child of fork(), until its block is freed */
};

static inline struct tri__mutator *tri__mutator_of_cache(struct tri__cache *cache)
{
    return (struct tri__mutator *)(void *)cache;
}

/* What threads point to before their first use of the heap. Never written. */
extern struct tri__front tri__unattached;

/* Has it not answered yet? */
static inline bool tri__mutator_is_asked(const struct tri__mutator *mutator)
{
    return (tri__load_relaxed(&mutator->writer.cache.front.request) & TRI__REQUEST_ASKED) != 0;
}

/* The calling thread's block, or NULL. Also inside TRI_BLOCKING, where the block itself may be the
 * collector's: only the pointer is looked at. */
static inline struct tri__mutator *tri__mutator_self(void)
{
    if (tri__self == &tri__unattached)
        return NULL;
    return (struct tri__mutator *)(void *)tri__self;
}

/* The calling thread's block; attaches it. Fatal when that is not possible. */
struct tri__mutator *tri__mutator_here(void);

/* Books a delay of the calling thread that began at `start`. */
void tri__mutator_delayed(struct tri__mutator *mutator, tri_delay_cause cause, uint64_t start);

/* The calling thread is the collector's and must never become a mutator. */
void tri__mutator_forbid(void);

bool tri__mutator_is_forbidden(void);

/* Detaches the calling thread for good, whatever its attach depth. */
void tri__mutator_leave(void);

#endif
