/* SPDX-License-Identifier: MIT */
/* tests/laid_out.h: objects of types of every shape on a heap with no floor above it, and what the
 * iterator finds in them, and markers in the bitmap of an arena, held against the layout oracle. A
 * difference is printed and ends the program: tests see a signal, and so does a fuzzer.
 *
 * Threads: one, which has the only cache. */
#ifndef TRI__TESTS_LAID_OUT_H
#define TRI__TESTS_LAID_OUT_H

#include <tricolor/alloc.h>
#include <tricolor/arena.h>

#include "bare_hooks.h"
#include "heap/arena_chunk.h"
#include "heap/object.h"
#include "layout/oracle.h"
#include "mutator/arena.h"
#include "program_layouts.h"

static struct tri__cache laid_out_cache;

static inline struct tri__cache *laid_out_attach(void)
{
    return &laid_out_cache;
}

/* The heap is gone with all its objects and arenas, if there is one; so no type is hot, and types
 * may go, too. */
static inline void laid_out_stop(void)
{
    tri__arenas_release();
    if (tri__heap.bytes != 0)
        tri__heap_release();
}

/* An empty heap. Allocation is inline, as in a thread that is attached. */
static inline void laid_out_start(size_t reserve)
{
    struct tri__heap_hooks hooks = bare_hooks;

    hooks.attach = laid_out_attach;
    laid_out_stop();
    if (tri__heap_init(reserve, SIZE_MAX, &hooks) != 0)
        abort();
    tri__cache_init(&laid_out_cache, (struct tri__cache_phase){0});
    tri__self = &laid_out_cache.front;
}

struct laid_out {
    const struct layout *layout;
    size_t bytes; /* asked for */
    uintptr_t base, limit;
    uintptr_t tiled_to; /* exact, but for footer and large objects: they are tiled to the limit */
    uint8_t span_class;
};

static inline enum tri__kind kind_of_object(const struct laid_out *object)
{
    return (enum tri__kind)tri__class_info[object->span_class].kind;
}

/* What p is, an object of so many bytes of the layout. false: NULL. */
static inline bool note_object(struct laid_out *object, const void *p, size_t bytes)
{
    struct tri__ref ref;
    enum tri__kind kind;

    if (p == NULL)
        return false;
    if (!tri__resolve((uintptr_t)p, &ref) || ref.base != (uintptr_t)p)
        abort();
    object->span_class = ref.span_class;
    kind = kind_of_object(object);
    object->bytes = bytes;
    object->base = ref.base;
    object->limit = tri__ref_limit(&ref);
    if (kind == TRI__KIND_FOOTER || kind == TRI__KIND_LARGE)
        object->tiled_to = object->limit;
    else
        object->tiled_to = ref.base + (bytes != 0 ? bytes : TRI_WORD);
    return true;
}

/* One object of n elements, or with n elements in its tail. false: no memory. */
static inline bool lay_out_object(struct laid_out *object, const struct layout *layout, size_t n)
{
    const tri_type *type = &layout->type;

    object->layout = layout;
    if (type->tail != NULL)
        return note_object(object, tri_alloc_flex(type, n), type->size + n * type->tail->size);
    return note_object(object, tri_alloc_array(type, n), n * type->size);
}

/* The same in an arena, where one element is one of its own, not an array. */
static inline bool lay_out_value(struct laid_out *object, const struct layout *layout,
                                 tri_arena *arena, size_t n)
{
    const tri_type *type = &layout->type;

    object->layout = layout;
    if (type->tail != NULL)
        return note_object(object, tri_arena_alloc_flex(arena, type, n),
                           type->size + n * type->tail->size);
    if (n == 1)
        return note_object(object, tri_arena_alloc(arena, type), type->size);
    return note_object(object, tri_arena_alloc_array(arena, type, n), n * type->size);
}

/* Makes the type of a stateful layout hot, by allocating it: a small one in slots that were laid
 * out for others, for alone in its class it would stay there. false: no memory, or it does not get
 * hot. */
static inline bool heat_up(const struct layout *layout)
{
    const tri_type *type = &layout->type;
    const struct tri__run *run = &laid_out_cache.front.runs[type->span_class];
    size_t most = 8 * (size_t)tri__class_info[tri__typed_class(type)].slots;

    for (size_t i = 0; i < most; i++) {
        if (tri__typed_run(type) != 0 && tri__typed_is_hot_here(&laid_out_cache.heat, type))
            return true;
        if ((run->tag == type ? tri_alloc_conservative(type->size) : tri_alloc(type)) == NULL)
            return false;
    }
    return false;
}

static inline void fail_object(const struct laid_out *object, const char *walk, uintptr_t from,
                               uintptr_t to, uintptr_t difference)
{
    describe_layout(object->layout);
    fprintf(stderr,
            "object of %zu bytes, slot of %zu; %s, words [%zu, %zu): wrong about word %zu\n",
            object->bytes, (size_t)(object->limit - object->base), walk,
            (size_t)(from - object->base) / TRI_WORD, (size_t)(to - object->base) / TRI_WORD,
            (size_t)(difference - object->base) / TRI_WORD);
    abort();
}

static inline void expect_pointers(const struct laid_out *object, const char *walk,
                                   struct tri__type_pointers it, uintptr_t from, uintptr_t to)
{
    uintptr_t end = to < object->tiled_to ? to : object->tiled_to;
    uintptr_t difference = tri__layout_oracle_compare(it, layout_by_the_letter(object->layout),
                                                      object->base, from, end);

    if (difference != 0)
        fail_object(object, walk, from, to, difference);
}

/* The object's words [from, to), from its base on. */
static inline void expect_range(const struct laid_out *object, size_t from, size_t to)
{
    uintptr_t start = object->base + from * TRI_WORD;
    size_t bytes = (to - from) * TRI_WORD;

    expect_pointers(object, "of", tri__type_pointers_of(start, bytes), start, start + bytes);
}

/* A value of an arena, as markers see it: by the bits of its chunk, not by its type. */
static inline void expect_windows(const struct laid_out *object)
{
    const struct tri__arena_chunk *chunk = tri__arena_chunk_of(tri__span_at(object->base));
    uintptr_t start = chunk->span.base, data_end = object->base + object->bytes;
    uintptr_t end = object->base + tri__arena_stride(object->bytes), to;

    for (uintptr_t from = object->base; from < end; from = to) {
        size_t offset = (from - start) / TRI__ARENA_WINDOW * TRI__ARENA_WINDOW;
        struct tri__type_pointers it = tri__arena_window(chunk, offset, tri__arena_used(chunk));

        to = start + offset + TRI__ARENA_WINDOW;
        if (from < data_end && data_end < to)
            to = data_end; /* nothing is a pointer between it and the value's end */
        else if (end < to)
            to = end;
        tri__type_pointers_fast_forward(&it, from, to);
        if (from < data_end)
            expect_pointers(object, "window", it, from, to);
        else if (tri__type_pointers_next(&it) != 0)
            fail_object(object, "a bit behind the value's end", from, to, from);
    }
}

static inline void expect_whole(const struct laid_out *object)
{
    struct tri__type_pointers it = tri__type_pointers_of_unchecked(object->base);

    expect_pointers(object, "of_unchecked", it, object->base, object->limit);
    if (kind_of_object(object) == TRI__KIND_ARENA)
        expect_windows(object);
}

static inline size_t laid_out_words(const struct laid_out *object)
{
    return (object->limit - object->base) / TRI_WORD;
}

#endif
