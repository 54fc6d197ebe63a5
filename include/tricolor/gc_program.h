/* SPDX-License-Identifier: MIT */
/* tricolor/gc_program.h: GC programs, which describe the words of a large type in few bytes.
 *
 * A program writes the type's mask from its first word on: a bit a word, 1 for a pointer. It is a
 * sequence of steps, each of which begins with a number, its head:
 *
 *     head         followed by         what it writes
 *     2 n          ceil(n / 8) bytes   n bits, given in those bytes, low bit first; n is at least
 *                                      1, and the last byte's bits past the n-th are 0
 *     2 n + 1      a number c          the n bits written last, c times more; n and c at least 1
 *     0            nothing             the end; nothing follows
 *
 * A number is a sequence of groups of 7 bits, a group a byte, the low group first; each byte but
 * the last has its top bit set. So steps of up to 63 bits have a head of one byte, and one rule
 * reads heads and counts alike.
 *
 * A program writes exactly size / TRI_WORD bits: trailing scalars are written, too, by repeating a
 * zero bit. A struct of a pointer and 999 scalars, 500 times:
 *
 *     static const uint8_t code[] = {
 *         TRI_GC_LITERAL(2), 0x01,           // 1 0
 *         TRI_GC_REPEAT(1), 0xe6, 0x07,      // the 0, 998 times more: 998 is 0x66 + 7 * 128
 *         0xd1, 0x0f, 0xf3, 0x03,            // the last 1000 bits (head 2001), 499 times more
 *         TRI_GC_END,
 *     };
 *
 * Only what a program says counts, never how it says it: the collector turns it into a mask before
 * the first object of its type is allocated. */
#ifndef TRICOLOR_GC_PROGRAM_H
#define TRICOLOR_GC_PROGRAM_H

#include <tricolor/base.h>

/* Heads, for n up to 63. */
#define TRI_GC_LITERAL(n) ((uint8_t)(2 * (n)))
#define TRI_GC_REPEAT(n) ((uint8_t)(2 * (n) + 1))
#define TRI_GC_END ((uint8_t)0)

typedef struct tri_gc_program {
    const uint8_t *code;
    size_t bytes; /* of code, the end included */
} tri_gc_program;

#endif
