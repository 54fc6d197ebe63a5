/* SPDX-License-Identifier: MIT */
/* Handles: roots of one pointer, in blocks that are scanned whole.
 *
 * Locks: none. Free handles are on a lock-free stack; blocks are never freed before shutdown. */
#define TRI_IMPLEMENTATION
#include <errno.h>

#include <tricolor/barrier.h>
#include <tricolor/root.h>

#include "base/fatal.h"
#include "base/os.h"
#include "mutator/roots.h"

#define BLOCK_BYTES ((size_t)16 << 10)

struct tri_handle {
    struct tri__stack_entry link; /* while it is free */
    void *object;                 /* a root: stored to with the barrier; NULL while it is free */
    uint32_t used;                /* atomic: finds a handle that is freed twice */
};

struct block {
    struct block *next;
    tri_handle handles[];
};

#define BLOCK_HANDLES ((BLOCK_BYTES - sizeof(struct block)) / sizeof(tri_handle))

static struct tri__stack unused;
static struct block *blocks; /* atomic */

static bool block_new(void)
{
    struct block *block = tri__os_map(BLOCK_BYTES);

    if (block == NULL)
        return false;
    block->next = tri__load_relaxed(&blocks);
    while (!tri__cas_acqrel(&blocks, &block->next, block)) /* rel -> acq in tri__handles_scan() */
        continue;
    for (size_t i = 0; i < BLOCK_HANDLES; i++)
        tri__stack_push(&unused, &block->handles[i].link);
    return true;
}

tri_handle *tri_handle_new(void *p)
{
    struct tri__stack_entry *link = tri__stack_pop(&unused);
    tri_handle *handle;

    while (link == NULL && block_new())
        link = tri__stack_pop(&unused);
    if (link == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    handle = (tri_handle *)(void *)link; /* link is the first member */
    tri__store_relaxed(&handle->used, 1);
    tri_store(&handle->object, p);
    return handle;
}

void *tri_handle_get(const tri_handle *handle)
{
    /* acq <- rel in tri_handle_set(), so a handle may hand an object over */
    return tri__load_acquire(&handle->object);
}

void tri_handle_set(tri_handle *handle, void *p)
{
    tri_store_release(&handle->object, p);
}

void tri_handle_free(tri_handle *handle)
{
    if (handle == NULL)
        return;
    tri_store(&handle->object, NULL);
    if (tri__exchange_acqrel(&handle->used, 0) == 0)
        tri__fatal("tri_handle_free() of a handle that is free already: %p", (void *)handle);
    tri__stack_push(&unused, &handle->link);
}

void tri__handles_scan(tri__buffer_take *take, void *argument)
{
    for (struct block *block = tri__load_acquire(&blocks); block != NULL; block = block->next) {
        for (size_t i = 0; i < BLOCK_HANDLES; i++) {
            uintptr_t value = (uintptr_t)tri__load_relaxed(&block->handles[i].object);

            if (value != 0)
                take(value, argument);
        }
    }
}

void tri__handles_release(void)
{
    struct block *block = tri__load_acquire(&blocks);

    while (block != NULL) {
        struct block *next = block->next;

        tri__os_unmap(block, BLOCK_BYTES);
        block = next;
    }
    blocks = NULL;
    tri__stack_init(&unused);
}
