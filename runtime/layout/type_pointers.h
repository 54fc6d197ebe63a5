/* SPDX-License-Identifier: MIT */
/* The type-pointers iterator: the addresses of the pointer words of an object, or of any range of
 * whole words in it.
 *
 *     struct tri__type_pointers it = tri__type_pointers_of(address, bytes);
 *     while ((slot = tri__type_pointers_next(&it)) != 0)
 *         visit(tri__load_relaxed((void **)slot));
 *
 * heap/object.h begins iterators over objects: _of(address, bytes); _of_range and _of_ref when the
 * object is resolved already; _of_unchecked(base). Those that ask no heap are here: _of_type for
 * values of a known type, wherever they lie, and _of_bits.
 *
 * It holds 64 words' bits at a time and moves on by whole windows. A window of a type of up to 512
 * bytes is as many elements as fit in 64 words, and looks the same at each place, so that an array
 * of pointers costs one step in 64 of them. A larger type is read 64 words at a time, and its
 * scalar end is skipped. The iterator reads types, never the object.
 * `limit` is where the object ends: of a slot with a type footer, the footer's address, for a
 * footer is not the collector's to visit. Elements are tiled up to there, past the length the
 * program asked for: what it did not ask for is zero.
 * Threads: an iterator belongs to one thread; any number may walk one object. */
#ifndef TRI__LAYOUT_TYPE_POINTERS_H
#define TRI__LAYOUT_TYPE_POINTERS_H

#include "layout/type.h"

struct tri__type_pointers {
    uint64_t mask;        /* bit k: the word at address + 8 k is a pointer not visited yet */
    uintptr_t address;    /* of the window that mask is about */
    uintptr_t limit;      /* no word at or past it is visited */
    uintptr_t element;    /* large type: where the element begins; small: the same as address */
    const tri_type *type; /* what follows the window; NULL: nothing */
    uint64_t pattern;     /* small type: the mask of each window */
    size_t window;        /* small type: its bytes, a multiple of the type's size. Others: 0 */
};

/* Nothing. */
static inline struct tri__type_pointers tri__type_pointers_none(void)
{
    return (struct tri__type_pointers){.mask = 0};
}

/* Up to 64 words from base on, by their bits. */
static inline struct tri__type_pointers tri__type_pointers_of_bits(uintptr_t base, uint64_t mask)
{
    return (struct tri__type_pointers){.mask = mask, .address = base, .limit = UINTPTR_MAX};
}

/* Whole values from base on: [base, limit), aligned to words, is filled with elements of type, or
 * with its fixed part and its tail. NULL is a type of no pointers. */
struct tri__type_pointers tri__type_pointers_of_type(const tri_type *type, uintptr_t base,
                                                     uintptr_t limit);

/* Leaves out the words before `from` and those at or past `to`, both aligned to words: in constant
 * time, wherever they are. */
void tri__type_pointers_fast_forward(struct tri__type_pointers *it, uintptr_t from, uintptr_t to);

/* Moves on to the next window; false at the end. A window may turn out to have no pointers. */
bool tri__type_pointers_advance_slow(struct tri__type_pointers *it);

/* The next pointer word of the window, 0 when it has no more. */
static inline uintptr_t tri__type_pointers_next_fast(struct tri__type_pointers *it)
{
    unsigned bit;

    if (it->mask == 0)
        return 0;
    bit = (unsigned)__builtin_ctzll(it->mask);
    it->mask &= it->mask - 1;
    return it->address + bit * TRI_WORD;
}

/* The next pointer word, in ascending order; 0 at the end. */
static inline uintptr_t tri__type_pointers_next(struct tri__type_pointers *it)
{
    do {
        uintptr_t slot = tri__type_pointers_next_fast(it);
        if (TRI__LIKELY(slot != 0))
            return slot;
    } while (tri__type_pointers_advance_slow(it));
    return 0;
}

#endif
