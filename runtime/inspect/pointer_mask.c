/* SPDX-License-Identifier: MIT */
/* tri_pointer_mask: which words the collector reads, by the iterator it walks them with.
 *
 * Threads: any; RCU while the table of roots is looked at, else no locks. No safepoint, so that the
 * object cannot go away under the walk: the thread holds p, and no cycle ends without its answer.
 */
#include <tricolor/inspect.h>

#include <string.h>

#include "heap/object.h"
#include "base/entry.h"
#include "mutator/roots.h"

/* A byte array that may be too short for what is written to it. */
struct mask {
    uint8_t *bytes;
    size_t room;
    size_t words; /* written, or left out for lack of room */
};

/* Sets word `word` to 1, and those between it and the last one to 0. */
static void put_pointer(struct mask *mask, size_t word)
{
    if (mask->words < mask->room)
        memset(mask->bytes + mask->words, 0, (word < mask->room ? word : mask->room) - mask->words);
    if (word < mask->room)
        mask->bytes[word] = 1;
    mask->words = word + 1;
}

static void put_all(struct mask *mask, struct tri__type_pointers it, uintptr_t base)
{
    uintptr_t slot;

    while ((slot = tri__type_pointers_next(&it)) != 0)
        put_pointer(mask, (slot - base) / TRI_WORD);
}

size_t tri_pointer_mask(const void *p, uint8_t *mask, size_t max)
{
    TRI__IN_RUNTIME;
    struct mask out = {.bytes = mask, .room = max};
    struct tri__type_pointers it;
    struct tri__ref ref;
    uintptr_t base;

    if (tri__resolve((uintptr_t)p, &ref))
        put_all(&out, tri__type_pointers_of_ref(&ref), ref.base);
    else if (tri__root_pointers_around((uintptr_t)p, &base, &it))
        put_all(&out, it, base);
    /* Up to here p is in a register or on the stack, where a scan finds it. */
    __asm__ volatile("" : : "r"(p) : "memory");
    return out.words;
}
