/* SPDX-License-Identifier: MIT */
/* The courier: a thread that does nothing but carry handshakes.
 *
 * It uses next to no processor time, so the scheduler lets it run at once when it is woken, also
 * where more threads want to run than there are processors. The coordinator, which marks and sweeps,
 * is one of those: when it carried them itself, each handshake waited for its next turn, some
 * milliseconds (docs/performance.md).
 * Threads: the coordinator calls; the courier is its own. */
#ifndef TRI__COLLECTOR_COURIER_H
#define TRI__COLLECTOR_COURIER_H

#include "mutator/handshake.h"

int tri__courier_start(void); /* 0 or -errno */
void tri__courier_stop(void); /* no handshake may be under way */

/* tri__handshake(), carried by the courier; returns when it is over. */
void tri__courier_handshake(enum tri__request what, struct tri__handshake_report *report);

#endif
