/* SPDX-License-Identifier: MIT */
/* The page cache of a thread (see page_cache.h). */
#include "heap/page_cache.h"

#include "base/fatal.h"

bool tri__page_cache_alloc(struct tri__page_cache *cache, size_t npages, uintptr_t *address,
                           bool *dirty)
{
    TRI__ASSERT(npages >= 1 && npages <= 64);
    unsigned first = tri__find_bit_range64(cache->vacant, (unsigned)npages);
    if (first == 64)
        return false;
    uint64_t taken = tri__bit_range64(first, (unsigned)npages);
    *address = cache->base + ((uintptr_t)first << TRI__PAGE_SHIFT);
    *dirty = (cache->dirty & taken) != 0;
    cache->vacant &= ~taken;
    cache->dirty &= ~taken;
    return true;
}

bool tri__page_heap_fill_cache(struct tri__page_heap *heap, struct tri__page_cache *cache)
{
    TRI__ASSERT(tri__page_cache_is_empty(cache)); /* its pages would be lost */
    return tri__page_heap_take_window(heap, &cache->base, &cache->vacant, &cache->dirty);
}

void tri__page_cache_flush(struct tri__page_heap *heap, struct tri__page_cache *cache)
{
    if (!tri__page_cache_is_empty(cache))
        tri__page_heap_return_window(heap, cache->base, cache->vacant, cache->dirty);
    *cache = (struct tri__page_cache){.vacant = 0};
}
