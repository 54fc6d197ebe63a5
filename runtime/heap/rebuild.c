/* SPDX-License-Identifier: MIT */
/* The heap in a child of fork(): made anew from the page table.
 *
 * Threads of the parent have stopped between any two instructions; what they did without a lock is
 * half done. The page table is the one thing that is trusted: a span is there if all its pages are
 * entered, an object if its colour is not FREE. Lists, free pages and free descriptors follow.
 * Locks: rebuild_lock, while a heap is taken over; the page heap's.
 * See: docs/threads.md "fork". */
#include <pthread.h>

#include "base/fatal.h"
#include "heap/arena_chunk.h"
#include "heap/cache.h"
#include "heap/heap.h"

static pthread_mutex_t rebuild_lock = PTHREAD_MUTEX_INITIALIZER;

void tri__heap_before_fork(void)
{
    pthread_mutex_lock(&rebuild_lock);
}

void tri__heap_after_fork(void)
{
    pthread_mutex_unlock(&rebuild_lock);
}

/* One thread does it, and those that come meanwhile wait: nothing in the heap could be used. No
 * cycle is running that could wait for them. */
__attribute__((noinline, cold)) void tri__heap_take_over_slow(void)
{
    pthread_mutex_lock(&rebuild_lock);
    if (tri__load_relaxed(&tri__heap.orphaned))
        tri__heap.hooks.take_over();
    tri__store_release(&tri__heap.orphaned, false); /* rel -> acq in tri__heap_take_over() */
    pthread_mutex_unlock(&rebuild_lock);
}

/* ---- the page table ---- */

static size_t committed_pages(void)
{
    return tri__page_heap_committed(&tri__heap.pages);
}

static uintptr_t address_of(size_t page)
{
    return tri__heap.base + (page << TRI__PAGE_SHIFT);
}

/* Pages are entered in order, and taken out in order; so the first and the last tell. */
static bool is_whole(size_t page)
{
    const struct tri__span *span = tri__heap.page_span[page];
    size_t last = page + span->pages - 1;

    return span->base == address_of(page) && span->pages != 0 && last < committed_pages() &&
           tri__heap.page_class[page] == span->span_class &&
           tri__heap.page_class[last] == span->span_class && tri__heap.page_span[last] == span;
}

/* Visits each span that is in the table; the visitor may take it out. */
static void each_span(void (*visit)(struct tri__span *span, void *argument), void *argument)
{
    size_t pages = committed_pages(), next;

    for (size_t page = 0; page < pages; page = next) {
        struct tri__span *span = tri__heap.page_span[page];

        next = page + 1;
        if (tri__heap.page_class[page] == TRI__NO_SPAN)
            continue;
        next = page + span->pages;
        visit(span, argument);
    }
}

static void forget_page(size_t page)
{
    tri__store_relaxed(&tri__heap.page_class[page], TRI__NO_SPAN);
}

/* Spans that were just being made or freed: nobody has an object in them. */
static void take_out_parts(void)
{
    size_t pages = committed_pages(), page = 0;

    while (page < pages) {
        if (tri__heap.page_class[page] == TRI__NO_SPAN) {
            page++;
        } else if (is_whole(page)) {
            page += tri__heap.page_span[page]->pages;
        } else {
            forget_page(page);
            page++;
        }
    }
}

/* ---- descriptors and lists ---- */

static bool is_used(struct tri__stack_entry *link)
{
    const struct tri__span *span = tri__span_of_link(link);
    size_t page;

    if (!tri__in_heap(span->base))
        return false;
    page = tri__page_of(span->base);
    return tri__heap.page_class[page] != TRI__NO_SPAN && tri__heap.page_span[page] == span;
}

static void empty_lists(void)
{
    for (unsigned list = 0; list < TRI__LISTS; list++)
        for (unsigned side = 0; side < 2; side++) {
            tri__stack_init(&tri__heap.central[list].partial[side]);
            tri__stack_init(&tri__heap.central[list].full[side]);
        }
}

static void forget_count(struct tri__span *span, void *unused)
{
    (void)unused;
    if (tri__span_is_typed(span))
        tri__store_relaxed(&TRI__TYPE_STATE(span->type)->spans, 0);
}

struct sums {
    uint8_t side;
    uint64_t bytes; /* of objects */
    size_t pages;
};

/* Counted before it may be freed, which takes the count back [inv.typed.count]. */
static void settle_span(struct tri__span *span, void *argument)
{
    struct sums *sums = argument;
    uint32_t count;

    if (span->span_class == TRI__ARENA_SPAN) {
        sums->pages += span->pages;
        return;
    }
    if (tri__span_is_typed(span))
        tri__fetch_add_relaxed(&TRI__TYPE_STATE(span->type)->spans, 1);
    count = tri__span_whiten(span);
    if (count == 0) {
        tri__span_free(span);
        return;
    }
    sums->pages += span->pages;
    sums->bytes += count * span->slot_bytes;
    tri__file_span(span, sums->side);
}

/* ---- pages ---- */

static bool is_lost_locked(size_t page)
{
    return tri__heap.page_class[page] == TRI__NO_SPAN &&
           tri__page_is_used_locked(&tri__heap.pages, page);
}

/* What is in use, but in no span, was in a thread's page cache or in its hands. */
static void free_lost_pages_locked(void)
{
    size_t pages = committed_pages(), first = 0;

    while (first < pages) {
        size_t count = 0;

        while (first + count < pages && is_lost_locked(first + count))
            count++;
        if (count != 0)
            tri__page_heap_free_locked(&tri__heap.pages, address_of(first), count);
        first += count + 1;
    }
}

static void free_lost_pages(void)
{
    tri__page_heap_lock(&tri__heap.pages);
    free_lost_pages_locked();
    tri__page_heap_unlock(&tri__heap.pages);
}

/* ---- all of it ---- */

/* So that what is in use is what was found. */
static void settle_counters(uint64_t bytes)
{
    uint64_t gone = tri__load_relaxed(&tri__heap.freed) + tri__load_relaxed(&tri__heap.given_back);

    tri__store_relaxed(&tri__heap.allocated, gone + bytes);
}

uint64_t tri__heap_rebuild(uint8_t side)
{
    struct sums sums = {.side = side};

    take_out_parts();
    sums.bytes = tri__arena_chunks_rebuild();
    tri__spans_rebuild(is_used);
    empty_lists();
    each_span(forget_count, NULL);
    each_span(settle_span, &sums);
    free_lost_pages();
    settle_counters(sums.bytes);
    TRI__ASSERT(tri__page_heap_used(&tri__heap.pages) == sums.pages); /* [inv.fork.rebuild] */
    return sums.bytes;
}
