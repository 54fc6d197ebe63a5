/* SPDX-License-Identifier: MIT */
/* Walking over all pointer words. Locks: a chunk's scan_lock, for a window of an arena. */
#include "collector/words.h"

#include "heap/arena_chunk.h"
#include "mutator/roots.h"
#include "mutator/stack.h"

/* Words that were read under a lock, to be visited when it is free again: who is told of them may
 * take long, print, or walk over the same words. */
struct read_words {
    uintptr_t slots[TRI__ARENA_WINDOW / TRI_WORD], values[TRI__ARENA_WINDOW / TRI_WORD];
    size_t count;
};

struct visitor {
    struct tri__holder holder;
    tri__visit_word *visit;
    void *argument;
};

/* A slot that is in a run, but not handed out yet, may have the layout of its last object. It is
 * all zero, and who gets it may store numbers where that one had pointers: ThreadSanitizer need not
 * know that they were looked at. */
static void visit_slot(uintptr_t slot, void *argument)
{
    const struct visitor *visitor = argument;
    uintptr_t value = tri__stack_word(slot);

    if (value != 0)
        visitor->visit(&visitor->holder, slot, value, visitor->argument);
}

static void visit_words(struct visitor *visitor, struct tri__type_pointers it)
{
    uintptr_t slot;

    while ((slot = tri__type_pointers_next(&it)) != 0)
        visit_slot(slot, visitor);
}

/* The arena may be freed at the same time: then there is nothing left below `used`. false: that is
 * so. */
static bool read_window(struct tri__arena_chunk *chunk, size_t at, struct read_words *words)
{
    size_t used;

    words->count = 0;
    pthread_mutex_lock(&chunk->scan_lock);
    used = tri__arena_used(chunk);
    if (at < used) {
        struct tri__type_pointers it = tri__arena_window(chunk, at, used);
        uintptr_t slot;

        while ((slot = tri__type_pointers_next(&it)) != 0) {
            words->slots[words->count] = slot;
            words->values[words->count++] = tri__load_relaxed((uintptr_t *)slot);
        }
    }
    pthread_mutex_unlock(&chunk->scan_lock);
    return at < used;
}

static void visit_chunk(struct tri__arena_chunk *chunk, void *argument)
{
    const struct visitor *visitor = argument;
    struct read_words words;

    if (tri__arena_used(chunk) == 0)
        return; /* it may never have been one, and have no lock yet */
    for (size_t at = 0; read_window(chunk, at, &words); at += TRI__ARENA_WINDOW)
        for (size_t i = 0; i < words.count; i++)
            if (words.values[i] != 0)
                visitor->visit(&visitor->holder, words.slots[i], words.values[i],
                               visitor->argument);
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

        if (tri__is_black(&span->colours[slot]) &&
            tri__resolve(span->base + slot * span->slot_bytes, &ref))
            tri__object_words_each(&ref, words->visit, words->argument);
    }
}

void tri__marked_words_each(tri__visit_word *visit, void *argument)
{
    struct marked_words words = {visit, argument};

    tri__pointer_spans_each(visit_span, &words);
}
