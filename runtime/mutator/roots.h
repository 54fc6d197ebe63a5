/* SPDX-License-Identifier: MIT */
/* Roots outside of stacks: TRI_ROOT variables, registered ranges, handles.
 *
 * The table of ranges is sorted, never changed, and replaced by a copy under roots_lock; who reads
 * it does so under RCU. Handles live in blocks that are never freed before shutdown. Root words are
 * stored to with the barrier, so they are scanned once a cycle, while the program runs. */
#ifndef TRI__MUTATOR_ROOTS_H
#define TRI__MUTATOR_ROOTS_H

#include "barrier/buffer.h"
#include "barrier/bulk.h"
#include "layout/type_pointers.h"

/* Gives `take` what every root holds, NULL left out. Any thread. */
void tri__roots_scan(tri__buffer_take *take, void *argument);
void tri__handles_scan(tri__buffer_take *take, void *argument);

/* The addresses of their words, NULL or not. Any thread; only for looking. */
void tri__roots_each_slot(void (*visit)(uintptr_t slot, void *argument), void *argument);
void tri__handles_each_slot(void (*visit)(uintptr_t slot, void *argument), void *argument);

/* All ranges, of modules, too. Who removes one waits meanwhile. Any thread; only for looking. */
void tri__roots_each_range(void (*visit)(const struct tri__root_range *range, void *argument),
                           void *argument);

/* For bulk barriers: see tri__find_root. Any thread. */
bool tri__root_find(uintptr_t from, uintptr_t to, struct tri__root_range *found);

/* All pointer words of the range that holds `address`, and where it begins. false: none does. */
bool tri__root_pointers_around(uintptr_t address, uintptr_t *base, struct tri__type_pointers *it);

/* The TRI_ROOT variables of a module behind `address`, the lowest of those there are; NULL: none. */
const void *tri__roots_next_module(const void *address);

/* At shutdown: registered ranges and handles are forgotten; TRI_ROOT
 * variables stay, and are cleared. */
void tri__roots_release(void);
void tri__handles_release(void);

/* Around a fork: the table is not being changed. */
void tri__roots_before_fork(void);
void tri__roots_after_fork(void);

#endif
