/* SPDX-License-Identifier: MIT */
/* The slow halves of single-word stores: a mark is running for this thread, or
 * the thread is not attached yet.
 *
 * Hybrid barrier: the old value, whose last path from the heap may be the one this store
 * cuts, and the new value, which a stack not scanned yet may be the only one to hold, are
 * both shaded, before the store [inv.barrier.hybrid]. From the test of the barrier byte to
 * the store there is no safepoint, so the collector cannot change phase for this thread in
 * between [inv.barrier.window]; and no stack is scanned before every store is over that began
 * while some thread's barrier was still off [inv.barrier.armed]. */
#include <tricolor/barrier.h>

#include "barrier/buffer.h"
#include "barrier/watch.h"
#include "base/entry.h"

void tri__store_slow(void *slot, uintptr_t value)
{
    TRI__IN_RUNTIME;
    struct tri__writer *writer = tri__shading_writer();
    uintptr_t *word = slot;

    tri__watch_store("tri_store", slot, value, __builtin_return_address(0));
    if (writer != NULL) {
        tri__shade_old(writer, tri__load_relaxed(word));
        tri__shade_new(writer, value);
    }
    tri__store_release(word, value); /* serves tri_store and tri_store_release; free on x86-64 */
}

uintptr_t tri__exchange_slow(void *slot, uintptr_t value)
{
    TRI__IN_RUNTIME;
    struct tri__writer *writer = tri__shading_writer();
    uintptr_t old;

    tri__watch_store("tri_exchange", slot, value, __builtin_return_address(0));
    old = tri__exchange_acqrel((uintptr_t *)slot, value);
    if (writer != NULL) {
        tri__shade_old(writer, old);
        tri__shade_new(writer, value);
    }
    return old;
}

bool tri__compare_exchange_slow(void *slot, void *expected, uintptr_t desired)
{
    TRI__IN_RUNTIME;
    struct tri__writer *writer = tri__shading_writer();
    uintptr_t *word = slot, *found = expected;
    uintptr_t old = *found;

    tri__watch_try("tri_compare_exchange", slot, desired, __builtin_return_address(0));
    if (!tri__cas_acqrel(word, found, desired))
        return false;
    tri__watch_told(slot, desired);
    if (writer != NULL) {
        tri__shade_old(writer, old);
        tri__shade_new(writer, desired);
    }
    return true;
}
