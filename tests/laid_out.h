/* SPDX-License-Identifier: MIT */
/* tests/laid_out.h: objects of types of every shape on a heap with no floor above it, and what the
 * iterator finds in them, held against the layout oracle. A difference is printed and ends the
 * program: tests see a signal, and so does a fuzzer.
 *
 * Threads: one, which has the only cache. */
#ifndef TRI__TESTS_LAID_OUT_H
#define TRI__TESTS_LAID_OUT_H

#include <tricolor/alloc.h>

#include "bare_hooks.h"
#include "heap/object.h"
#include "layout/oracle.h"
#include "layouts.h"

static struct tri__cache laid_out_cache;

static inline struct tri__cache *laid_out_attach(void)
{
    return &laid_out_cache;
}

/* An empty heap; the one before is gone with all its objects. */
static inline void laid_out_start(size_t reserve)
{
    struct tri__heap_hooks hooks = bare_hooks;

    hooks.attach = laid_out_attach;
    if (tri__heap.bytes != 0)
        tri__heap_release();
    if (tri__heap_init(reserve, SIZE_MAX, &hooks) != 0)
        abort();
    tri__cache_init(&laid_out_cache, (struct tri__cache_phase){0});
}

struct laid_out {
    const struct layout *layout;
    size_t bytes; /* asked for */
    uintptr_t base, limit;
    uintptr_t tiled_to; /* exact, but for footer and large objects: they are tiled to the limit */
};

/* What p is, an object of so many bytes of the layout. false: NULL. */
static inline bool note_object(struct laid_out *object, const void *p, size_t bytes)
{
    struct tri__ref ref;
    enum tri__kind kind;

    if (p == NULL || !tri__resolve((uintptr_t)p, &ref))
        return false;
    kind = (enum tri__kind)tri__class_info[ref.span_class].kind;
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
    uintptr_t difference =
        tri__layout_oracle_compare(it, &object->layout->type, object->base, from, end);

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

static inline void expect_whole(const struct laid_out *object)
{
    struct tri__type_pointers it = tri__type_pointers_of_unchecked(object->base);

    expect_pointers(object, "of_unchecked", it, object->base, object->limit);
}

static inline size_t laid_out_words(const struct laid_out *object)
{
    return (object->limit - object->base) / TRI_WORD;
}

#endif
