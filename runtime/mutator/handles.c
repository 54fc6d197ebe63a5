/* SPDX-License-Identifier: MIT */
/* Handles: roots of one pointer, from a pool that is scanned whole. Locks: none. */
#define TRI_IMPLEMENTATION
#include <errno.h>

#include <tricolor/barrier.h>
#include <tricolor/root.h>

#include "base/entry.h"
#include "base/fatal.h"
#include "base/pool.h"
#include "heap/watch.h"
#include "mutator/roots.h"

#define SLAB_BYTES ((size_t)16 << 10)

struct tri_handle {
    struct tri__stack_entry link; /* while it is free */
    void *object;                 /* a root: stored to with the barrier; NULL while it is free */
    uint32_t used;                /* atomic: finds a handle that is freed twice */
};

static struct tri__pool pool = TRI__POOL_OF(struct tri_handle, SLAB_BYTES);

static tri_handle *handle_of(struct tri__stack_entry *link)
{
    return (tri_handle *)(void *)link; /* link is the first member */
}

tri_handle *tri_handle_new(void *p)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    struct tri__stack_entry *link = tri__pool_take(&pool);
    tri_handle *handle;

    if (link == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    handle = handle_of(link);
    tri__store_relaxed(&handle->used, 1);
    tri_store(&handle->object, p);
    return handle;
}

void *tri_handle_get(const tri_handle *handle)
{
    TRI__USES_HEAP(__func__);

    /* acq <- rel in tri_handle_set(), so a handle may hand an object over */
    return tri__load_acquire(&handle->object);
}

void tri_handle_set(tri_handle *handle, void *p)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    tri_store_release(&handle->object, p);
}

void tri_handle_free(tri_handle *handle)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    if (handle == NULL)
        return;
    tri_store(&handle->object, NULL);
    if (tri__exchange_acqrel(&handle->used, 0) == 0)
        tri__fatal("tri_handle_free() of a handle that is free already: %p", (void *)handle);
    tri__pool_give(&pool, &handle->link);
}

struct taker {
    tri__buffer_take *take;
    void *argument;
};

static void take_object(struct tri__stack_entry *link, void *argument)
{
    const struct taker *taker = argument;
    uintptr_t value = (uintptr_t)tri__load_relaxed(&handle_of(link)->object);

    if (value != 0)
        taker->take(value, taker->argument);
}

void tri__handles_scan(tri__buffer_take *take, void *argument)
{
    struct taker taker = {take, argument};

    tri__pool_each(&pool, take_object, &taker);
}

struct slot_visitor {
    void (*visit)(uintptr_t slot, void *argument);
    void *argument;
};

static void visit_object(struct tri__stack_entry *link, void *argument)
{
    const struct slot_visitor *visitor = argument;

    visitor->visit((uintptr_t)&handle_of(link)->object, visitor->argument);
}

void tri__handles_each_slot(void (*visit)(uintptr_t slot, void *argument), void *argument)
{
    struct slot_visitor visitor = {visit, argument};

    tri__pool_each(&pool, visit_object, &visitor);
}

void tri__handles_release(void)
{
    tri__pool_release(&pool);
}
