/* SPDX-License-Identifier: MIT */
/* bench/heap_bdwgc.h: heap.h over the Boehm-Demers-Weiser collector as packaged: parallel marking,
 * thread-local allocation, its own defaults and what the environment says (GC_MARKERS, ...).
 *
 * GC_THREADS makes pthread_create and pthread_join its own, which register threads.
 * BENCH_BDWGC_INTERIOR=0 in the environment: pointers from the heap into the middle of objects do
 * not count. An object then needs no byte after its end, so that one of 16 bytes takes 16 and not
 * 32: the best case for this collector. */
#ifndef TRI__BENCH_HEAP_BDWGC_H
#define TRI__BENCH_HEAP_BDWGC_H

#ifndef GC_THREADS
#error "compile with -DGC_THREADS"
#endif
#include <gc.h>

#define HEAP_FREES 0
#define HEAP_TYPE(T, ...) _Static_assert(sizeof(T) > 0, "an object has a size")
#define HEAP_LEAF_TYPE(T) _Static_assert(sizeof(T) > 0, "an object has a size")

/* GC_MALLOC_ATOMIC is the only one that does not clear. */
#define heap_new(T) ((T *)heap_checked(GC_MALLOC(sizeof(T))))
#define heap_new_leaf(T) ((T *)memset(heap_checked(GC_MALLOC_ATOMIC(sizeof(T))), 0, sizeof(T)))
#define heap_store(slot, value) (*(slot) = (value))
#define heap_init_store(slot, value) (*(slot) = (value))

static inline void heap_start(void)
{
    const char *interior = getenv("BENCH_BDWGC_INTERIOR");

    if (interior != NULL && strcmp(interior, "0") == 0)
        GC_set_all_interior_pointers(0);
    GC_INIT();
    GC_allow_register_threads(); /* starts its marker threads now, not with the first thread */
}

static inline const char *heap_name(void)
{
    static char name[80];
    unsigned version = GC_get_version();

    snprintf(name, sizeof name, "bdwgc %u.%u.%u, %d markers, interior pointers %s", version >> 16,
             version >> 8 & 0xff, version & 0xff, GC_get_parallel() + 1,
             GC_get_all_interior_pointers() ? "on" : "off");
    return name;
}

static inline void **heap_new_pointers(size_t n)
{
    return (void **)heap_checked(GC_MALLOC(n * sizeof(void *)));
}

static inline void heap_clear(void **pointers, size_t n)
{
    memset(pointers, 0, n * sizeof *pointers);
}

static inline void heap_free(void *p)
{
    (void)p;
}

static inline void heap_join(pthread_t thread)
{
    if (pthread_join(thread, NULL) != 0)
        heap_die("pthread_join");
}

static inline void heap_collect(struct heap_collection *collection)
{
    GC_gcollect();
    *collection = (struct heap_collection){0, 0};
}

#endif
