/* SPDX-License-Identifier: MIT */
/* The bit-run cursor: writes a bitmap front to back, from any bit on, in pieces of any length.
 *
 *     struct tri__bit_cursor cursor = tri__bit_cursor_at(bits, first);
 *     tri__bit_cursor_write(&cursor, mask, n);   // up to 64 bits
 *     tri__bit_cursor_pad(&cursor, words);       // so many zero bits
 *     tri__bit_cursor_flush(&cursor);            // all of that is in the bitmap now
 *
 * Bits before the first one and behind the last one keep their values, and a word of the bitmap in
 * which nothing is written is not touched at all. After a flush the cursor may go on.
 * Threads: one owner writes the bitmap; others may read bits that are not being written. Loads and
 * stores are relaxed atomics, as in heap_bits.h. */
#ifndef TRI__LAYOUT_BIT_CURSOR_H
#define TRI__LAYOUT_BIT_CURSOR_H

#include <stddef.h>

#include "base/atomic.h"
#include "layout/bits.h"

struct tri__bit_cursor {
    uint64_t *word;   /* that the next bit goes to */
    uint64_t pending; /* its bits [low, high): written, not stored yet; the others are 0 */
    unsigned low;     /* 0 to 63 */
    unsigned high;    /* low to 63 */
};

/* The next bit written is bit `first` of the bitmap. */
static inline struct tri__bit_cursor tri__bit_cursor_at(uint64_t *bits, size_t first)
{
    unsigned bit = (unsigned)(first % 64);

    return (struct tri__bit_cursor){.word = &bits[first / 64], .low = bit, .high = bit};
}

/* Writes the low n bits of mask, n up to 64. */
void tri__bit_cursor_write(struct tri__bit_cursor *cursor, uint64_t mask, unsigned n);

/* Writes n bits of the bitmap `mask`, from its first one on. Reads no word behind the last bit. */
void tri__bit_cursor_copy(struct tri__bit_cursor *cursor, const uint64_t *mask, size_t n);

/* Writes n zero bits, a word of them at a time. */
void tri__bit_cursor_pad(struct tri__bit_cursor *cursor, size_t n);

/* Stores what is pending. */
void tri__bit_cursor_flush(struct tri__bit_cursor *cursor);

#endif
