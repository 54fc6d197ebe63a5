/* SPDX-License-Identifier: MIT */
/* The inspect floor's own business: the trace, and summaries of delays. */
#ifndef TRI__INSPECT_INSPECT_H
#define TRI__INSPECT_INSPECT_H

#include "base/config.h"
#include "base/histogram.h"
#include "collector/cycle.h"

#include <tricolor/inspect.h>

/* Takes over where lines go and whether there are any. */
void tri__trace_init(const struct tri__options *options);

/* One line a cycle, when asked for (TRICOLOR_TRACE=gc). Coordinator. */
void tri__trace_cycle(const struct tri__cycle_report *report);

/* Takes over where tri_heap_check() reports to. */
void tri__heap_check_init(const struct tri__options *options);

void tri__delay_summary(tri_delay *delay, const struct tri__histogram *histogram);

#endif
