/* SPDX-License-Identifier: MIT */
/* Looking at stores, while verification watches them. Locks: none. */
#include "barrier/watch.h"

#include <stdio.h>

#include "base/fatal.h"
#include "heap/arena_chunk.h"
#include "heap/extent.h"
#include "heap/graves.h"
#include "heap/object.h"
#include "heap/told.h"

#define WHERE 256u

/* How objects come to be freed while they are used. */
#define UNSEEN                                                                                     \
    "No root, handle, stack or object that the collector knows of led to it at the end of a "      \
    "mark, so it is used through a pointer that was stored plainly, copied by memcpy, forgotten "  \
    "in TRI_TYPE, or kept or handed over in memory that is no root; docs/verify-clobber.md"

struct store {
    const char *call;
    const void *caller;
    char *place; /* WHERE bytes, for place_of() */
};

static const char *place_of(const struct store *store)
{
    tri__heap.hooks.name_code(store->caller, store->place, WHERE);
    return store->place;
}

/* ---- where to ---- */

static void check_arena(const struct store *store, uintptr_t slot)
{
    const struct tri__arena_chunk *chunk = tri__arena_chunk_of(tri__span_at(slot));

    if (tri__load_acquire(&chunk->state) != TRI__ARENA_FREED) /* acq <- rel in retire() */
        return;
    tri__fatal("%s(), called from %s, into arena %llu after tri_arena_free(): the slot at %#zx is "
               "byte %llu of the arena's memory. Free the arena later, or copy what is to outlive "
               "it with tri_arena_keep(); docs/verify-blocking.md",
               store->call, place_of(store), (unsigned long long)chunk->arena, (size_t)slot,
               (unsigned long long)chunk->first + (slot - chunk->span.base));
}

_Noreturn static void into_freed(const struct store *store, uintptr_t slot, uintptr_t base)
{
    tri__fatal("%s(), called from %s, into an object that was freed: the slot at %#zx is at offset "
               "%zu of what was \"%s\" at %#zx. " UNSEEN,
               store->call, place_of(store), (size_t)slot, (size_t)(slot - base),
               tri__grave_name(base), (size_t)base);
}

_Noreturn static void into_given_up(const struct store *store, uintptr_t slot, uintptr_t base)
{
    tri__fatal("%s(), called from %s, into an object after tri_free(): the slot at %#zx is at "
               "offset %zu of \"%s\" at %#zx. Do not use an object that was given up, or leave "
               "tri_free() out; docs/verify-clobber.md",
               store->call, place_of(store), (size_t)slot, (size_t)(slot - base),
               tri__grave_name(base), (size_t)base);
}

static void check_slot(const struct store *store, uintptr_t slot)
{
    struct tri__ref ref;
    uintptr_t base;

    if (!tri__in_heap(slot))
        return;
    if (tri__locate(slot, &ref) && ref.span_class == TRI__ARENA_SPAN) {
        check_arena(store, slot);
        return;
    }
    if (!tri__graves_are_kept())
        return;
    if (tri__grave_at(slot, &base))
        into_freed(store, slot, base);
    if (tri__resolve(slot, &ref) && tri__is_given_up(ref.base))
        into_given_up(store, slot, ref.base);
}

_Noreturn static void into_undeclared(const struct store *store, uintptr_t slot,
                                      const struct tri__ref *ref)
{
    tri__fatal("%s(), called from %s, of a heap pointer to where the collector sees none: the slot "
               "at %#zx is at offset %zu of \"%s\" at %#zx, which has no pointer there. Name the "
               "member in TRI_TYPE, or allocate as many elements as are used; "
               "docs/verify-clobber.md",
               store->call, place_of(store), (size_t)slot, (size_t)(slot - ref->base),
               tri__living_name(ref), (size_t)ref->base);
}

_Noreturn static void into_undeclared_root(const struct store *store, uintptr_t slot,
                                           const struct tri__root_range *root)
{
    tri__fatal("%s(), called from %s, of a heap pointer to where the collector sees none: the slot "
               "at %#zx is at offset %zu of the root at %#zx (tri_root_add), of type \"%s\", which "
               "has no pointer there. Name the member in TRI_TYPE; docs/verify-clobber.md",
               store->call, place_of(store), (size_t)slot, (size_t)(slot - root->base),
               (size_t)root->base, tri__type_label(root->type));
}

/* What is stored there keeps nothing alive: the word belongs to no pointer member, or lies between
 * the end of the object and that of its slot. */
static void check_declared(const struct store *store, uintptr_t slot)
{
    struct tri__ref ref;
    struct tri__type_pointers it;

    if (!tri__resolve(slot, &ref))
        return;
    it = tri__ref_is_leaf(&ref) ? tri__type_pointers_none()
                                : tri__type_pointers_of_range(&ref, slot, TRI_WORD);
    if (tri__type_pointers_next(&it) != slot)
        into_undeclared(store, slot, &ref);
}

static void check_declared_in_root(const struct store *store, uintptr_t slot)
{
    struct tri__root_range root;
    struct tri__type_pointers it;

    if (!tri__range_root_at(slot, &root))
        return;
    it = tri__type_pointers_of_type(root.type, root.base, root.limit & ~(uintptr_t)(TRI_WORD - 1));
    tri__type_pointers_fast_forward(&it, slot, slot + TRI_WORD);
    if (tri__type_pointers_next(&it) != slot)
        into_undeclared_root(store, slot, &root);
}

/* A pointer into an arena keeps nothing alive wherever it lies: none but objects have to show
 * theirs. */
