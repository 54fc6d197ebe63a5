/* SPDX-License-Identifier: MIT */
/* Walking over the words that are declared as no pointers.
 *
 * The program reads and writes them as it likes: so they are read like those of stacks. Locks: a
 * chunk's scan_lock, for a window of an arena: as long as that is held the arena is not freed, and
 * what the log says of what lies below `used` is right [inv.arena.free, inv.arena.used]. RCU, for
 * ranges: who removes one waits. */
#include "collector/scalars.h"

#include "heap/arena_chunk.h"
#include "heap/extent.h"
#include "heap/type_notes.h"
#include "mutator/roots.h"
#include "mutator/stack.h"

struct visitor {
    tri__visit_scalar *visit;
    void *argument;
};

/* One that has a member of a pointer's alignment is as long as some words: others are bytes, whatever
 * their name. */
static bool is_looked_into(const tri_type *type)
{
    return type != NULL && type->size != 0 && type->size % TRI_WORD == 0 &&
           (type->flags & TRI_TYPE_CONSERVATIVE) == 0;
}

/* The words of [slot, limit) that the iterator leaves out: it gives the pointers there, from the
 * first on. */
struct gaps {
    struct tri__type_pointers it;
    uintptr_t pointer, slot, limit;
};

static struct gaps gaps_of(struct tri__type_pointers it, uintptr_t slot, uintptr_t limit)
{
    struct gaps gaps = {.it = it, .slot = slot, .limit = limit};

    gaps.pointer = tri__type_pointers_next(&gaps.it);
    return gaps;
}

/* 0: there is no more. */
static uintptr_t next_scalar(struct gaps *gaps)
{
    while (gaps->slot == gaps->pointer) {
        gaps->pointer = tri__type_pointers_next(&gaps->it);
        gaps->slot += TRI_WORD;
    }
    if (gaps->slot >= gaps->limit)
        return 0;
    gaps->slot += TRI_WORD;
    return gaps->slot - TRI_WORD;
}

static bool is_address(uintptr_t value)
{
    struct tri__ref ref;

    return tri__locate(value, &ref) && tri__is_allocated(&ref);
}

static bool is_address_of_object(uintptr_t value)
{
    struct tri__ref ref;

    return tri__locate(value, &ref) && ref.span_class != TRI__ARENA_SPAN && tri__is_allocated(&ref);
}

/* ---- objects ---- */

/* The slot may have been handed out after its layout was looked at, and have another one now; its
 * thread has written that before the word. Machines that load out of order (not x86-64) may still see
 * the old layout, and warn wrongly: no acquire, which clang's ThreadSanitizer would call a race. */
static bool is_scalar_still(const struct tri__ref *ref, const struct tri__scalar *scalar)
{
    struct tri__type_pointers it = tri__type_pointers_of_range(ref, scalar->slot, TRI_WORD);

    return tri__noted_type(ref) == scalar->type && tri__type_pointers_next(&it) == 0;
}

static void suspect_word(const struct visitor *visitor, const struct tri__ref *ref,
                         struct tri__scalar scalar)
{
    struct tri__extent extent;

    if (!is_scalar_still(ref, &scalar))
        return;
    if (tri__extent_of(ref, scalar.type, &extent)) {
        scalar.is_past_end = scalar.slot - scalar.base >= extent.bytes;
        scalar.elements = extent.elements;
        scalar.bytes = extent.bytes;
    }
    visitor->visit(&scalar, visitor->argument);
}

static void visit_object(const struct visitor *visitor, const struct tri__ref *ref,
                         const tri_type *type)
{
    uintptr_t limit = tri__ref_limit(ref) & ~(uintptr_t)(TRI_WORD - 1), slot;
    struct gaps gaps = gaps_of(tri__type_pointers_of_ref(ref), ref->base, limit);

    while ((slot = next_scalar(&gaps)) != 0) {
        uintptr_t value = tri__stack_word(slot);

        if (TRI__UNLIKELY(is_address(value)))
            suspect_word(visitor, ref,
                         (struct tri__scalar){.kind = TRI__HOLDER_OBJECT,
                                              .type = type,
                                              .base = ref->base,
                                              .slot = slot,
                                              .value = value});
    }
}

