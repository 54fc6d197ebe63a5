/* SPDX-License-Identifier: MIT */
/* bench/heap_malloc.h: heap.h over malloc and free, whoever provides them (LD_PRELOAD).
 *
 * To be compiled with -fno-builtin-malloc: else compilers make calloc of malloc and memset, or
 * leave out pairs of malloc and free. */
#ifndef TRI__BENCH_HEAP_MALLOC_H
#define TRI__BENCH_HEAP_MALLOC_H

#include <dlfcn.h>

#define HEAP_FREES 1
#define HEAP_TYPE(T, ...) _Static_assert(sizeof(T) > 0, "an object has a size")
#define HEAP_LEAF_TYPE(T) _Static_assert(sizeof(T) > 0, "an object has a size")

#define heap_new(T) ((T *)heap_zeroed(sizeof(T)))
#define heap_new_leaf(T) heap_new(T)
#define heap_store(slot, value) (*(slot) = (value))
#define heap_init_store(slot, value) (*(slot) = (value))

static inline void *heap_zeroed(size_t bytes)
{
    return memset(heap_checked(malloc(bytes)), 0, bytes);
}

static inline void heap_start(void)
{
}

/* The file that malloc comes from. */
static inline const char *heap_name(void)
{
    void *function = dlsym(RTLD_DEFAULT, "malloc");
    Dl_info info;

    if (function == NULL || dladdr(function, &info) == 0 || info.dli_fname == NULL)
        return "malloc of unknown origin";
    return info.dli_fname;
}

static inline void **heap_new_pointers(size_t n)
{
    return (void **)heap_zeroed(n * sizeof(void *));
}

static inline void heap_clear(void **pointers, size_t n)
{
    memset(pointers, 0, n * sizeof *pointers);
}

static inline void heap_free(void *p)
{
    free(p);
}

static inline void heap_join(pthread_t thread)
{
    if (pthread_join(thread, NULL) != 0)
        heap_die("pthread_join");
}

#endif
