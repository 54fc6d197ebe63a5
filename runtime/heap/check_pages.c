/* SPDX-License-Identifier: MIT */
/* The structural check of the page heap and of the page table over it.
 *
 * Under the page heap's lock its bits, summaries and counts stand still; and so does the rule that
 * a page in the page table is in use: it is entered after it was taken, and taken out before it is
 * given back. */
#include "base/chaos.h"
#include "heap/check.h"

/* What describes chunks that are not committed is zero, and so much of it is looked at: all of it
 * would be megabytes. */
#define BEYOND 64u

/* ---- bits, summaries, counts ---- */

static bool is_same(const struct tri__page_summary *a, const struct tri__page_summary *b)
{
    return a->start == b->start && a->max == b->max && a->end == b->end;
}

static void complain_of_summary(struct tri__check *check, unsigned level, size_t i,
                                const struct tri__page_summary *is,
                                const struct tri__page_summary *should)
{
    tri__check_defect(check,
                      "summary %zu of level %u says %u, %u, %u free pages (start, longest, end); "
                      "it should be %u, %u, %u",
                      i, level, is->start, is->max, is->end, should->start, should->max,
                      should->end);
}

static void check_chunk_locked(struct tri__check *check, const struct tri__page_heap *heap,
                               size_t chunk)
{
    static const struct tri__page_summary nothing;
    struct tri__page_summary should = nothing;

    if (chunk < heap->next_chunk)
        should = tri__page_bits_summarize(&heap->chunks[chunk].used);
    else if (!tri__check_is_zero((uintptr_t)&heap->chunks[chunk], sizeof heap->chunks[chunk]))
        tri__check_defect(check, "chunk %zu has a bit set, but only %zu are committed", chunk,
                          heap->next_chunk);
    if (!is_same(&heap->levels[0].entries[chunk], &should))
        complain_of_summary(check, 0, chunk, &heap->levels[0].entries[chunk], &should);
}

