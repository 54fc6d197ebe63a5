/* SPDX-License-Identifier: MIT */
/* Hot types: which types have spans of their own, and a run of their own in each thread.
 *
 * Heat is counted by each thread for itself: the bytes of a type that it has lately allocated
 * outside the inline path. A type that is hot in some thread gets an index, and with it, in all
 * threads, the run `TRI__SPAN_CLASSES + index`; but a fresh span of it only a thread in which it is
 * hot, so that no thread has more memory in half-empty spans of a type than it has just allocated
 * of it [inv.typed.bounded].
 *
 * Owns: the table of indices. Locks: hot_lock, for changes of the table; tried, not waited for, by
 * threads that allocate.
 * Threads: any; heat belongs to the owner of the cache it is in.
 * See: docs/architecture.md "Hot types". */
#ifndef TRI__HEAP_TYPED_H
#define TRI__HEAP_TYPED_H

#include <tricolor/fast.h>
#include <tricolor/type.h>

#include "base/atomic.h"
#include "heap/size_class.h"
#include "heap/span.h"
#include "layout/type.h"

/* A type without a refill in so many cycles is not hot any more. */
#define TRI__COLD_CYCLES 4u

/* How warm types are in one thread: sets of four, in which the coolest makes room. */
#define TRI__HEAT_SETS 16u
#define TRI__HEAT_WAYS 4u

struct tri__heat {
    const tri_type *type; /* a name only: it may be gone */
    uint32_t bytes;
};

struct tri__heat_table {
    struct tri__heat sets[TRI__HEAT_SETS][TRI__HEAT_WAYS];
};

/* May the type have spans of its own? Not if it was written by hand without what inline allocation
 * needs. */
bool tri__typed_is_able(const tri_type *type);

/* The number of the type's own run; 0: it is not hot. A hint: it may change at any time. */
static inline unsigned tri__typed_run(const tri_type *type)
{
    uint32_t offset =
        tri__type_has_state(type) ? tri__load_relaxed(&TRI__TYPE_STATE(type)->run_offset) : 0;

    return offset == 0 ? 0 : type->span_class + offset / (uint32_t)sizeof(struct tri__run);
}

/* The class of the spans that a type has for itself. */
static inline uint8_t tri__typed_class(const tri_type *type)
{
    return (uint8_t)TRI__TYPED_CLASS(tri__size_to_class(type->size));
}

/* The central list that the span belongs on now. A typed span's may be another one by the time it
 * is there: who takes a span looks at its type [inv.typed.lists]. */
unsigned tri__span_list(const struct tri__span *span);

/* The thread has allocated an object of the type, and not from a run that is laid out for it: adds
 * to the type's heat, and makes the type hot if it is due. */
void tri__typed_missed(struct tri__heat_table *table, const tri_type *type);

/* The thread has cut so many bytes from the type's own spans, into run `number`. */
void tri__typed_refilled(struct tri__heat_table *table, const tri_type *type, unsigned number,
                         size_t bytes);

/* May the thread take a fresh span for the type? */
bool tri__typed_is_hot_here(const struct tri__heat_table *heat, const tri_type *type);

/* A cycle has passed: half of the heat is gone. Owner. */
void tri__heat_cool(struct tri__heat_table *table);

/* A cycle has passed: takes the index from types that have gone cold. Coordinator. */
void tri__typed_age(void);

/* The number of spans that name the type: 0 once it is not hot and all its objects have been
 * swept. Atomic; a recent value. */
static inline uint32_t tri__typed_spans(const tri_type *type)
{
    return tri__type_has_state(type) ? tri__load_relaxed(&TRI__TYPE_STATE(type)->spans) : 0;
}

/* The type shall get no more spans: takes its index away. Not for long if the program goes on to
 * allocate it, which it must not once it has retired it. */
void tri__typed_withdraw(const tri_type *type);

/* No type is hot and none has spans: the heap is about to be released, with no thread in it. Before
 * page table and descriptors are, which lead to the types. */
void tri__typed_reset(void);

/* Around a fork: no type is getting hot or cold. */
void tri__typed_before_fork(void);
void tri__typed_after_fork(void);

#endif
