/* SPDX-License-Identifier: MIT */
/* The public allocation functions: from a type and a size to a slot with its layout written.
 *
 * Threads: any. Every path that can pass a safepoint does so before it takes a slot;
 * from the slot to the return there is none, so an object is never seen half laid out by
 * this thread's own answers. */
#include <tricolor/alloc.h>

#include <errno.h>
#include <string.h>

#include "base/chaos.h"
#include "base/entry.h"
#include "base/fatal.h"
#include "heap/cache.h"
#include "heap/double_check.h"
#include "heap/type_notes.h"
#include "heap/watch.h"
#include "layout/heap_bits.h"
#include "layout/type_hold.h"

#define FOOTER_MAX (TRI__SMALL_MAX - TRI_WORD) /* larger ones have a span of their own */
#define TINY_BLOCK ((size_t)16)
#define REPORT_BYTES ((uint64_t)64 << 10) /* pacing looks at a thread at least this often */

static struct tri__cache *current_cache(void)
{
    if (TRI__UNLIKELY(tri__self->barrier == TRI__BARRIER_UNATTACHED))
        return tri__heap.hooks.attach();
    return (struct tri__cache *)tri__self;
}

static bool refill(struct tri__cache *cache, unsigned number, const tri_type *type)
{
    tri__heap_take_over();
    if (tri__load_relaxed(&cache->front.request) != 0 || cache->unreported >= REPORT_BYTES ||
        TRI__UNLIKELY(tri__load_relaxed(&tri__chaos_on) != 0))
        tri__heap.hooks.safepoint(cache);
    return tri__cache_refill(cache, number, type);
}

/* A slot of `bytes` of the run, zeroed and in its colour; 0: there is none to be had. */
static uintptr_t take_slot(struct tri__cache *cache, unsigned number, size_t bytes,
                           const tri_type *type)
{
    struct tri__run *run = &cache->front.runs[number];
    uintptr_t slot;

    if (run->current + bytes > run->end && !refill(cache, number, type))
        return 0;
    slot = run->current;
    run->current = slot + bytes;
    return slot;
}

static void *fail(void)
{
    errno = ENOMEM;
    return NULL;
}

/* ---- leaf objects ---- */

static uintptr_t take_leaf(struct tri__cache *cache, size_t bytes)
{
    unsigned number = 2 * tri__size_to_class(bytes) + 1;

    if (bytes > TRI__SMALL_MAX)
        return tri__large_alloc(cache, NULL, bytes);
    return take_slot(cache, number, tri__class_info[number].size, NULL);
}

static void *alloc_leaf_block(struct tri__cache *cache, size_t bytes)
{
    uintptr_t object;

    if (bytes > tri__heap.bytes)
        return fail(); /* no collection could help */
    for (unsigned attempt = 0; (object = take_leaf(cache, bytes)) == 0; attempt++)
        if (!tri__heap.hooks.out_of_memory(cache, bytes, attempt))
            return fail();
    return (void *)object;
}

/* Leaf objects of less than a word share blocks of 16 bytes; the block
 * lives as long as one of them. */
static void *alloc_tiny(struct tri__cache *cache, size_t bytes)
{
    /* The largest power of two that divides a C object's size is alignment enough. */
    uintptr_t align = bytes & (~bytes + 1);
    uintptr_t object = (cache->tiny + align - 1) & ~(align - 1);

    if (object + bytes > cache->tiny_end) {
        object = (uintptr_t)alloc_leaf_block(cache, TINY_BLOCK);
        if (object == 0)
            return NULL;
        cache->tiny_end = object + TINY_BLOCK;
    }
    cache->tiny = object + bytes;
    return (void *)object;
}

static void *alloc_leaf(struct tri__cache *cache, size_t bytes)
{
    if (bytes - 1 < TRI_WORD - 1)
        return alloc_tiny(cache, bytes);
    return alloc_leaf_block(cache, bytes);
}

/* Bytes need no note: the slots of a run have none when it is cut. Nor have small objects room for
 * one. */
static bool wants_note(const tri_type *type, size_t bytes)
{
    return type != &tri_type_bytes && bytes >= TRI_WORD;
}

/* Held first, which is a safepoint [inv.type.held]. */
static void *alloc_leaf_of(struct tri__cache *cache, const tri_type *type, size_t bytes)
{
    bool noted = TRI__UNLIKELY(tri__types_are_noted()) && wants_note(type, bytes);
    void *object;

    if (noted)
        tri__heap_hold_type(type);
    object = alloc_leaf(cache, bytes);
    if (noted && object != NULL)
        tri__type_note((uintptr_t)object, type);
    return object;
}

/* ---- objects with pointers ---- */

/* A slot of one of the type's own spans; 0: it has none, or not for this thread now. */
static uintptr_t take_typed(struct tri__cache *cache, const tri_type *type)
{
    unsigned number = tri__typed_run(type);
    const struct tri__span *span = cache->spans[number];

    if (number == 0 || (span != NULL && span->type != type))
        return 0;
    return take_slot(cache, number, type->slot_size, type);
}