static void visit_span(struct tri__span *span, void *visitor)
{
    for (uint32_t slot = 0; slot < span->slots; slot++) {
        const tri_type *type;
        struct tri__ref ref;

        if (!tri__is_black(&span->colours[slot]) ||
            !tri__resolve(span->base + slot * span->slot_bytes, &ref))
            continue;
        type = tri__noted_type(&ref);
        if (is_looked_into(type))
            visit_object(visitor, &ref, type);
    }
}

/* ---- arenas ---- */

static void visit_value_word(const struct visitor *visitor, const struct tri__arena_chunk *chunk,
                             uintptr_t slot, uintptr_t value)
{
    struct tri__arena_value in;

    if (!tri__arena_find(chunk, slot, &in) || in.type == &tri_type_bytes ||
        !is_looked_into(in.type))
        return;
    visitor->visit(&(struct tri__scalar){.kind = TRI__HOLDER_ARENA,
                                         .type = in.type,
                                         .base = in.base,
                                         .slot = slot,
                                         .value = value,
                                         .is_past_end = slot - in.base >= in.bytes,
                                         .elements = in.count,
                                         .bytes = in.bytes},
                   visitor->argument);
}

/* false: the chunk has nothing there, or nothing any more. */
static bool visit_window_locked(const struct visitor *visitor, const struct tri__arena_chunk *chunk,
                                size_t at)
{
    size_t used = tri__arena_used(chunk), end = at + TRI__ARENA_WINDOW;
    struct gaps gaps;
    uintptr_t slot;

    if (at >= used)
        return false;
    gaps = gaps_of(tri__arena_window(chunk, at, used), chunk->span.base + at,
                   chunk->span.base + (end < used ? end : used));
    while ((slot = next_scalar(&gaps)) != 0) {
        uintptr_t value = tri__stack_word(slot);

        if (TRI__UNLIKELY(is_address_of_object(value)))
            visit_value_word(visitor, chunk, slot, value);
    }
    return true;
}

static void visit_chunk(struct tri__arena_chunk *chunk, void *visitor)
{
    bool more = tri__arena_used(chunk) != 0; /* it may never have been one, and have no lock yet */

    for (size_t at = 0; more; at += TRI__ARENA_WINDOW) {
        pthread_mutex_lock(&chunk->scan_lock);
        more = visit_window_locked(visitor, chunk, at);
        pthread_mutex_unlock(&chunk->scan_lock);
    }
}

/* ---- roots ---- */

static void visit_root(const struct tri__root_range *root, void *argument)
{
    const struct visitor *visitor = argument;
    uintptr_t limit = root->limit & ~(uintptr_t)(TRI_WORD - 1), slot;
    struct gaps gaps;

    if (!is_looked_into(root->type))
        return;
    gaps = gaps_of(tri__type_pointers_of_type(root->type, root->base, limit), root->base, limit);
    while ((slot = next_scalar(&gaps)) != 0) {
        uintptr_t value = tri__stack_word(slot);

        if (TRI__UNLIKELY(is_address_of_object(value)))
            visitor->visit(&(struct tri__scalar){.kind = TRI__HOLDER_ROOT,
                                                 .type = root->type,
                                                 .base = root->base,
                                                 .slot = slot,
                                                 .value = value},
                           visitor->argument);
    }
}

/* ---- all of them ---- */

void tri__scalars_each(tri__visit_scalar *visit, void *argument)
{
    struct visitor visitor = {visit, argument};

    tri__pointer_spans_each(visit_span, &visitor);
    tri__leaf_spans_each(visit_span, &visitor);
    tri__arena_chunks_each(visit_chunk, &visitor);
    tri__roots_each_range(visit_root, &visitor);
}
