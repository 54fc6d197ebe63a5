/* SPDX-License-Identifier: MIT */
/* Asking a thread by a signal: one that runs without a safepoint, or sleeps outside TRI_BLOCKING.
 *
 * See: docs/threads.md "Signals"; [inv.window.runtime], [inv.window.inline], [inv.window.nested]. */
#ifndef TRI__MUTATOR_SIGNAL_H
#define TRI__MUTATOR_SIGNAL_H

#include "mutator/mutator.h"

/* `number`: of the signal; 0: SIGURG; -1: never one. 0, or -errno. */
int tri__signal_init(int number);

/* The signal's number for messages; 0: threads are never asked by one. */
int tri__signal_number(void);

/* Why they are not asked by one now, if they are not; or NULL. */
const char *tri__signal_trouble(void);

/* May threads be asked by a signal now? Says once why not, if that has changed. Collector. */
bool tri__signal_is_usable(void);

/* Interrupts the mutator's thread, wherever it is. It answers if it can, and puts it off if it
 * cannot; a signal that is on its way already is not sent twice. Collector, under RCU. */
void tri__signal_send(struct tri__mutator *mutator);

/* Ends the program: the thread has ended, and is waited for. */
_Noreturn void tri__signal_thread_ended(uint32_t tid);

/* Ends the program if the mutator is asked and its thread is no more. Collector, under RCU. */
void tri__signal_check_alive(const struct tri__mutator *mutator);

#endif
