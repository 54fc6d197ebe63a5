/* SPDX-License-Identifier: MIT */
/* Conservative scan of a stack: a filter, not a mark. Every aligned word that lies in the heap's
 * range goes into the mutator's barrier buffer, and the markers find out what it points to; so a
 * scan costs a compare a word, and no lock. */
#ifndef TRI__MUTATOR_STACK_H
#define TRI__MUTATOR_STACK_H

#include "mutator/mutator.h"

/* Is the calling thread on the stack that it is known to be on? The message if it must be. */
bool tri__stack_is_own(const struct tri__mutator *self);
_Noreturn void tri__stack_is_foreign(const struct tri__mutator *self, const char *what);

/* To be called before the thread waits for a cycle, which may wait for the thread: it can do that in
 * TRI_BLOCKING only, and on a stack that nobody knows there is none [inv.stack.foreign]. */
void tri__stack_must_be_own(const char *what);

/* Shades what the calling thread's stack and registers hold. */
void tri__stack_scan_own(struct tri__mutator *self);

/* Keeps what lies at and just above `low`, the frame of a function that is about to return, for a
 * later scan. Nothing at or above `high` is read. */
void tri__stack_save(struct tri__registers *registers, uintptr_t low, uintptr_t high);

/* Gives every word of [low, high) that lies in the heap's range to `take`. */
void tri__stack_words(uintptr_t low, uintptr_t high, tri__buffer_take *take, void *argument);

/* The lowest place in [low, high) that holds `word`, or 0. */
uintptr_t tri__stack_find(uintptr_t low, uintptr_t high, uintptr_t word);

/* Is there a word in [low, high) that `matches`? */
bool tri__stack_has(uintptr_t low, uintptr_t high, bool (*matches)(uintptr_t word));

/* One word, whatever frame it lies in. */
uintptr_t tri__stack_word(uintptr_t address);
void tri__stack_change(uintptr_t address, uintptr_t word);

/* Such a `take`: shades a word for a mutator. Whoever acts for it. */
void tri__stack_shade(uintptr_t word, void *mutator);

/* Shades what a claimed mutator's stack and registers held when it
 * entered TRI_BLOCKING. Collector. */
void tri__stack_scan_claimed(struct tri__mutator *mutator);

#endif
