/* SPDX-License-Identifier: MIT */
/* bench/heap_tricolor.h: heap.h over tricolor, with its defaults and what the environment says. */
#ifndef TRI__BENCH_HEAP_TRICOLOR_H
#define TRI__BENCH_HEAP_TRICOLOR_H

#include <tricolor.h>

#define HEAP_FREES 0
#define HEAP_TYPE(T, ...) TRI_TYPE(T, __VA_ARGS__)
#define HEAP_LEAF_TYPE(T) TRI_LEAF_TYPE(T)

#define heap_new(T) ((T *)heap_checked(tri_new(T)))
#define heap_new_leaf(T) heap_new(T)
#define heap_store(slot, value) tri_store(slot, value)
#define heap_init_store(slot, value) tri_init_store(slot, value)

static inline void heap_start(void)
{
    if (tri_init(NULL) != 0)
        heap_die("tri_init");
}

static inline const char *heap_name(void)
{
    return "tricolor";
}

static inline void **heap_new_pointers(size_t n)
{
    return (void **)heap_checked(tri_new_ptrs(n));
}

static inline void heap_clear(void **pointers, size_t n)
{
    tri_memclr(pointers, n * sizeof *pointers);
}

static inline void heap_free(void *p)
{
    (void)p;
}

static inline void heap_join(pthread_t thread)
{
    int error = 0;

    TRI_BLOCKING
    {
        error = pthread_join(thread, NULL);
    }
    if (error != 0)
        heap_die("pthread_join");
}

static inline void heap_collect(struct heap_collection *collection)
{
    tri_stats before = TRI_STATS_INIT, after = TRI_STATS_INIT;

    if (tri_stats_get(&before) != 0)
        heap_die("tri_stats_get");
    tri_collect();
    if (tri_stats_get(&after) != 0)
        heap_die("tri_stats_get");
    collection->objects = after.marked_objects - before.marked_objects;
    collection->mark_ns = after.mark_ns - before.mark_ns;
}

#endif