static uintptr_t take_bitmap(struct tri__cache *cache, const tri_type *type, size_t bytes)
{
    unsigned number = 2 * tri__size_to_class(bytes);
    uintptr_t object = take_slot(cache, number, tri__class_info[number].size,
                                 bytes == type->size ? type : NULL);
    struct tri__span *span;

    if (object == 0)
        return 0;
    if (cache->front.runs[number].tag == type && bytes == type->size)
        return object; /* the run carries the layout already, and its slots are noted */
    tri__type_note(object, NULL); /* a fork may stop this thread anywhere in here */
    span = cache->spans[number];
    tri__heap_bits_write(span->bits, (object - span->base) / TRI_WORD,
                         (unsigned)(span->slot_bytes / TRI_WORD),
                         tri__type_object_mask(type, bytes));
    tri__type_note(object, type);
    tri__double_check_object(object, type, bytes);
    return object;
}

static uintptr_t take_footer(struct tri__cache *cache, const tri_type *type, size_t bytes)
{
    unsigned number = 2 * tri__size_to_class(bytes + TRI_WORD);
    size_t slot_bytes = tri__class_info[number].size;
    uintptr_t object = take_slot(cache, number, slot_bytes, NULL);

    if (object == 0)
        return 0;
    /* rel -> acq in tri__ref_type() */
    tri__store_release((const tri_type **)(object + slot_bytes - TRI_WORD),
                       tri__type_to_store(type));
    tri__double_check_object(object, type, bytes);
    return object;
}

/* Among objects of other types. */
static uintptr_t take_mixed(struct tri__cache *cache, const tri_type *type, size_t bytes)
{
    if (bytes <= TRI__BITMAP_BYTES)
        return take_bitmap(cache, type, bytes);
    if (bytes <= FOOTER_MAX)
        return take_footer(cache, type, bytes);
    return tri__large_alloc(cache, type, bytes);
}

/* One element. If the run it is taken from was not laid out for it, or the inline path looks into
 * another one, the next will come here again: that makes a type hot. */
static uintptr_t take_single(struct tri__cache *cache, const tri_type *type)
{
    uintptr_t object = take_typed(cache, type);

    if (object != 0)
        return object;
    object = take_mixed(cache, type, type->size);
    if (object != 0 &&
        (cache->front.runs[type->span_class].tag != type || tri__typed_run(type) != 0))
        tri__typed_missed(&cache->heat, type);
    return object;
}

static uintptr_t take_object(struct tri__cache *cache, const tri_type *type, size_t bytes)
{
    /* [inv.type.held]; types without a state may have been forgotten again, held as they are. */
    TRI__CHECK(!tri__type_has_state(type) || tri__type_part_is_held(type));
    if (bytes == type->size && tri__type_has_state(type))
        return take_single(cache, type);
    return take_mixed(cache, type, bytes);
}

static void *alloc_object(const tri_type *type, size_t bytes)
{
    struct tri__cache *cache = current_cache();
    uintptr_t object;

    tri__type_check_use(type);
    if (!tri__type_is_pointerful(type))
        return alloc_leaf_of(cache, type, bytes);
    if (bytes == 0)
        bytes = TRI_WORD;
    if (bytes > tri__heap.bytes || tri__type_prepare(type) != 0)
        return fail();
    tri__heap_hold_type(type);
    for (unsigned attempt = 0; (object = take_object(cache, type, bytes)) == 0; attempt++)
        if (!tri__heap.hooks.out_of_memory(cache, bytes, attempt))
            return fail();
    return (void *)object;
}

void *tri__alloc_slow(const tri_type *type)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP("tri_new or tri_alloc");
    return alloc_object(type, type->size);
}

void *tri_alloc_array(const tri_type *type, size_t n)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    size_t bytes;

    if (__builtin_mul_overflow(type->size, n, &bytes))
        return fail();
    return alloc_object(type, bytes);
}

void *tri_alloc_flex(const tri_type *type, size_t n)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    size_t bytes;

    if (type->tail == NULL)
        tri__fatal("tri_alloc_flex: type '%s' has no flexible tail; "
                   "declare it with TRI_FLEX_TYPE or use tri_alloc_array",
                   type->name != NULL ? type->name : "?");
    if (__builtin_mul_overflow(type->tail->size, n, &bytes) ||
        __builtin_add_overflow(bytes, type->size, &bytes))
        return fail();
    return alloc_object(type, bytes);
}

void *tri_alloc_bytes(size_t n)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    return alloc_leaf(current_cache(), n);
}

void *tri_alloc_conservative(size_t n)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    size_t rounded = (n + TRI_WORD - 1) & ~(size_t)(TRI_WORD - 1);

    if (rounded < n)
        return fail();
    return alloc_object(&tri_type_conservative, rounded);
}

char *tri_strdup(const char *s)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    size_t bytes = strlen(s) + 1;
    char *copy = tri_alloc_bytes(bytes);

    return copy == NULL ? NULL : memcpy(copy, s, bytes);
}
