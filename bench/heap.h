/* SPDX-License-Identifier: MIT */
/* bench/heap.h: the heap that a benchmark is built for, behind one set of names.
 *
 *   HEAP_TYPE(T, member, ...)       at file scope: T's pointers to the heap
 *   HEAP_LEAF_TYPE(T)               T has none
 *   heap_start()                    first thing in main
 *   const char *heap_name()         what really runs, for the first line of the output
 *   T *heap_new(T)                  a zeroed object; out of memory ends the program
 *   T *heap_new_leaf(T)             the same for a leaf type
 *   void **heap_new_pointers(n)     a zeroed array of n pointers
 *   heap_store(slot, value)         *slot = value in a heap object
 *   heap_init_store(slot, value)    the first store into a slot of a new object
 *   heap_clear(pointers, n)         sets an array of n pointers to NULL
 *   HEAP_FREES                      1 when the program must call heap_free for every object, or 0
 *   heap_free(p)                    nothing, where there is a collector
 *   heap_join(thread)               pthread_join
 *   heap_collect(&collection)       a full collection, and what it did; not over malloc
 *
 * Everything is a macro or inline, so that a benchmark pays what a program written for that heap
 * pays. -DHEAP_TRICOLOR, -DHEAP_MALLOC or -DHEAP_BDWGC chooses. */
#ifndef TRI__BENCH_HEAP_H
#define TRI__BENCH_HEAP_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct heap_collection {
    uint64_t objects; /* marked; 0: not known */
    uint64_t mark_ns; /* with a mark running; 0: not known */
};

_Noreturn static inline void heap_die(const char *what)
{
    fprintf(stderr, "benchmark: %s failed\n", what);
    exit(1);
}

static inline void *heap_checked(void *p)
{
    if (__builtin_expect(p == NULL, 0))
        heap_die("allocation");
    return p;
}

#if defined(HEAP_TRICOLOR)
#include "bench/heap_tricolor.h"
#elif defined(HEAP_MALLOC)
#include "bench/heap_malloc.h"
#elif defined(HEAP_BDWGC)
#include "bench/heap_bdwgc.h"
#else
#error "define HEAP_TRICOLOR, HEAP_MALLOC or HEAP_BDWGC"
#endif

#endif