/* The lower level was checked before; what both have wrong is told once. */
static void check_level_locked(struct tri__check *check, const struct tri__page_heap *heap,
                               unsigned level, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct tri__page_summary should = tri__page_summaries_merge(&heap->levels[level - 1], i);

        if (!is_same(&heap->levels[level].entries[i], &should))
            complain_of_summary(check, level, i, &heap->levels[level].entries[i], &should);
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t count_used_locked(const struct tri__page_heap *heap)
{
    size_t count = 0;

    for (size_t chunk = 0; chunk < heap->next_chunk; chunk++)
        count += tri__page_bits_count_range(&heap->chunks[chunk].used, 0, TRI__CHUNK_PAGES);
    return count;
}

static void check_counts_locked(struct tri__check *check, const struct tri__page_heap *heap)
{
    size_t used = count_used_locked(heap);

    if (heap->used_pages != used)
        tri__check_defect(check, "the count of pages in use is %zu, but %zu bits are set",
                          heap->used_pages, used);
    if (heap->committed_pages != heap->next_chunk * TRI__CHUNK_PAGES ||
        heap->next_chunk > heap->reserved_chunks)
        tri__check_defect(check,
                          "%zu pages are committed by the count, but %zu chunks, of %zu reserved",
                          heap->committed_pages, heap->next_chunk, heap->reserved_chunks);
}

static void check_entered_locked(struct tri__check *check, const struct tri__page_heap *heap)
{
    size_t pages = heap->next_chunk * TRI__CHUNK_PAGES;

    for (size_t page = 0; page < pages; page++)
        if (tri__load_relaxed(&tri__heap.page_class[page]) != TRI__NO_SPAN &&
            !tri__page_is_used_locked(heap, page))
            tri__check_defect(check, "page %zu is in a span, and free by the page heap's bits",
                              page);
    for (size_t page = pages; page < least(pages + BEYOND, tri__heap.bytes >> TRI__PAGE_SHIFT);
         page++)
        if (tri__load_relaxed(&tri__heap.page_class[page]) != TRI__NO_SPAN)
            tri__check_defect(check, "page %zu is in a span, and is not committed", page);
}

void tri__check_page_heap(struct tri__check *check, struct tri__page_heap *heap)
{
    size_t count;

    tri__page_heap_lock(heap);
    count = least(heap->next_chunk + BEYOND, heap->reserved_chunks);
    for (size_t chunk = 0; chunk < count; chunk++)
        check_chunk_locked(check, heap, chunk);
    for (unsigned level = 1; level <= heap->top; level++) {
        count = (count + TRI__SUMMARY_FANOUT - 1) / TRI__SUMMARY_FANOUT;
        check_level_locked(check, heap, level, count);
    }
    check_counts_locked(check, heap);
    check_entered_locked(check, heap);
    tri__page_heap_unlock(heap);
}

/* ---- the page table ---- */

/* The first page after the span's first one that does not lead to it; 0: all do. */
static size_t stray_page(const struct tri__span *span)
{
    size_t first = tri__page_of(span->base);

    for (size_t i = 1; i < span->pages; i++)
        /* acq <- rel in tri__span_publish() */
        if (tri__load_acquire(&tri__heap.page_class[first + i]) != span->span_class ||
            tri__load_relaxed(&tri__heap.page_span[first + i]) != span)
            return first + i;
    return 0;
}

/* A thread that is just entering the span has not got to its end: after its next safepoint it
 * has. */
static void check_extent(struct tri__check *check, const struct tri__span *span)
{
    size_t page = stray_page(span);

    if (page == 0)
        return;
    check->quiet();
    page = stray_page(span);
    if (page != 0)
        tri__check_defect(check,
                          "page %zu is one of the %zu of the span at %#zx, but entered with class "
                          "%u, not %u, and span %p, not %p",
                          page, span->pages, (size_t)span->base, tri__heap.page_class[page],
                          span->span_class, (void *)tri__heap.page_span[page], (const void *)span);
}

static void count_span(struct tri__check *check, const struct tri__span *span, size_t page)
{
    check->table_spans++;
    check->table_pages += span->pages;
    if (span->span_class == TRI__ARENA_SPAN) {
        check->arena_spans++;
    } else if (check->places[page] == 0) {
        check->lost_spans++;
        check->lost = span->base;
    }
}

static bool is_entered_at(const struct tri__span *span, size_t page)
{
    /* acq <- rel in tri__span_publish() */
    return tri__load_acquire(&tri__heap.page_class[page]) == span->span_class &&
           tri__load_relaxed(&tri__heap.page_span[page]) == span;
}

/* Does a page that leads to the span lie in it? The walk may have passed the first pages before
 * they were entered. */
static bool is_page_of(struct tri__check *check, const struct tri__span *span, size_t page)
{
    size_t first = tri__page_of(span->base);

    if (page < first || page - first >= span->pages || span->base % (1u << TRI__PAGE_SHIFT) != 0)
        return false;
    if (page == first || is_entered_at(span, first))
        return true;
    check->quiet();
    return is_entered_at(span, first);
}

/* Returns the page to go on with. */
static size_t check_entry(struct tri__check *check, size_t page, uint8_t span_class)
{
    const struct tri__span *span;

    tri__chaos(TRI__CHAOS_CHECK);
    span = tri__load_relaxed(&tri__heap.page_span[page]);
    if (span == NULL || span_class >= TRI__PAGE_CLASSES) {
        tri__check_defect(check, "page %zu is entered with class %u and span %p", page, span_class,
                          (const void *)span);
        return page + 1;
    }
    if (span->span_class != span_class || !is_page_of(check, span, page)) {
        tri__check_defect(check,
                          "page %zu is entered with class %u and a span of class %u that begins at "
                          "page %zu, and has no page before it",
                          page, span_class, span->span_class, tri__page_of(span->base));
        return page + 1;
    }
    if (!tri__check_shape(check, span))
        return page + 1;
    check_extent(check, span);
    page = tri__page_of(span->base);
    count_span(check, span, page);
    return page + span->pages;
}

void tri__check_page_table(struct tri__check *check)
{
    size_t page = 0;

    while (page < check->pages) {
        /* acq <- rel in tri__span_publish(): nobody takes it out meanwhile [inv.check.frozen] */
        uint8_t span_class = tri__load_acquire(&tri__heap.page_class[page]);

        if (span_class == TRI__NO_SPAN)
            page++;
        else
            page = check_entry(check, page, span_class);
    }
}

/* ---- chunks of arenas ---- */

static void check_log_locked(struct tri__check *check, const struct tri__arena_chunk *chunk)
{
    /* acq <- rel in log_run() */
    uint32_t runs = tri__load_acquire(&chunk->runs);

    if (runs == 0 || runs > chunk->log_room) {
        tri__check_defect(check, "the log of the arena's chunk at %#zx has %u entries, of %u",
                          (size_t)chunk->span.base, runs, chunk->log_room);
        return;
    }
    for (uint32_t i = 0; i < runs; i++) {
        uint32_t offset = chunk->log[i].offset;

        if (offset >= chunk->bytes || (i == 0 ? offset != 0 : offset <= chunk->log[i - 1].offset))
            tri__check_defect(
                check, "entry %u of the log of the arena's chunk at %#zx begins at offset %u", i,
                (size_t)chunk->span.base, offset);
    }
}

static bool is_entered(const struct tri__arena_chunk *chunk)
{
    uintptr_t base = chunk->span.base;

    return tri__in_heap(base) && tri__span_at(base) == &chunk->span &&
           tri__load_relaxed(&tri__heap.page_class[tri__page_of(base)]) == TRI__ARENA_SPAN;
}

/* With the lock, and something used: its thread is not past tri__arena_cut(), so the chunk stays
 * what it is, and log and page table are there. */
static void check_live_locked(struct tri__check *check, const struct tri__arena_chunk *chunk)
{
    size_t used = tri__arena_used(chunk);

    if (tri__load_acquire(&chunk->state) != TRI__ARENA_LIVE || used == 0)
        return;
    check->taken_bytes += used;
    if (used > chunk->bytes || chunk->bytes != chunk->span.pages << TRI__PAGE_SHIFT)
        tri__check_defect(check, "the arena's chunk at %#zx uses %zu of %zu bytes in %zu pages",
                          (size_t)chunk->span.base, used, chunk->bytes, chunk->span.pages);
    else if (!is_entered(chunk))
        tri__check_defect(check, "the arena's chunk at %#zx is not in the page table",
                          (size_t)chunk->span.base);
    else
        check_log_locked(check, chunk);
    if (tri__load_relaxed(&chunk->span.own_colours[0]) != TRI__BLACK)
        tri__check_defect(check, "the arena's chunk at %#zx is used and not black",
                          (size_t)chunk->span.base);
}

/* Only the coordinator takes it out of the quarantine. */
static void check_freed(struct tri__check *check, const struct tri__arena_chunk *chunk)
{
    uint8_t colour = tri__load_relaxed(&chunk->span.own_colours[0]);

    if (!is_entered(chunk) || tri__arena_used(chunk) != 0 ||
        (colour != TRI__BLACK && colour != TRI__WHITE))
        tri__check_defect(check,
                          "the freed arena's chunk at %#zx uses %zu bytes, has colour %u, and is %s"
                          "in the page table",
                          (size_t)chunk->span.base, tri__arena_used(chunk), colour,
                          is_entered(chunk) ? "" : "not ");
}

static void count_chunk(struct tri__check *check, const struct tri__arena_chunk *chunk,
                        uint32_t state)
{
    if (state == TRI__ARENA_LIVE)
        check->arenas.live_bytes += chunk->bytes;
    if (state != TRI__ARENA_FREED)
        return;
    check->arenas.waiting_bytes += chunk->bytes;
    check->arenas.waiting_chunks++;
}

/* A descriptor that was never used has no lock yet. */
static void check_chunk(struct tri__arena_chunk *chunk, void *argument)
{
    struct tri__check *check = argument;
    uint32_t state = tri__load_acquire(&chunk->state); /* acq <- rel in set_up() and _retire() */

    if (state == TRI__ARENA_UNUSED)
        return;
    if (state > TRI__ARENA_FREED) {
        tri__check_defect(check, "the arena's chunk %p has state %u", (void *)chunk, state);
    } else if (state == TRI__ARENA_FREED) {
        check_freed(check, chunk);
    } else {
        pthread_mutex_lock(&chunk->scan_lock);
        check_live_locked(check, chunk);
        pthread_mutex_unlock(&chunk->scan_lock);
    }
    if (check->alone)
        count_chunk(check, chunk, state);
}

void tri__check_arenas(struct tri__check *check)
{
    tri__arena_chunks_each(check_chunk, check);
}
