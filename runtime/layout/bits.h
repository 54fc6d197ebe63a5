/* SPDX-License-Identifier: MIT */
/* Masks of up to 64 words, one bit a word, without a shift by 64 (which C does not define). */
#ifndef TRI__LAYOUT_BITS_H
#define TRI__LAYOUT_BITS_H

#include <stdint.h>

/* The low n bits, n up to 64. */
static inline uint64_t tri__low_bits(unsigned n)
{
    return n == 0 ? 0 : ~UINT64_C(0) >> (64 - n);
}

/* How many low bits there are up to the highest 1; 0: there is none. */
static inline unsigned tri__mask_length(uint64_t mask)
{
    return mask == 0 ? 0 : 64 - (unsigned)__builtin_clzll(mask);
}

/* The low `unit` bits of mask (it has no others), repeated to fill the low `bits` bits. unit is at
 * least 1; the last repetition may be cut. */
static inline uint64_t tri__tile_bits(uint64_t mask, unsigned unit, unsigned bits)
{
    for (unsigned covered = unit; covered < bits; covered *= 2)
        mask |= mask << covered;
    return mask & tri__low_bits(bits);
}

#endif
