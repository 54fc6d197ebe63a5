/* SPDX-License-Identifier: MIT */
/* The heap bitmap of a span of small objects with pointers: one bit a word of the span.
 *
 * An object has at most 64 words (TRI__BITMAP_BYTES), so its bits lie in at most two words of the
 * bitmap. Each function leaves the bits of the words beside its range as they are.
 * Threads: one owner writes, with plain read-modify-write; markers read the bits of published
 * objects beside it, which these writes do not change. So loads and stores are relaxed atomics, and
 * the order comes from the publication of the object [inv.alloc.publish]. */
#ifndef TRI__LAYOUT_HEAP_BITS_H
#define TRI__LAYOUT_HEAP_BITS_H

#include <stddef.h>

#include "base/atomic.h"
#include "layout/bits.h"
#include "layout/type.h"

/* The bits of `words` words, 1 to 64, from first_word on. */
static inline uint64_t tri__heap_bits_read(const uint64_t *bits, size_t first_word, unsigned words)
{
    unsigned shift = (unsigned)(first_word % 64);
    uint64_t mask = tri__load_relaxed(&bits[first_word / 64]) >> shift;

    if (shift + words > 64)
        mask |= tri__load_relaxed(&bits[first_word / 64 + 1]) << (64 - shift);
    return mask & tri__low_bits(words);
}

/* Sets the bits of `words` words, 1 to 64, to the low bits of mask. Owner only. */
void tri__heap_bits_write(uint64_t *bits, size_t first_word, unsigned words, uint64_t mask);

/* Sets the bits of `slots` slots of slot_words words, 1 to 64, each to mask. Owner only. */
void tri__heap_bits_fill(uint64_t *bits, size_t first_word, unsigned slot_words, size_t slots,
                         uint64_t mask);

/* The mask of an object of up to TRI__BITMAP_BYTES that holds `bytes` bytes of `type`: elements
 * side by side, or the fixed part and its tail. What is left of the slot has no bits. */
uint64_t tri__type_object_mask(const tri_type *type, size_t bytes);

#endif
