/* SPDX-License-Identifier: MIT */
/* GC programs: are they sound, what do they describe, and the mask they stand for. The encoding is
 * that of tricolor/gc_program.h.
 *
 * All but the check rely on a program that has passed it.
 * Threads: any; programs are constant. */
#ifndef TRI__LAYOUT_GC_PROGRAM_H
#define TRI__LAYOUT_GC_PROGRAM_H

#include <stdbool.h>

#include <tricolor/gc_program.h>

/* What a program describes. */
struct tri__gc_extent {
    size_t words;
    size_t pointer_end; /* the word behind the last pointer; 0: there is none */
};

/* The message for a program that is malformed or describes more than an address can name; else NULL
 * and *extent. Takes time in proportion to the program's length, not to its counts. */
const char *tri__gc_program_check(const tri_gc_program *program, struct tri__gc_extent *extent);

/* Writes the first `words` bits to `mask`, which has room for them in whole 64-bit words; the last
 * one's other bits become 0. The program describes at least as many. */
void tri__gc_program_unroll(const tri_gc_program *program, uint64_t *mask, size_t words);

/* One bit, without any memory, by following the repetitions back to the literal it comes from:
 * slow. */
bool tri__gc_program_bit(const tri_gc_program *program, size_t word);

#endif
