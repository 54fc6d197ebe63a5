/* SPDX-License-Identifier: MIT */
/* Graves: noting, filling, and looking up. Locks: none. */
#include "heap/graves.h"

#include <errno.h>
#include <stdalign.h>

#include "base/fatal.h"
#include "base/os.h"
#include "heap/arena_chunk.h"
#include "heap/watch.h"

/* An entry: the type's address, whether the object was given up, and in which era: the number of
 * marks before, modulo four. */
#define GIVEN_UP UINT64_C(1)
#define ERA_SHIFT 1
#define ERA_MASK UINT64_C(6)
#define FLAGS (GIVEN_UP | ERA_MASK)
_Static_assert(alignof(tri_type) > FLAGS, "flags lie in the address of a type");

/* What slots are filled with: their own address below these bits. */
#define PATTERN_SHIFT 48
#define PATTERN UINT64_C(0xdead)

/* There in programs that run under AddressSanitizer, whether the library was built for it or not.
 */
void __asan_poison_memory_region(const volatile void *start, size_t bytes) __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void *start, size_t bytes) __attribute__((weak));

uint32_t tri__watched;
uintptr_t *tri__graves;
static uint32_t era;      /* atomic; written by the coordinator */
static bool any_given_up; /* atomic */

static size_t graves_bytes(void)
{
    return tri__heap.bytes / TRI__NOTE_UNIT * sizeof *tri__graves;
}

int tri__graves_init(void)
{
    tri__store_relaxed(&era, 0);
    tri__store_relaxed(&any_given_up, false);
    tri__graves = tri__os_map(graves_bytes());
    return tri__graves == NULL ? -ENOMEM : 0;
}

static bool has_asan(void)
{
    return __asan_poison_memory_region != NULL && __asan_unpoison_memory_region != NULL;
}

/* Whoever gets these addresses next must find them clean. */
void tri__graves_release(void)
{
    if (tri__graves == NULL)
        return;
    if (has_asan())
        __asan_unpoison_memory_region((const void *)tri__heap.base,
                                      tri__page_heap_committed(&tri__heap.pages)
                                          << TRI__PAGE_SHIFT);
    tri__os_unmap(tri__graves, graves_bytes());
    tri__graves = NULL;
}

static uintptr_t *grave_of(uintptr_t base)
{
    return &tri__graves[(base - tri__heap.base) / TRI__NOTE_UNIT];
}

static const tri_type *type_in(uintptr_t entry)
{
    return (const tri_type *)(entry & ~(uintptr_t)FLAGS);
}

/* Of bytes nothing is known but that. */
static const tri_type *type_of(const struct tri__ref *ref)
{
    const tri_type *type = tri__noted_type(ref);

    return type != NULL ? type : &tri_type_bytes;
}

/* ---- sweeping ---- */

void tri__graves_note(const struct tri__span *span)
{
    for (uint32_t slot = 0; slot < span->slots; slot++) {
        uintptr_t base = span->base + slot * span->slot_bytes;
        struct tri__ref ref;

        if (tri__load_relaxed(&span->colours[slot]) == TRI__WHITE && tri__resolve(base, &ref))
            tri__store_relaxed(grave_of(base), (uintptr_t)type_of(&ref));
    }
}

static void fill(uintptr_t base, size_t bytes)
{
    uintptr_t *words = (uintptr_t *)base;

    for (size_t i = 0; i < bytes / TRI_WORD; i++)
        words[i] = PATTERN << PATTERN_SHIFT | base;
}

void tri__graves_fill(const struct tri__span *span)
{
    for (uint32_t slot = 0; slot < span->slots; slot++) {
        uintptr_t base = span->base + slot * span->slot_bytes;

        if (tri__load_relaxed(&span->colours[slot]) != TRI__FREE)
            continue;
        if (has_asan())
            __asan_poison_memory_region((const void *)base, span->slot_bytes);
        else
            fill(base, span->slot_bytes);
    }
}

void tri__graves_open_slow(uintptr_t base, size_t bytes)
{
    if (has_asan())
        __asan_unpoison_memory_region((const void *)base, bytes);
}

/* ---- looking up ---- */

static bool has_entry(uintptr_t base)
{
    return tri__load_relaxed(grave_of(base)) != 0;
}

bool tri__grave_at(uintptr_t address, uintptr_t *base)
{
    struct tri__ref ref;

    if (!tri__in_heap(address))
        return false;
    *base = address;
    if (tri__locate(address, &ref)) {
        if (ref.span_class == TRI__ARENA_SPAN || tri__is_allocated(&ref))
            return false;
        *base = ref.base;
    } else if (tri__load_acquire(&tri__heap.page_class[tri__page_of(address)]) != TRI__NO_SPAN) {
        return false; /* behind the last slot of a span */
    }
    return has_entry(*base);
}

bool tri__grave_is_pattern(uintptr_t word, uintptr_t *base)
{
    uintptr_t address = word & ((UINT64_C(1) << PATTERN_SHIFT) - 1);
    struct tri__ref ref;

    if (TRI__LIKELY(word >> PATTERN_SHIFT != PATTERN) || !tri__in_heap(address))
        return false;
    *base = tri__locate(address, &ref) && ref.span_class != TRI__ARENA_SPAN ? ref.base : address;
    return true;
}

static const char *name_of(const tri_type *type)
{
    if (type == NULL)
        return "an object of unknown type";
    if (type == &tri_type_bytes)
        return "an object without pointers";
    return tri__type_label(type);
}

const char *tri__grave_name(uintptr_t base)
{
    return name_of(type_in(tri__load_relaxed(grave_of(base))));
}

const char *tri__living_name(const struct tri__ref *ref)
{
    return name_of(type_of(ref));
}

/* ---- given up ---- */

static uintptr_t flags_now(void)
{
    return GIVEN_UP | ((uintptr_t)tri__load_relaxed(&era) << ERA_SHIFT & ERA_MASK);
}

bool tri__grave_give_up(const struct tri__ref *ref)
{
    uintptr_t *grave = grave_of(ref->base), found = tri__load_relaxed(grave);
    uintptr_t entry = (uintptr_t)type_of(ref) | flags_now();

    tri__store_relaxed(&any_given_up, true);
    do {
        if ((found & GIVEN_UP) != 0)
            return false;
    } while (!tri__cas_relaxed(grave, &found, entry));
    return true;
}

bool tri__is_given_up(uintptr_t base)
{
    return (tri__load_relaxed(grave_of(base)) & GIVEN_UP) != 0;
}

void tri__graves_mark_begins(void)
{
    tri__store_relaxed(&era, tri__load_relaxed(&era) + 1);
}

bool tri__was_given_up(uintptr_t base)
{
    uintptr_t entry = tri__load_relaxed(grave_of(base));

    return (entry & GIVEN_UP) != 0 && (entry & FLAGS) != flags_now();
}

bool tri__graves_were_given_up(void)
{
    return tri__load_relaxed(&any_given_up);
}
