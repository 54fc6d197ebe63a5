/* SPDX-License-Identifier: MIT */
/* What verification looks at when a heap pointer is stored: where to, what, and over what
 * (heap/watch.h). Fatal, with a message, if one of them is no object any more; and who tells of the
 * store is remembered. Threads: any; the caller has not stored yet. See: docs/verify-clobber.md,
 * docs/verify-blocking.md. */
#ifndef TRI__BARRIER_WATCH_H
#define TRI__BARRIER_WATCH_H

#include "barrier/range.h"
#include "heap/told.h"
#include "heap/watch.h"

void tri__watch_try_slow(const char *call, uintptr_t slot, uintptr_t value, const void *caller);

/* The same for each pointer of a range that is about to be moved or cleared. */
void tri__watch_range_slow(const struct tri__range *range, const void *caller);

/* Only looks: the store may not come about. If it has, tri__watch_told() remembers it. */
static inline void tri__watch_try(const char *call, void *slot, uintptr_t value, const void *caller)
{
    if (TRI__UNLIKELY(tri__watched != 0))
        tri__watch_try_slow(call, (uintptr_t)slot, value, caller);
}

static inline void tri__watch_told(void *slot, uintptr_t value)
{
    if (TRI__UNLIKELY((tri__watched & TRI__WATCH_TOLD) != 0))
        tri__told_note((uintptr_t)slot, TRI_WORD, value);
}

static inline void tri__watch_store(const char *call, void *slot, uintptr_t value,
                                    const void *caller)
{
    tri__watch_told(slot, value);
    tri__watch_try(call, slot, value, caller);
}

static inline void tri__watch_range(const struct tri__range *range, const void *caller)
{
    if (TRI__UNLIKELY(tri__watched != 0))
        tri__watch_range_slow(range, caller);
}

#endif
