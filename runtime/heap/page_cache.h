/* SPDX-License-Identifier: MIT */
/* The page cache of a thread: free pages of one 64-page window, handed out without a lock.
 *
 * To the page heap the pages of a cache are in use. A cache is filled only when it is empty, so
 * what it holds is soon used up, and flushed when its thread ends or lets go of its memory.
 * Threads: the owner alone. A cache that is all zero is empty.
 * See: docs/architecture.md */
#ifndef TRI__HEAP_PAGE_CACHE_H
#define TRI__HEAP_PAGE_CACHE_H

#include "heap/page_heap.h"

/* Runs above this size come from the heap: they would use a window up too soon, and leave it in
 * bits. */
#define TRI__PAGE_CACHE_MAX_PAGES 16u

struct tri__page_cache {
    uintptr_t base;  /* of the window */
    uint64_t vacant; /* bit i: page i is free, and this cache's */
    uint64_t dirty;  /* bit i, of those: and may hold old bytes */
};

static inline bool tri__page_cache_is_empty(const struct tri__page_cache *cache)
{
    return cache->vacant == 0;
}

/* Takes npages (1 … 64) consecutive pages, the lowest that fit. *dirty as in
 * tri__page_heap_alloc(). false: the cache has no such run. */
bool tri__page_cache_alloc(struct tri__page_cache *cache, size_t npages, uintptr_t *address,
                           bool *dirty);

/* Fills an empty cache. false: out of memory, and the cache stays empty. */
bool tri__page_heap_fill_cache(struct tri__page_heap *heap, struct tri__page_cache *cache);

/* Gives all pages back and leaves the cache empty. */
void tri__page_cache_flush(struct tri__page_heap *heap, struct tri__page_cache *cache);

#endif
