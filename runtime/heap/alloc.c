/* SPDX-License-Identifier: MIT */
/* The public allocation functions: from a type and a size to a slot with its layout written.
 *
 * Threads: any. Every path that can pass a safepoint does so before it takes a slot;
 * from the slot to the return there is none, so an object is never seen half laid out by
 * this thread's own answers. */
#include <tricolor/alloc.h>

#include <errno.h>
#include <string.h>

#include "base/fatal.h"
#include "heap/cache.h"
#include "heap/double_check.h"
#include "layout/heap_bits.h"
#include "layout/type.h"

#define FOOTER_MAX (TRI__SMALL_MAX - TRI_WORD) /* larger ones have a span of their own */
#define TINY_BLOCK ((size_t)16)
#define REPORT_BYTES ((uint64_t)64 << 10) /* pacing looks at a thread at least this often */

static struct tri__cache *current_cache(void)
{
    if (TRI__UNLIKELY(tri__self->barrier == TRI__BARRIER_UNATTACHED))
        return tri__heap.hooks.attach();
    return (struct tri__cache *)tri__self;
}

static bool refill(struct tri__cache *cache, uint8_t span_class, const tri_type *type)
{
    if (tri__load_relaxed(&cache->front.request) != 0 || cache->unreported >= REPORT_BYTES)
        tri__heap.hooks.safepoint(cache);
    return tri__cache_refill(cache, span_class, type);
}

/* Takes a slot, zeroed and in its colour; 0: out of memory, after everything has been tried. */
static uintptr_t take_slot(struct tri__cache *cache, uint8_t span_class, const tri_type *type)
{
    struct tri__run *run = &cache->front.runs[span_class];
    size_t bytes = tri__class_info[span_class].size;
    uintptr_t slot;

    for (unsigned attempt = 0; run->current + bytes > run->end; attempt++)
        if (!refill(cache, span_class, type) &&
            !tri__heap.hooks.out_of_memory(cache, bytes, attempt))
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

static void *alloc_large(struct tri__cache *cache, const tri_type *type, size_t bytes)
{
    uintptr_t object;

    if (bytes > tri__heap.bytes)
        return fail(); /* no collection could help */
    for (unsigned attempt = 0; (object = tri__large_alloc(cache, type, bytes)) == 0; attempt++)
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
        object = take_slot(cache, (uint8_t)(2 * TRI__SIZE_CLASS(TINY_BLOCK) + 1), NULL);
        if (object == 0)
            return fail();
        cache->tiny_end = object + TINY_BLOCK;
    }
    cache->tiny = object + bytes;
    return (void *)object;
}

static void *alloc_leaf(struct tri__cache *cache, size_t bytes)
{
    unsigned size_class = tri__size_to_class(bytes);
    uintptr_t object;

    if (bytes - 1 < TRI_WORD - 1)
        return alloc_tiny(cache, bytes);
    if (size_class == 0)
        return alloc_large(cache, NULL, bytes);
    object = take_slot(cache, (uint8_t)(2 * size_class + 1), NULL);
    return object != 0 ? (void *)object : fail();
}

static void *alloc_bitmap(struct tri__cache *cache, const tri_type *type, size_t bytes)
{
    uint8_t span_class = (uint8_t)(2 * tri__size_to_class(bytes));
    uintptr_t object = take_slot(cache, span_class, bytes == type->size ? type : NULL);
    struct tri__span *span;

    if (object == 0)
        return fail();
    if (cache->front.runs[span_class].tag == type && bytes == type->size)
        return (void *)object; /* the run carries the layout already */
    span = cache->spans[span_class];
    tri__heap_bits_write(span->bits, (object - span->base) / TRI_WORD,
                         (unsigned)(span->slot_bytes / TRI_WORD),
                         tri__type_object_mask(type, bytes));
    tri__double_check_object(object, type, bytes);
    return (void *)object;
}

static void *alloc_footer(struct tri__cache *cache, const tri_type *type, size_t bytes)
{
    uint8_t span_class = (uint8_t)(2 * tri__size_to_class(bytes + TRI_WORD));
    uintptr_t object = take_slot(cache, span_class, type);
    const tri_type **footer;

    if (object == 0)
        return fail();
    footer = (const tri_type **)(object + tri__class_info[span_class].size - TRI_WORD);
    tri__store_release(footer, tri__type_to_store(type)); /* rel -> acq in tri__ref_type() */
    tri__double_check_object(object, type, bytes);
    return (void *)object;
}

static void *alloc_object(const tri_type *type, size_t bytes)
{
    struct tri__cache *cache = current_cache();

    tri__type_check_use(type);
    if (!tri__type_is_pointerful(type))
        return alloc_leaf(cache, bytes);
    if (bytes == 0)
        bytes = TRI_WORD;
    if (tri__type_prepare(type) != 0)
        return fail();
    if (bytes <= TRI__BITMAP_BYTES)
        return alloc_bitmap(cache, type, bytes);
    if (bytes <= FOOTER_MAX)
        return alloc_footer(cache, type, bytes);
    return alloc_large(cache, type, bytes);
}

void *tri__alloc_slow(const tri_type *type)
{
    return alloc_object(type, type->size);
}

void *tri_alloc_array(const tri_type *type, size_t n)
{
    size_t bytes;

    if (__builtin_mul_overflow(type->size, n, &bytes))
        return fail();
    return alloc_object(type, bytes);
}

void *tri_alloc_flex(const tri_type *type, size_t n)
{
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
    return alloc_leaf(current_cache(), n);
}

void *tri_alloc_conservative(size_t n)
{
    size_t rounded = (n + TRI_WORD - 1) & ~(size_t)(TRI_WORD - 1);

    if (rounded < n)
        return fail();
    return alloc_object(&tri_type_conservative, rounded);
}

char *tri_strdup(const char *s)
{
    size_t bytes = strlen(s) + 1;
    char *copy = tri_alloc_bytes(bytes);

    return copy == NULL ? NULL : memcpy(copy, s, bytes);
}
