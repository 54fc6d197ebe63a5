/* SPDX-License-Identifier: MIT */
/* tests/naive_gc_program.h: GC programs decoded by the letter of tricolor/gc_program.h, a byte a word
 * and a step after the other, to hold the library's decoder against. */
#ifndef TRI__TESTS_NAIVE_GC_PROGRAM_H
#define TRI__TESTS_NAIVE_GC_PROGRAM_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <tricolor/gc_program.h>

enum naive_result {
    NAIVE_GOOD,
    NAIVE_MALFORMED,
    NAIVE_TOO_LONG, /* more words than there is room for: not decided */
};

struct naive_program {
    unsigned char *words; /* 1: a pointer */
    size_t count, room;
};

/* At most 10 groups of 7 bits; false: not even a number. */
static inline bool naive_number(const tri_gc_program *program, size_t *at, unsigned __int128 *number)
{
    *number = 0;
    for (int group = 0; group < 10; group++) {
        if (*at >= program->bytes)
            return false;
        *number += (unsigned __int128)(program->code[*at] % 128) << (7 * group);
        if (program->code[(*at)++] < 128)
            return *number <= UINT64_MAX;
    }
    return false;
}

static inline enum naive_result naive_literal(const tri_gc_program *program, size_t *at,
                                              uint64_t bits, struct naive_program *out)
{
    uint64_t left = program->bytes - *at;

    if (bits / 8 > left || (bits / 8 == left && bits % 8 != 0))
        return NAIVE_MALFORMED;
    for (uint64_t k = 0; k < (bits + 7) / 8 * 8; k++) {
        bool bit = program->code[*at + k / 8] >> k % 8 & 1;

        if (k >= bits && bit)
            return NAIVE_MALFORMED;
        if (k < bits && out->count < out->room)
            out->words[out->count] = bit;
        out->count += k < bits && out->count <= out->room;
    }
    *at += (bits + 7) / 8;
    return out->count > out->room ? NAIVE_TOO_LONG : NAIVE_GOOD;
}

static inline enum naive_result naive_repetition(const tri_gc_program *program, size_t *at,
                                                 uint64_t bits, struct naive_program *out)
{
    unsigned __int128 times, total;

    if (!naive_number(program, at, &times) || bits == 0 || times == 0 || bits > out->count)
        return NAIVE_MALFORMED;
    total = bits * times; /* less than 2^127 */
    if (total > out->room - out->count)
        return out->count + total > UINT64_MAX / TRI_WORD ? NAIVE_MALFORMED : NAIVE_TOO_LONG;
    for (size_t k = 0; k < (size_t)total; k++)
        out->words[out->count + k] = out->words[out->count + k - bits];
    out->count += (size_t)total;
    return NAIVE_GOOD;
}

/* out has `words` and `room`. */
static inline enum naive_result naive_decode(const tri_gc_program *program,
                                             struct naive_program *out)
{
    enum naive_result result = NAIVE_GOOD;
    size_t at = 0;

    out->count = 0;
    while (result == NAIVE_GOOD) {
        unsigned __int128 head;

        if (!naive_number(program, &at, &head))
            return NAIVE_MALFORMED;
        if (head == 0)
            return at == program->bytes ? NAIVE_GOOD : NAIVE_MALFORMED;
        result = head % 2 != 0 ? naive_repetition(program, &at, (uint64_t)(head / 2), out)
                               : naive_literal(program, &at, (uint64_t)(head / 2), out);
    }
    return result;
}

/* The word behind the last pointer. */
static inline size_t naive_pointer_end(const struct naive_program *program)
{
    size_t end = program->count;

    while (end > 0 && !program->words[end - 1])
        end--;
    return end;
}

#endif
