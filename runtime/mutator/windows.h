/* SPDX-License-Identifier: MIT */
/* Which addresses of the program's code are inside a window (tricolor/window.h).
 *
 * Threads: constructors and destructors of executables and shared objects write, signal handlers
 * read. A reader takes no lock, allocates nothing and waits for nobody. */
#ifndef TRI__MUTATOR_WINDOWS_H
#define TRI__MUTATOR_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>

/* Around all looks of one handler, and its answer: meanwhile nothing that it may find is unmapped, and
 * no fork takes the locks that it may wait for. false: one has, so the handler must not answer; it
 * may have interrupted malloc, whose locks the fork waits for [inv.fork.locks]. */
bool tri__windows_begin_reading(void);
void tri__windows_end_reading(void);

/* The first instruction of the window that the thread is inside of at `pc`: behind the first, and
 * not behind the store. 0: of none. Between begin and end. */
uintptr_t tri__window_around(uintptr_t pc);

/* Why the table is not complete, so that nobody must be asked by a signal; NULL: it is. */
const char *tri__windows_trouble(void);

/* The table of a module's windows behind `address`, the lowest of those there are; NULL: none. */
const void *tri__windows_next_module(const void *address);

/* Around a fork: returns when no handler is reading; none will before it is over. In the child nobody
 * is. */
void tri__windows_before_fork(void);
void tri__windows_after_fork(bool child);

#endif
