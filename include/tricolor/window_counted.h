/* SPDX-License-Identifier: MIT */
/* tricolor/window_counted.h: windows in C, for machines without assembler here and for sanitizers.
 *
 * Not an interface; included by window.h, which says what a window is. */
#ifndef TRICOLOR_WINDOW_COUNTED_H
#define TRICOLOR_WINDOW_COUNTED_H

#include <tricolor/window.h>

#ifdef TRI__WINDOWS_COUNTED

TRI_BEGIN_DECLS

/* *slot = value, a release, and true; false, and nothing done, if a mark is running. */
static inline bool tri__store_fast(void *slot, uintptr_t value)
{
    bool idle;

    tri__window_open();
    idle = tri__self->barrier == TRI__BARRIER_IDLE;
    if (idle)
        __atomic_store_n((tri__word *)slot, value, __ATOMIC_RELEASE);
    tri__window_close();
    return idle;
}

/* The same with what was there. */
static inline bool tri__exchange_fast(void *slot, uintptr_t value, uintptr_t *old)
{
    bool idle;

    tri__window_open();
    idle = tri__self->barrier == TRI__BARRIER_IDLE;
    if (idle)
        *old = __atomic_exchange_n((tri__word *)slot, value, __ATOMIC_ACQ_REL);
    tri__window_close();
    return idle;
}

/* The same if it equals `expected`: *found is what was there. */
static inline bool tri__compare_exchange_fast(void *slot, uintptr_t expected, uintptr_t desired,
                                              uintptr_t *found)
{
    uintptr_t seen = expected;
    bool idle;

    tri__window_open();
    idle = tri__self->barrier == TRI__BARRIER_IDLE;
    if (idle)
        (void)__atomic_compare_exchange_n((tri__word *)slot, &seen, desired, false,
                                          __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    tri__window_close();
    *found = seen;
    return idle;
}

/* The next slot of the run, of `bytes`, and true; false if there is none or it has another tag. */
static inline bool tri__bump_fast(struct tri__run *run, size_t bytes, const void *tag,
                                  uintptr_t *object)
{
    uintptr_t next;
    bool taken;

    tri__window_open();
    *object = run->current;
    next = run->current + bytes;
    taken = next <= run->end && run->tag == tag;
    if (taken)
        run->current = next;
    tri__window_close();
    return taken;
}

TRI_END_DECLS
#endif

#endif
