/* SPDX-License-Identifier: MIT */
/* The bit-run cursor. The pending word always has room for a bit: a full one is stored at once. */
#include "layout/bit_cursor.h"

void tri__bit_cursor_flush(struct tri__bit_cursor *cursor)
{
    uint64_t field = tri__low_bits(cursor->high) & ~tri__low_bits(cursor->low);

    /* Nothing pending: the word may lie behind the bitmap's end. */
    if (field == 0)
        return;
    tri__store_relaxed(cursor->word,
                       (tri__load_relaxed(cursor->word) & ~field) | cursor->pending);
    cursor->pending = 0;
    cursor->low = cursor->high;
}

/* Stores the pending word, written up to its end, and goes to the next one. */
static void finish_word(struct tri__bit_cursor *cursor)
{
    uint64_t below = tri__low_bits(cursor->low);

    if (below != 0)
        cursor->pending |= tri__load_relaxed(cursor->word) & below;
    tri__store_relaxed(cursor->word, cursor->pending);
    cursor->word++;
    cursor->pending = 0;
    cursor->low = 0;
    cursor->high = 0;
}

void tri__bit_cursor_write(struct tri__bit_cursor *cursor, uint64_t mask, unsigned n)
{
    unsigned room = 64 - cursor->high;

    mask &= tri__low_bits(n);
    cursor->pending |= mask << cursor->high;
    if (n < room) {
        cursor->high += n;
        return;
    }
    finish_word(cursor);
    if (n > room) {
        cursor->pending = mask >> room;
        cursor->high = n - room;
    }
}

void tri__bit_cursor_copy(struct tri__bit_cursor *cursor, const uint64_t *mask, size_t n)
{
    for (; n >= 64; n -= 64)
        tri__bit_cursor_write(cursor, *mask++, 64);
    if (n != 0)
        tri__bit_cursor_write(cursor, *mask, (unsigned)n);
}

void tri__bit_cursor_pad(struct tri__bit_cursor *cursor, size_t n)
{
    unsigned room = 64 - cursor->high;

    if (n < room) {
        cursor->high += (unsigned)n;
        return;
    }
    finish_word(cursor);
    for (n -= room; n >= 64; n -= 64)
        tri__store_relaxed(cursor->word++, 0);
    cursor->high = (unsigned)n;
}
