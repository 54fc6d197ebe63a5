/* SPDX-License-Identifier: MIT */
/* The layout oracle: which words are pointers, by the definition and nothing clever, to hold the
 * iterator and the heap bitmaps against. For tests and debug builds; slow. */
#ifndef TRI__LAYOUT_ORACLE_H
#define TRI__LAYOUT_ORACLE_H

#include "layout/type_pointers.h"

/* Is word `word` of an object filled with elements of type a pointer? */
bool tri__layout_oracle(const tri_type *type, size_t word);

/* Where the oracle reads a program from its beginning for each word, long objects are compared in
 * pieces of so many words: at both ends, and somewhere between. */
#define TRI__SLOW_WORDS ((size_t)4096)

static inline bool tri__oracle_is_slow(const tri_type *type)
{
    return (type->flags & TRI_TYPE_GC_PROGRAM) != 0 ||
           (type->tail != NULL && (type->tail->flags & TRI_TYPE_GC_PROGRAM) != 0);
}

/* Walks `it` and returns the first word of [from, to) that it and the oracle, for an object of type
 * at base, disagree about, or a word outside that it visits; 0 if there is none. */
uintptr_t tri__layout_oracle_compare(struct tri__type_pointers it, const tri_type *type,
                                     uintptr_t base, uintptr_t from, uintptr_t to);

#endif
