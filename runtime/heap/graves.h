/* SPDX-License-Identifier: MIT */
/* Graves: what objects were that have been swept, or given up with tri_free(); and what is left in
 * their slots.
 *
 * With TRICOLOR_VERIFY=clobber a slot that has been swept is filled with words that name it: no
 * user address has their upper bits, so who follows one faults, and who stores one is told. Under
 * AddressSanitizer it is poisoned instead. Memory is zeroed, as ever, when it is handed out again.
 *
 * Owns: an entry for each unit of the heap, at an object's first byte. An object that lives has
 * none of its own until it is given up; its sweep replaces that. Threads: an entry is written by
 * the sweeper of its span, and by who gives its object up; anybody looks. */
#ifndef TRI__HEAP_GRAVES_H
#define TRI__HEAP_GRAVES_H

#include "heap/object.h"
#include "heap/type_notes.h"

extern uintptr_t *tri__graves; /* NULL: none are kept; atomic entries */

/* 0 or -ENOMEM. Before the first allocation; given back by tri__graves_release(), while the heap's
 * range is still there. */
int tri__graves_init(void);
void tri__graves_release(void);

static inline bool tri__graves_are_kept(void)
{
    return TRI__UNLIKELY(tri__graves != NULL);
}

/* Around the sweep of a span: what will be free is noted before, what is free is filled after. So
 * that nobody ever finds an object that is not free filled, whenever a fork comes. Owner. */
void tri__graves_note(const struct tri__span *span);
void tri__graves_fill(const struct tri__span *span);

/* The memory is about to be used again. */
void tri__graves_open_slow(uintptr_t base, size_t bytes);

static inline void tri__graves_open(uintptr_t base, size_t bytes)
{
    if (tri__graves_are_kept())
        tri__graves_open_slow(base, bytes);
}

/* ---- swept ---- */

/* Is the word one that slots are filled with? *base gets the slot's address. */
bool tri__grave_is_pattern(uintptr_t word, uintptr_t *base);

/* The address lies in a slot that is free now, or in memory without slots where an object began,
 * and there was an object: *base gets where it began. Right of any address that a correct program
 * may hold: its object is not free. */
bool tri__grave_at(uintptr_t address, uintptr_t *base);

/* What was there that was swept or given up last: for messages. */
const char *tri__grave_name(uintptr_t base);

/* What an object is that was not: its entry tells of the one before it. */
const char *tri__living_name(const struct tri__ref *ref);

/* ---- given up ---- */

/* false: it is already. */
bool tri__grave_give_up(const struct tri__ref *ref);

bool tri__is_given_up(uintptr_t base);

/* Coordinator: a mark begins. */
void tri__graves_mark_begins(void);

/* Before the last mark began: all stores that came before the promise are seen by who has settled
 * H1. */
bool tri__was_given_up(uintptr_t base);

/* Any, ever? */
bool tri__graves_were_given_up(void);

#endif