static void check_slot_for(const struct store *store, uintptr_t slot, uintptr_t value)
{
    struct tri__ref to, from;
    bool to_arena = tri__locate(value, &to) && to.span_class == TRI__ARENA_SPAN;

    if (!tri__in_heap(value))
        return;
    if (!tri__in_heap(slot) && !to_arena)
        check_declared_in_root(store, slot);
    else if (tri__locate(slot, &from) && !(to_arena && from.span_class == TRI__ARENA_SPAN))
        check_declared(store, slot);
}

/* What a range moves may be numbers, but none of it belongs behind the last element. */
static void check_end(const struct store *store, const struct tri__range *range)
{
    uintptr_t end = range->dst + range->bytes, slot = range->dst;
    struct tri__extent extent;
    const tri_type *type;
    struct tri__ref ref, value;

    if (!tri__in_heap(slot) || !tri__resolve(slot, &ref) ||
        (type = tri__noted_type(&ref)) == NULL || !tri__extent_of(&ref, type, &extent))
        return;
    if (slot < ref.base + extent.bytes)
        slot = ref.base + extent.bytes;
    for (; slot < end; slot += TRI_WORD)
        if (tri__locate(tri__load_relaxed((uintptr_t *)(slot - range->dst + range->src)), &value))
            into_undeclared(store, slot, &ref);
}

/* ---- what ---- */

_Noreturn static void of_freed(const struct store *store, uintptr_t value, uintptr_t base)
{
    tri__fatal("%s(), called from %s, of a pointer to an object that was freed: %#zx leads to what "
               "was \"%s\" at %#zx. " UNSEEN,
               store->call, place_of(store), (size_t)value, tri__grave_name(base), (size_t)base);
}

_Noreturn static void of_given_up(const struct store *store, uintptr_t value, uintptr_t base)
{
    tri__fatal("%s(), called from %s, of a pointer to an object after tri_free(): %#zx leads to "
               "\"%s\" at %#zx. Do not use an object that was given up, or leave tri_free() out; "
               "docs/verify-clobber.md",
               store->call, place_of(store), (size_t)value, tri__grave_name(base), (size_t)base);
}

_Noreturn static void of_pattern(const struct store *store, uintptr_t value, uintptr_t base)
{
    tri__fatal("%s(), called from %s, of %#zx, which is no pointer but what the memory of freed "
               "objects is filled with: it was read from what was \"%s\" at %#zx. " UNSEEN,
               store->call, place_of(store), (size_t)value, tri__grave_name(base), (size_t)base);
}

static void check_value(const struct store *store, uintptr_t value)
{
    struct tri__ref ref;
    uintptr_t base;

    if (tri__grave_is_pattern(value, &base))
        of_pattern(store, value, base);
    if (tri__grave_at(value, &base))
        of_freed(store, value, base);
    if (tri__resolve(value, &ref) && ref.span_class != TRI__ARENA_SPAN &&
        tri__is_given_up(ref.base))
        of_given_up(store, value, ref.base);
}

/* ---- over what ---- */

_Noreturn static void over_pattern(const struct store *store, uintptr_t slot, uintptr_t base)
{
    tri__fatal("%s(), called from %s, over a word at %#zx that was copied from a freed object, "
               "from what was \"%s\" at %#zx: what freed objects are filled with. " UNSEEN,
               store->call, place_of(store), (size_t)slot, tri__grave_name(base), (size_t)base);
}

static void check_old(const struct store *store, uintptr_t slot)
{
    uintptr_t base;

    if (tri__grave_is_pattern(tri__load_relaxed((uintptr_t *)slot), &base))
        over_pattern(store, slot, base);
}

/* ---- all of it ---- */

static bool is_only_told_of(void)
{
    return tri__watched == TRI__WATCH_TOLD;
}

void tri__watch_try_slow(const char *call, uintptr_t slot, uintptr_t value, const void *caller)
{
    char place[WHERE];
    struct store store = {call, caller, place};

    if (is_only_told_of())
        return;
    tri__watch_use(call, caller);
    check_slot(&store, slot);
    if (!tri__graves_are_kept())
        return;
    check_slot_for(&store, slot, value);
    check_old(&store, slot);
    check_value(&store, value);
}

static bool is_word(const struct tri__range *range)
{
    return range->bytes == TRI_WORD && range->src != 0 && range->src % TRI_WORD == 0;
}

/* A word that is copied is as good as one that is stored. */
static void tell_of_range(const struct tri__range *range)
{
    if ((tri__watched & TRI__WATCH_TOLD) != 0 && range->bytes != 0)
        tri__told_note(range->dst, range->bytes,
                       is_word(range) ? tri__load_relaxed((uintptr_t *)range->src) : 0);
}

void tri__watch_range_slow(const struct tri__range *range, const void *caller)
{
    char place[WHERE];
    struct store store = {range->call, caller, place};
    struct tri__type_pointers it;
    uintptr_t slot;

    tell_of_range(range);
    if (is_only_told_of())
        return;
    tri__watch_use(range->call, caller);
    if (range->bytes == 0)
        return;
    check_slot(&store, range->dst);
    tri__range_check_all(range);
    if (!tri__graves_are_kept() || range->src == 0)
        return;
    check_end(&store, range);
    it = tri__range_pointers(range);
    while ((slot = tri__type_pointers_next(&it)) != 0)
        check_value(&store, tri__load_relaxed((uintptr_t *)(slot - range->dst + range->src)));
}
