/* SPDX-License-Identifier: MIT */
/* Moving and clearing words so that nobody, at no time, sees half of one: for memory that markers
 * read while it is written.
 *
 * memmove and memset give no such promise: they may write bytes, write a word twice, or in two
 * parts. Nor do `rep movsq` and vector moves, by the letter of the architecture. Words one by one
 * are as fast where it counts: what a barrier reads and writes beside them takes several times as
 * long (docs/performance.md).
 * Eight words are loaded before the first of them is stored, so a block may overlap itself. */
#ifndef TRI__BARRIER_WORD_COPY_H
#define TRI__BARRIER_WORD_COPY_H

#include <stddef.h>

#include "base/atomic.h"

#define TRI__BLOCK_WORDS 8u

/* Stores as tri_store does: an object that was made by this thread is found by a marker only after
 * its memory was zeroed. A plain store on x86-64. */
static inline void tri__copy_word(uintptr_t *dst, uintptr_t value)
{
    tri__store_release(dst, value); /* rel -> the address dependency of a marker's load */
}

static inline void tri__copy_block(uintptr_t *dst, const uintptr_t *src)
{
    uintptr_t a = tri__load_relaxed(&src[0]), b = tri__load_relaxed(&src[1]);
    uintptr_t c = tri__load_relaxed(&src[2]), d = tri__load_relaxed(&src[3]);
    uintptr_t e = tri__load_relaxed(&src[4]), f = tri__load_relaxed(&src[5]);
    uintptr_t g = tri__load_relaxed(&src[6]), h = tri__load_relaxed(&src[7]);

    tri__copy_word(&dst[0], a), tri__copy_word(&dst[1], b);
    tri__copy_word(&dst[2], c), tri__copy_word(&dst[3], d);
    tri__copy_word(&dst[4], e), tri__copy_word(&dst[5], f);
    tri__copy_word(&dst[6], g), tri__copy_word(&dst[7], h);
}

static inline void tri__copy_words_up(uintptr_t *dst, const uintptr_t *src, size_t words)
{
    size_t i = 0;

    for (; words - i >= TRI__BLOCK_WORDS; i += TRI__BLOCK_WORDS)
        tri__copy_block(dst + i, src + i);
    for (; i < words; i++)
        tri__copy_word(&dst[i], tri__load_relaxed(&src[i]));
}

static inline void tri__copy_words_down(uintptr_t *dst, const uintptr_t *src, size_t words)
{
    for (; words >= TRI__BLOCK_WORDS; words -= TRI__BLOCK_WORDS)
        tri__copy_block(dst + words - TRI__BLOCK_WORDS, src + words - TRI__BLOCK_WORDS);
    while (words-- > 0)
        tri__copy_word(&dst[words], tri__load_relaxed(&src[words]));
}

/* The ranges may overlap. */
static inline void tri__move_words(uintptr_t *dst, const uintptr_t *src, size_t words)
{
    if ((uintptr_t)dst - (uintptr_t)src < words * sizeof *dst)
        tri__copy_words_down(dst, src, words);
    else
        tri__copy_words_up(dst, src, words);
}

static inline void tri__clear_words(uintptr_t *dst, size_t words)
{
    for (size_t i = 0; i < words; i++)
        tri__store_relaxed(&dst[i], (uintptr_t)0);
}

#endif
