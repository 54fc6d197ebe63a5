/* SPDX-License-Identifier: MIT */
/* The watchdog: names threads that keep a handshake waiting for too long, and says what they do.
 *
 * It only looks and writes: the handshake goes on waiting, and the program goes on running.
 * Threads: whoever waits for the answers of a handshake, of which there is one at a time.
 * See: docs/threads.md "The watchdog". */
#ifndef TRI__MUTATOR_WATCHDOG_H
#define TRI__MUTATOR_WATCHDOG_H

#include "mutator/mutator.h"

struct tri__options;

void tri__watchdog_init(const struct tri__options *options);

/* When one that began at `start` is to be reported first; UINT64_MAX: never. */
uint64_t tri__watchdog_first(uint64_t start);

/* Reports the threads that have been asked and have not answered. Returns when to report again: when
 * they have waited twice as long. */
uint64_t tri__watchdog_report(enum tri__request what, uint64_t start, uint64_t now);

#endif
