/* SPDX-License-Identifier: MIT */
/* What verification looks at in the program's every use of the heap (TRICOLOR_VERIFY=barrier,
 * =clobber and =blocking).
 *
 * While something is watched no thread's barrier is idle, and no run carries a tag that equals a
 * type's: so inline stores and allocations take their slow halves, which look here. Nothing is
 * added to the inline ones [inv.verify.watched]. Threads: written by tri_init and tri_shutdown
 * only. */
#ifndef TRI__HEAP_WATCH_H
#define TRI__HEAP_WATCH_H

#include "heap/heap.h"

#define TRI__WATCH_OBJECTS UINT32_C(1) /* clobber: what is stored, and where to */
#define TRI__WATCH_USES UINT32_C(2)    /* blocking: where the heap is used from */
#define TRI__WATCH_TOLD UINT32_C(4)    /* barrier: who tells of stores, and when (heap/told.h) */

extern uint32_t tri__watched; /* bits of the above */

/* What a thread's barrier byte is while no mark is running for it. */
static inline uint8_t tri__barrier_at_rest(void)
{
    return TRI__LIKELY(tri__watched == 0) ? TRI__BARRIER_IDLE : TRI__BARRIER_WATCHED;
}

static inline bool tri__barrier_is_at_rest(uint8_t barrier)
{
    return barrier == TRI__BARRIER_IDLE || barrier == TRI__BARRIER_WATCHED;
}

static inline char tri__watch_use(const char *call, const void *caller)
{
    if (TRI__UNLIKELY((tri__watched & TRI__WATCH_USES) != 0))
        tri__heap.hooks.used(call, caller);
    return 0;
}

/* In public functions that use the heap, behind TRI__IN_RUNTIME; `call` is what the program has
 * called. */
#define TRI__USES_HEAP(call)                                                                       \
    const char tri__uses_heap __attribute__((unused)) =                                            \
        tri__watch_use((call), __builtin_return_address(0))

#endif
