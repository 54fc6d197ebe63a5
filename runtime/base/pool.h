/* SPDX-License-Identifier: MIT */
/* base/pool.h: objects of one type that any thread takes and gives back without a lock.
 *
 * They are carved from slabs, which are mapped from the system one at a time and never unmapped
 * before tri__pool_release(). So objects are type-stable: a thread that still looks at one which
 * another thread has just given back reads an old or a new object of the same type, and never
 * faults. That is what the stack of free objects needs itself (ck_shim.h).
 * A type's first member is its struct tri__stack_entry, which is the pool's while the object is
 * free; everything else in a free object is left as it was given back, or zero if it never was
 * taken.
 * Locks: none. Threads: any, but for init and release. */
#ifndef TRI__BASE_POOL_H
#define TRI__BASE_POOL_H

#include <stdbool.h>

#include "base/ck_shim.h"

struct tri__pool_slab;

struct tri__pool {
    /* const */
    size_t object_bytes;
    size_t slab_bytes;

    struct tri__pool_slab *slabs; /* atomic: the newest; each knows the one before */
    struct tri__stack unused;
};

/* Initializes a static pool of `type`, with slabs of that many bytes: room for an object and the
 * slab's head at least. */
#define TRI__POOL_OF(type, bytes)                                                                  \
    {                                                                                              \
        .object_bytes = sizeof(type), .slab_bytes = (bytes)                                        \
    }

/* The entry of an object that nobody else has. NULL: no memory for another slab. */
struct tri__stack_entry *tri__pool_take(struct tri__pool *pool);

/* What was written to the object before is seen by who takes it next. */
static inline void tri__pool_give(struct tri__pool *pool, struct tri__stack_entry *object)
{
    tri__stack_push(&pool->unused, object);
}

/* Visits every object there is, taken or free, while other threads take and give: the visitor tells
 * them apart, if it has to, by fields that are atomic. */
void tri__pool_each(const struct tri__pool *pool,
                    void (*visit)(struct tri__stack_entry *object, void *argument), void *argument);

/* How many objects there are, taken or free. */
size_t tri__pool_count(const struct tri__pool *pool);

/* In a child of fork(), where threads have died with objects in their hands: all are free but those
 * that are used. No other thread uses the pool. */
void tri__pool_rebuild(struct tri__pool *pool,
                       bool (*is_used)(struct tri__stack_entry *object));
bool tri__pool_none_used(struct tri__stack_entry *object); /* says false */

/* Unmaps all of it; the pool is empty then and may be used again. No other thread uses it or looks
 * at any object of it. */
void tri__pool_release(struct tri__pool *pool);

#endif
