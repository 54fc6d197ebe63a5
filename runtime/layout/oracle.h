/* SPDX-License-Identifier: MIT */
/* The layout oracle: which words are pointers, by the definition and nothing clever, to hold the
 * iterator and the heap bitmaps against. For tests and debug builds; slow. */
#ifndef TRI__LAYOUT_ORACLE_H
#define TRI__LAYOUT_ORACLE_H

#include "layout/type_pointers.h"

/* Is word `word` of an object filled with elements of type a pointer? */
bool tri__layout_oracle(const tri_type *type, size_t word);

/* Walks `it` and returns the first word of [from, to) that it and the oracle, for an object of type
 * at base, disagree about, or a word outside that it visits; 0 if there is none. */
uintptr_t tri__layout_oracle_compare(struct tri__type_pointers it, const tri_type *type,
                                     uintptr_t base, uintptr_t from, uintptr_t to);

#endif
