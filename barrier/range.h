/* SPDX-License-Identifier: MIT */
/* A range that is about to be written by a bulk operation: the rules it has to keep, and which of
 * its words are pointers.
 *
 * In the heap the object says so, outside of it the root that holds the range. Memory that is
 * neither has no barrier: the calling thread's stack, which is scanned as it is, and all that the
 * collector never looks at. A stack is not told from other foreign memory: neither of them would be
 * treated in another way.
 * A broken rule is fatal, with the public function's name, the range, and the object or root.
 * Threads: any; no locks; the caller keeps the object alive, or the root registered. */
#ifndef TRI__BARRIER_RANGE_H
#define TRI__BARRIER_RANGE_H

#include "barrier/bulk.h"
#include "layout/type_pointers.h"

struct tri__range {
    uintptr_t dst;
    uintptr_t src; /* 0: none, the range is about to be cleared */
    size_t bytes;  /* not 0 */
    const char *call;
};

/* The pointer words of [dst, dst + bytes), after looking at the rules that are about dst. */
struct tri__type_pointers tri__range_pointers(const struct tri__range *range);

/* The same for n whole elements of `type`: nobody is asked what lies at dst. */
struct tri__type_pointers tri__range_pointers_of_type(const struct tri__range *range,
                                                      const tri_type *type);

/* dst, src and bytes are multiples of the word. */
void tri__range_check_words(const struct tri__range *range);

/* There is a src. */
void tri__range_check_src(const struct tri__range *range);

/* All rules there are, and more than a barrier could afford: src, too, lies in one live object if
 * it lies in the heap. */
void tri__range_check_all(const struct tri__range *range);

/* As much for elements: that dst, where its layout is known, has its pointers where `type` says. */
void tri__range_check_elements(const struct tri__range *range, const tri_type *type);

/* The root that the address, which lies outside of the heap, is in. false: it is in none. */
bool tri__range_root_at(uintptr_t address, struct tri__root_range *root);

/* For a barrier that leaves the old values out: there are none. */
void tri__range_check_zero(const struct tri__range *range);

#endif
