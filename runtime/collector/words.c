/* SPDX-License-Identifier: MIT */
/* Walking over all pointer words. Locks: a chunk's scan_lock, for a window of an arena. */
#include "collector/words.h"

#include "heap/arena_chunk.h"
#include "mutator/roots.h"

struct visitor {
    struct tri__holder holder;
    tri__visit_word *visit;
    void *argument;
};

static void visit_slot(uintptr_t slot, void *argument)
{
    const struct visitor *visitor = argument;
    uintptr_t value = tri__load_relaxed((uintptr_t *)slot);

    if (value != 0)
        visitor->visit(&visitor->holder, slot, value, visitor->argument);
}

static void visit_words(struct visitor *visitor, struct tri__type_pointers it)
{
    uintptr_t slot;

    while ((slot = tri__type_pointers_next(&it)) != 0)
        visit_slot(slot, visitor);
}

/* The arena may be freed at the same time: then there is nothing left below `used`. */
static void visit_chunk(struct tri__arena_chunk *chunk, void *visitor)
{
    size_t used;

    if (tri__arena_used(chunk) == 0)
        return; /* it may never have been one, and have no lock yet */
    pthread_mutex_lock(&chunk->scan_lock);
    used = tri__arena_used(chunk);
    for (size_t at = 0; at < used; at += TRI__ARENA_WINDOW)
        visit_words(visitor, tri__arena_window(chunk, at, used));
    pthread_mutex_unlock(&chunk->scan_lock);
}

void tri__root_words_each(tri__visit_word *visit, void *argument)
{
    struct visitor visitor = {.visit = visit, .argument = argument};

    visitor.holder.kind = TRI__HOLDER_ROOT;
    tri__roots_each_slot(visit_slot, &visitor);
    visitor.holder.kind = TRI__HOLDER_HANDLE;
    tri__handles_each_slot(visit_slot, &visitor);
    visitor.holder.kind = TRI__HOLDER_ARENA;
    tri__arena_chunks_each(visit_chunk, &visitor);
}

/* A slot that has been cut for a run, but not handed out, may have no type yet; it is all zero. */
static bool has_words(const struct tri__ref *ref)
{
    const struct tri__class_info *info = &tri__class_info[ref->span_class];

    return !tri__ref_is_leaf(ref) && (info->kind == TRI__KIND_BITMAP || tri__ref_type(ref) != NULL);
}

void tri__object_words_each(const struct tri__ref *ref, tri__visit_word *visit, void *argument)
{
    struct visitor visitor = {{TRI__HOLDER_OBJECT, *ref}, visit, argument};

    if (has_words(ref))
        visit_words(&visitor, tri__type_pointers_of_ref(ref));
}

struct marked_words {
    tri__visit_word *visit;
    void *argument;
};

static void visit_span(struct tri__span *span, void *argument)
{
    const struct marked_words *words = argument;

    for (uint32_t slot = 0; slot < span->slots; slot++) {
        struct tri__ref ref;

        if (tri__load_acquire(&span->colours[slot]) == TRI__BLACK &&
            tri__resolve(span->base + slot * span->slot_bytes, &ref))
            tri__object_words_each(&ref, words->visit, words->argument);
    }
}

void tri__marked_words_each(tri__visit_word *visit, void *argument)
{
    struct marked_words words = {visit, argument};

    tri__pointer_spans_each(visit_span, &words);
}
