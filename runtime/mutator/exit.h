/* SPDX-License-Identifier: MIT */
/* Shared objects whose variables or code the library knows, when the process ends.
 *
 * exit() runs destructors of all shared objects, while other threads run on, and cycles with them: so
 * from then on nothing is taken out of the tables. Then nothing that is in them may be unloaded
 * either: who calls dlclose() in a function for atexit() does not get that [inv.exit.modules]. */
#ifndef TRI__MUTATOR_EXIT_H
#define TRI__MUTATOR_EXIT_H

#include <stdbool.h>
#include <stdint.h>

/* The program begins to use the library. 0 or -ENOMEM. */
int tri__exit_init(void);

/* Shared objects leave the tables no more: those that are in them are kept loaded. Any thread. */
bool tri__exit_has_begun(void);

/* Must what lies at the address stay in its table, though its destructors run? Any thread. */
bool tri__exit_keeps_entry(const void *address);

/* In a child of fork(). Safe where only what is safe in a signal handler is. */
void tri__exit_after_fork(void);

/* What lies at the address has entered a table. Any thread, without a lock of ours. */
void tri__exit_note_entry(const void *address);

#endif
