/* SPDX-License-Identifier: MIT */
/* tests/cache_subjects.h: what tests of thread caches allocate, and how they see that memory is clean. */
#ifndef TRI__TESTS_CACHE_SUBJECTS_H
#define TRI__TESTS_CACHE_SUBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tricolor/type.h>

#include "heap/size_class.h"

#define FILL 0xa5 /* what memory that was used is full of */

/* Four words, two of them pointers. */
typedef struct four {
    void *a;
    long b, c;
    void *d;
} four;
TRI_TYPE(four, a, d);

#define FOUR TRI__SPAN_CLASS(TRI__SIZE_CLASS(sizeof(four)), 0)

static inline bool is_zero(uintptr_t start, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)start;
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != 0)
            return false;
    return true;
}

#endif
