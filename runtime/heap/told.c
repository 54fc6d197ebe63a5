/* SPDX-License-Identifier: MIT */
/* A table of stores. Locks: one in each entry, which is only tried. */
#include "heap/told.h"

#include <string.h>

#include "heap/resolve.h"

#define ENTRY_BITS 11
#define WORDS_MOST 64u /* of a range outside of the heap */

static struct {
    uint32_t locked; /* atomic */
    uintptr_t owner; /* 0: empty */
    struct tri__told told;
} entries[1u << ENTRY_BITS];

static uint32_t mark; /* atomic; written by the coordinator */

/* Values of arenas are known by their words only. */
static bool find_object(uintptr_t slot, struct tri__ref *ref)
{
    return tri__locate(slot, ref) && ref->span_class != TRI__ARENA_SPAN;
}

static uintptr_t owner_of(uintptr_t slot)
{
    struct tri__ref ref;

    return find_object(slot, &ref) ? ref.base : slot;
}

static size_t index_of(uintptr_t owner)
{
    return (size_t)(owner / TRI_WORD * UINT64_C(0x9e3779b97f4a7c15) >> (64 - ENTRY_BITS));
}

static bool try_lock(uint32_t *locked)
{
    return tri__load_relaxed(locked) == 0 && tri__exchange_acquire(locked, 1) == 0;
}

static void unlock(uint32_t *locked)
{
    tri__store_release(locked, 0); /* rel -> acq in try_lock() */
}

static void note(uintptr_t owner, const struct tri__told *told)
{
    size_t i = index_of(owner);

    if (!try_lock(&entries[i].locked))
        return;
    entries[i].owner = owner;
    entries[i].told = *told;
    unlock(&entries[i].locked);
}

void tri__told_note(uintptr_t slot, size_t bytes, uintptr_t value)
{
    struct tri__told told = {.slot = slot, .bytes = bytes, .value = value};
    struct tri__ref ref;
    bool is_object = find_object(slot, &ref);
    uintptr_t owner = is_object ? ref.base : slot;
    size_t words = is_object ? 1 : bytes / TRI_WORD;

    told.thread = tri__heap.hooks.thread_number();
    told.mark = tri__told_mark();
    told.barrier = tri__self->barrier;
    for (size_t i = 0; i < words && i < WORDS_MOST; i++)
        note(owner + i * TRI_WORD, &told);
}

bool tri__told_last(uintptr_t slot, struct tri__told *told)
{
    uintptr_t owner = owner_of(slot);
    size_t i = index_of(owner);
    bool found;

    if (!try_lock(&entries[i].locked))
        return false;
    found = entries[i].owner == owner;
    if (found)
        *told = entries[i].told;
    unlock(&entries[i].locked);
    return found;
}

void tri__told_mark_begins(void)
{
    tri__store_relaxed(&mark, mark + 1);
}

uint32_t tri__told_mark(void)
{
    return tri__load_relaxed(&mark);
}

void tri__told_reset(void)
{
    memset(entries, 0, sizeof entries);
}
