/* SPDX-License-Identifier: MIT */
/* The reserved range and its page table.
 *
 * Owns: struct tri__heap. Locks: the page heap's own. */
#include "heap/heap.h"

#include <errno.h>
#include <string.h>

#include "base/chaos.h"
#include "base/fatal.h"
#include "base/os.h"
#include "heap/typed.h"
#include "layout/own_mask.h"
#include "layout/type_hold.h"

static struct tri__cache *attach_too_early(void)
{
    tri__fatal("the heap was used before tri_init(), or after tri_shutdown(); "
               "call tri_init() first");
}

struct tri__heap tri__heap = {.hooks = {.attach = attach_too_early}};

#define DEFAULT_RESERVE ((size_t)256 << 30)
#define LEAST_RESERVE ((size_t)16 << 20)
#define CHUNK_BYTES ((size_t)4 << 20)

static size_t default_reserve(void)
{
    size_t memory = tri__os_physical_memory();

    return memory > DEFAULT_RESERVE / 4 ? memory * 4 : DEFAULT_RESERVE;
}

/* A range aligned to chunks; asks for half as much each time it is refused. */
static bool reserve_range(size_t bytes)
{
    for (bytes &= ~(CHUNK_BYTES - 1); bytes >= LEAST_RESERVE;
         bytes = bytes / 2 & ~(CHUNK_BYTES - 1)) {
        char *range = tri__os_reserve(bytes + CHUNK_BYTES);
        size_t head;

        if (range == NULL)
            continue;
        head = (CHUNK_BYTES - (uintptr_t)range % CHUNK_BYTES) % CHUNK_BYTES;
        if (head != 0)
            tri__os_unmap(range, head);
        tri__os_unmap(range + head + bytes, CHUNK_BYTES - head);
        tri__heap.base = (uintptr_t)range + head;
        tri__heap.bytes = bytes;
        return true;
    }
    return false;
}

static bool map_tables(void)
{
    size_t pages = tri__heap.bytes >> TRI__PAGE_SHIFT;

    tri__heap.page_class = tri__os_map(pages);
    tri__heap.page_span = tri__os_map(pages * sizeof(struct tri__span *));
    return tri__heap.page_class != NULL && tri__heap.page_span != NULL;
}

int tri__heap_init(size_t reserve, size_t memory_limit, const struct tri__heap_hooks *hooks)
{
    memset(&tri__heap, 0, sizeof tri__heap);
    tri__heap.hooks = *hooks;
    if (!reserve_range(reserve != 0 ? reserve : default_reserve()))
        return -ENOMEM;
    if (!map_tables() || !tri__page_heap_init(&tri__heap.pages, tri__heap.base,
                                              tri__heap.bytes >> TRI__PAGE_SHIFT, tri__os_commit)) {
        tri__heap_release();
        return -ENOMEM;
    }
    tri__heap_set_limit(memory_limit);
    return 0;
}

/* Of the large objects that are still there. */
static void free_own_layouts(void)
{
    size_t pages = tri__page_heap_committed(&tri__heap.pages);

    for (size_t page = 0; page < pages; page++) {
        struct tri__span *span = tri__heap.page_span[page];

        if (tri__heap.page_class[page] != TRI__LARGE_SPAN || span->own == NULL)
            continue;
        tri__own_layout_free(span->own);
        span->own = NULL; /* its other pages come next */
    }
}

/* What goes with objects and is not in their pages. Needs page table and descriptors. */
static void forget_objects(void)
{
    free_own_layouts();
    tri__typed_reset();
    tri__types_forget_held();
}

void tri__heap_release(void)
{
    size_t pages = tri__heap.bytes >> TRI__PAGE_SHIFT;

    if (tri__heap.page_class != NULL && tri__heap.page_span != NULL)
        forget_objects();
    tri__page_heap_release(&tri__heap.pages);
    if (tri__heap.page_class != NULL)
        tri__os_unmap(tri__heap.page_class, pages);
    if (tri__heap.page_span != NULL)
        tri__os_unmap(tri__heap.page_span, pages * sizeof(struct tri__span *));
    if (tri__heap.bytes != 0)
        tri__os_unmap((void *)tri__heap.base, tri__heap.bytes);
    tri__span_release_all();
    memset(&tri__heap, 0, sizeof tri__heap);
    tri__heap.hooks.attach = attach_too_early;
}

void tri__heap_set_limit(size_t bytes)
{
    tri__page_heap_set_limit(&tri__heap.pages,
                             bytes == SIZE_MAX ? SIZE_MAX : bytes >> TRI__PAGE_SHIFT);
}

#define CHAOS_PAGES 4 /* more of a large object would take too long */

void tri__span_publish(struct tri__span *span)
{
    size_t first = tri__page_of(span->base);

    for (size_t i = 0; i < span->pages; i++) {
        tri__store_relaxed(&tri__heap.page_span[first + i], span);
        if (i < CHAOS_PAGES)
            tri__chaos(TRI__CHAOS_PUBLISH);
        /* rel -> acq in tri__locate(): who sees the class sees the
         * descriptor and the cleared bits */
        tri__store_release(&tri__heap.page_class[first + i], span->span_class);
    }
}

void tri__span_retract(struct tri__span *span)
{
    size_t first = tri__page_of(span->base);

    for (size_t i = 0; i < span->pages; i++)
        tri__store_relaxed(&tri__heap.page_class[first + i], TRI__NO_SPAN);
}

void tri__span_free(struct tri__span *span)
{
    uintptr_t base = span->base;
    size_t pages = span->pages;
    struct tri__own_layout *own = span->own;

    tri__span_retract(span);
    tri__chaos(TRI__CHAOS_RETRACT);
    if (tri__span_is_typed(span))
        tri__fetch_sub_relaxed(&TRI__TYPE_STATE(span->type)->spans, 1);
    span->own = NULL;
    tri__span_delete(span); /* another thread's from now on */
    tri__own_layout_free(own);
    tri__page_heap_free(&tri__heap.pages, base, pages);
}

uint64_t tri__heap_in_use(void)
{
    uint64_t gone = tri__load_relaxed(&tri__heap.freed) + tri__load_relaxed(&tri__heap.given_back);
    uint64_t allocated = tri__load_relaxed(&tri__heap.allocated);

    /* Threads report what they allocated a little late. */
    return allocated > gone ? allocated - gone : 0;
}

/* By the page table, up to where pages have ever been committed. */
static void spans_each(bool leaf, void (*visit)(struct tri__span *span, void *argument),
                       void *argument)
{
    size_t pages = tri__page_heap_committed(&tri__heap.pages);

    for (size_t page = 0; page < pages; page++) {
        uint8_t span_class = tri__load_acquire(&tri__heap.page_class[page]);
        struct tri__span *span;

        if (span_class == TRI__NO_SPAN)
            continue;
        span = tri__load_relaxed(&tri__heap.page_span[page]);
        if (span->base == tri__heap.base + (page << TRI__PAGE_SHIFT) &&
            (tri__class_info[span_class].kind == TRI__KIND_LEAF) == leaf &&
            span_class != TRI__ARENA_SPAN)
            visit(span, argument);
    }
}

void tri__pointer_spans_each(void (*visit)(struct tri__span *span, void *argument), void *argument)
{
    spans_each(false, visit, argument);
}

void tri__leaf_spans_each(void (*visit)(struct tri__span *span, void *argument), void *argument)
{
    spans_each(true, visit, argument);
}
