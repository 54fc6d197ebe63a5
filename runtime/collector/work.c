/* SPDX-License-Identifier: MIT */
/* Chunks of marking work. Owns: the shared stack and the pool of empty chunks. Locks: none. */
#include "collector/work.h"

#include "base/chaos.h"
#include "base/fault.h"
#include "base/futex.h"
#include "base/pool.h"

#define SLAB_BYTES ((size_t)128 << 10)

static struct tri__pool pool = TRI__POOL_OF(struct tri__chunk, SLAB_BYTES); /* of empty chunks */
static struct tri__stack shared;
static uint32_t pending; /* atomic: see work.h */
static uint32_t events;  /* atomic: futex word, changes when work comes or all of it is done */
static uint32_t waiting; /* atomic: threads in tri__work_wait() */

static struct tri__chunk *chunk_of(struct tri__stack_entry *link)
{
    return (struct tri__chunk *)(void *)link; /* link is the first member */
}

struct tri__chunk *tri__chunk_take(void)
{
    struct tri__stack_entry *link;
    struct tri__chunk *chunk;

    if (tri__fault(TRI__FAULT_NO_CHUNKS))
        return NULL;
    link = tri__pool_take(&pool);
    if (link == NULL)
        return NULL;
    chunk = chunk_of(link);
    chunk->count = 0;
    return chunk;
}

void tri__chunk_give(struct tri__chunk *chunk)
{
    tri__pool_give(&pool, &chunk->link);
}

/* An update, though it changes nothing: of this one and a waiter's the later one acquires from the
 * earlier one [mo.wake]. */
static bool somebody_waits(void)
{
    return tri__fetch_add_acqrel(&waiting, 0) != 0;
}

void tri__work_wake(void)
{
    tri__fetch_add_acqrel(&events, 1);
    if (somebody_waits())
        tri__futex_wake(&events, INT32_MAX);
}

void tri__work_enter(void)
{
    tri__chaos(TRI__CHAOS_WORK);
    tri__fetch_add_seqcst(&pending, 1); /* before the load of `open`: [inv.assist.closed] */
}

void tri__work_leave(void)
{
    tri__chaos(TRI__CHAOS_WORK);
    /* rel -> acq in tri__work_is_done(): what the worker marked is seen
     * by who finds the work done */
    if (tri__fetch_sub_acqrel(&pending, 1) == 1)
        tri__work_wake();
}

void tri__work_publish(struct tri__chunk *chunk)
{
    tri__fetch_add_acqrel(&pending, 1);
    tri__chaos(TRI__CHAOS_WORK);
    tri__stack_push(&shared, &chunk->link);
    if (somebody_waits())
        tri__work_wake();
}

struct tri__chunk *tri__work_take(void)
{
    struct tri__stack_entry *link = tri__stack_pop(&shared);

    if (link == NULL)
        return NULL;
    tri__fetch_sub_acqrel(&pending, 1); /* the taker is counted itself */
    return chunk_of(link);
}

bool tri__work_is_done(void)
{
    return tri__load_seqcst(&pending) == 0; /* acq <- rel in tri__work_leave() */
}

uint32_t tri__work_events(void)
{
    return tri__load_acquire(&events); /* acq <- rel in tri__work_wake() */
}

/* The waiter is counted before it looks at the stack; who publishes pushes before it looks at the
 * count [inv.work.wake]. */
void tri__work_wait(uint32_t seen, uint64_t timeout_ns)
{
    tri__fetch_add_acqrel(&waiting, 1);
    if (tri__stack_is_empty(&shared))
        tri__futex_wait(&events, seen, timeout_ns);
    tri__fetch_sub_acqrel(&waiting, 1);
}

bool tri__work_is_shared(void)
{
    return !tri__stack_is_empty(&shared);
}

bool tri__work_is_wanted(void)
{
    return tri__load_relaxed(&waiting) != 0 && tri__stack_is_empty(&shared);
}

/* Chunks' counts are set when they are taken. */
void tri__work_rebuild(void)
{
    tri__store_relaxed(&pending, 0);
    tri__store_relaxed(&waiting, 0);
    tri__stack_init(&shared);
    tri__pool_rebuild(&pool, tri__pool_none_used);
}

void tri__work_release(void)
{
    tri__pool_release(&pool);
    tri__stack_init(&shared);
}
