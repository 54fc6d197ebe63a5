/* SPDX-License-Identifier: MIT */
/* The page heap: first fit over a tree of summaries (see page_heap.h).
 *
 * Pages are numbered from the base of the heap. Every change goes the same way: bits of the chunks,
 * then the summaries above them, then the counter. */
#include "heap/page_heap.h"

#include <string.h>

#include "base/fatal.h"
#include "base/os.h"

#define NOTHING SIZE_MAX

/* ---- Pages, addresses, chunks ---- */

static uintptr_t page_to_address(const struct tri__page_heap *heap, size_t page)
{
    return heap->base + (page << TRI__PAGE_SHIFT);
}

/* Checks an address that comes from outside, and the pages behind it, against what was
 * committed. */
static size_t address_to_page(const struct tri__page_heap *heap, uintptr_t address, size_t npages)
{
    uintptr_t offset = address - heap->base;
    size_t page = offset >> TRI__PAGE_SHIFT;
    size_t end = heap->next_chunk * TRI__CHUNK_PAGES;
    TRI__ASSERT(offset % TRI__PAGE_BYTES == 0);
    TRI__ASSERT(page < end && npages >= 1 && npages <= end - page);
    return page;
}

/* A run of pages is worked off in pieces, one a chunk. */
struct piece {
    size_t chunk;
    unsigned first;
    unsigned count;
};

static struct piece piece_at(size_t page, size_t npages)
{
    struct piece piece = {.chunk = page / TRI__CHUNK_PAGES, .first = page % TRI__CHUNK_PAGES};
    size_t room = TRI__CHUNK_PAGES - piece.first;
    piece.count = (unsigned)(npages < room ? npages : room);
    return piece;
}

static size_t chunks_touched(size_t page, size_t npages)
{
    return (page + npages - 1) / TRI__CHUNK_PAGES - page / TRI__CHUNK_PAGES + 1;
}

/* ---- Summaries ---- */

struct tri__page_summary tri__page_summaries_merge(const struct tri__summary_level *below,
                                                   size_t i)
{
    const struct tri__page_summary *children = &below->entries[i * TRI__SUMMARY_FANOUT];
    struct tri__page_summary sum = {0, 0, 0};
    bool all_free = true; /* in all children so far */
    for (unsigned c = 0; c < TRI__SUMMARY_FANOUT; c++) {
        struct tri__page_summary child = children[c];
        uint32_t across = sum.end + child.start;
        if (all_free)
            sum.start = across;
        sum.max = across > sum.max ? across : sum.max;
        sum.max = child.max > sum.max ? child.max : sum.max;
        bool child_free = child.start == below->entry_pages;
        all_free = all_free && child_free;
        sum.end = child_free ? across : child.end;
    }
    return sum;
}

/* true: that is news. */
static bool set_summary(struct tri__page_summary *entry, struct tri__page_summary sum)
{
    bool same = entry->start == sum.start && entry->max == sum.max && entry->end == sum.end;
    *entry = sum;
    return !same;
}

/* Goes up only as far as something changes: most requests leave the longest run of a group
 * alone. */
void tri__page_heap_summarize_locked(struct tri__page_heap *heap, size_t first_chunk, size_t chunks)
{
    size_t first = first_chunk, last = first_chunk + chunks - 1;
    bool changed = false;
    for (size_t c = first; c <= last; c++)
        changed |= set_summary(&heap->levels[0].entries[c],
                               tri__page_bits_summarize(&heap->chunks[c].used));
    for (unsigned level = 1; changed && level <= heap->top; level++) {
        first /= TRI__SUMMARY_FANOUT;
        last /= TRI__SUMMARY_FANOUT;
        changed = false;
        for (size_t i = first; i <= last; i++)
            changed |= set_summary(&heap->levels[level].entries[i],
                                   tri__page_summaries_merge(&heap->levels[level - 1], i));
    }
}

/* ---- Search ---- */

/* Where a run was found: at `page`, if it crosses entries; inside `entry`, which is to be
 * searched one level down; or nowhere, both NOTHING. */
struct place {
    size_t page;
    size_t entry;
};

/* Looks through entries [first, first + count) of a level for the lowest run of npages. */
static struct place search_level(const struct tri__summary_level *level, size_t first, size_t count,
                                 size_t npages)
{
    size_t run = 0; /* free pages that end where entry i begins */
    for (size_t i = first; i < first + count; i++) {
        struct tri__page_summary entry = level->entries[i];
        if (run + entry.start >= npages)
            return (struct place){.page = i * level->entry_pages - run, .entry = NOTHING};
        if (entry.max >= npages)
            return (struct place){.page = NOTHING, .entry = i};
        run = entry.start == level->entry_pages ? run + entry.start : entry.end;
    }
    return (struct place){.page = NOTHING, .entry = NOTHING};
}

/* The first of the lowest npages consecutive free pages, or NOTHING. */
static size_t find_locked(const struct tri__page_heap *heap, size_t npages)
{
    size_t first = 0, count = heap->levels[heap->top].count;
    for (unsigned level = heap->top;; level--) {
        struct place place = search_level(&heap->levels[level], first, count, npages);
        if (place.entry == NOTHING)
            return place.page;
        if (level == 0) {
            const struct tri__page_chunk *chunk = &heap->chunks[place.entry];
            return place.entry * TRI__CHUNK_PAGES +
                   tri__page_bits_find(&chunk->used, (unsigned)npages);
        }
        first = place.entry * TRI__SUMMARY_FANOUT;
        count = TRI__SUMMARY_FANOUT;
    }
}

/* ---- Growth ---- */

/* Commits chunks at or above next_chunk; what is skipped can never be used. */
bool tri__page_heap_commit_locked(struct tri__page_heap *heap, size_t first_chunk, size_t chunks)
{
    TRI__ASSERT(first_chunk >= heap->next_chunk);
    size_t pages = chunks * TRI__CHUNK_PAGES;
    if (first_chunk > heap->reserved_chunks || chunks > heap->reserved_chunks - first_chunk)
        return false;
    if (pages > heap->limit_pages || heap->committed_pages > heap->limit_pages - pages)
        return false;
    uintptr_t start = page_to_address(heap, first_chunk * TRI__CHUNK_PAGES);
    if (heap->commit((void *)start, chunks * TRI__CHUNK_BYTES) != 0)
        return false;
    heap->next_chunk = first_chunk + chunks;
    tri__add_single_writer(&heap->committed_pages, pages);
    tri__page_heap_summarize_locked(heap, first_chunk, chunks);
    return true;
}

/* Free pages at the end of what is committed. Called when no run of npages is free, so that the
 * walk is not longer than npages. */
static size_t free_tail_locked(const struct tri__page_heap *heap)
{
    size_t tail = 0;
    for (size_t c = heap->next_chunk; c > 0; c--) {
        struct tri__page_summary chunk = heap->levels[0].entries[c - 1];
        tail += chunk.end;
        if (chunk.end != TRI__CHUNK_PAGES)
            break;
    }
    return tail;
}

/* Commits as many chunks as make npages consecutive pages free, and returns the first of these. */
static size_t grow_locked(struct tri__page_heap *heap, size_t npages)
{
    if (npages > heap->reserved_chunks * TRI__CHUNK_PAGES)
        return NOTHING;
    size_t tail = free_tail_locked(heap);
    size_t chunks = (npages - tail + TRI__CHUNK_PAGES - 1) / TRI__CHUNK_PAGES;
    size_t page = heap->next_chunk * TRI__CHUNK_PAGES - tail;
    return tri__page_heap_commit_locked(heap, heap->next_chunk, chunks) ? page : NOTHING;
}

static size_t find_or_grow_locked(struct tri__page_heap *heap, size_t npages)
{
    size_t page = find_locked(heap, npages);
    return page != NOTHING ? page : grow_locked(heap, npages);
}

/* ---- Alloc and free ---- */

/* Marks free pages used. true: some of them are dirty. */
static bool use_pages_locked(struct tri__page_heap *heap, size_t page, size_t npages)
{
    unsigned dirty = 0;
    for (size_t left = npages; left > 0;) {
        struct piece piece = piece_at(page + npages - left, left);
        struct tri__page_chunk *chunk = &heap->chunks[piece.chunk];
        tri__page_bits_set_range(&chunk->used, piece.first, piece.count);
        dirty |= tri__page_bits_count_range(&chunk->dirty, piece.first, piece.count);
        left -= piece.count;
    }
    tri__page_heap_summarize_locked(heap, page / TRI__CHUNK_PAGES, chunks_touched(page, npages));
    tri__add_single_writer(&heap->used_pages, npages);
    return dirty != 0;
}

bool tri__page_heap_alloc_locked(struct tri__page_heap *heap, size_t npages, uintptr_t *address,
                                 bool *dirty)
{
    TRI__ASSERT(npages >= 1);
    size_t page = find_or_grow_locked(heap, npages);
    if (page == NOTHING)
        return false;
    *address = page_to_address(heap, page);
    *dirty = use_pages_locked(heap, page, npages);
    return true;
}

/* Before anything is changed, so that a double free leaves a heap one can look at. */
static bool all_used_locked(const struct tri__page_heap *heap, size_t page, size_t npages)
{
    for (size_t left = npages; left > 0;) {
        struct piece piece = piece_at(page + npages - left, left);
        const struct tri__page_bits *used = &heap->chunks[piece.chunk].used;
        if (tri__page_bits_count_range(used, piece.first, piece.count) != piece.count)
            return false;
        left -= piece.count;
    }
    return true;
}

void tri__page_heap_free_locked(struct tri__page_heap *heap, uintptr_t address, size_t npages)
{
    size_t page = address_to_page(heap, address, npages);
    TRI__ASSERT(all_used_locked(heap, page, npages));
    for (size_t left = npages; left > 0;) {
        struct piece piece = piece_at(page + npages - left, left);
        struct tri__page_chunk *chunk = &heap->chunks[piece.chunk];
        tri__page_bits_clear_range(&chunk->used, piece.first, piece.count);
        tri__page_bits_set_range(&chunk->dirty, piece.first, piece.count);
        left -= piece.count;
    }
    tri__page_heap_summarize_locked(heap, page / TRI__CHUNK_PAGES, chunks_touched(page, npages));
    tri__add_single_writer(&heap->used_pages, -npages);
}

/* ---- Windows of 64 pages: one word of a chunk's bitmaps ---- */

static bool take_window_locked(struct tri__page_heap *heap, uintptr_t *window, uint64_t *vacant,
                               uint64_t *dirty)
{
    size_t page = find_or_grow_locked(heap, 1);
    if (page == NOTHING)
        return false;
    struct tri__page_chunk *chunk = &heap->chunks[page / TRI__CHUNK_PAGES];
    size_t w = page % TRI__CHUNK_PAGES / 64;
    *window = page_to_address(heap, page - page % 64);
    *vacant = ~chunk->used.word[w];
    *dirty = chunk->dirty.word[w] & *vacant;
    chunk->used.word[w] = UINT64_MAX;
    tri__page_heap_summarize_locked(heap, page / TRI__CHUNK_PAGES, 1);
    tri__add_single_writer(&heap->used_pages, (size_t)__builtin_popcountll(*vacant));
    return true;
}

static void return_window_locked(struct tri__page_heap *heap, uintptr_t window, uint64_t vacant,
                                 uint64_t dirty)
{
    size_t page = address_to_page(heap, window, 64);
    struct tri__page_chunk *chunk = &heap->chunks[page / TRI__CHUNK_PAGES];
    size_t w = page % TRI__CHUNK_PAGES / 64;
    TRI__ASSERT(page % 64 == 0);
    TRI__ASSERT((chunk->used.word[w] & vacant) == vacant);
    chunk->used.word[w] &= ~vacant;
    chunk->dirty.word[w] = (chunk->dirty.word[w] & ~vacant) | (dirty & vacant);
    tri__page_heap_summarize_locked(heap, page / TRI__CHUNK_PAGES, 1);
    tri__add_single_writer(&heap->used_pages, -(size_t)__builtin_popcountll(vacant));
}

/* ---- The functions that lock ---- */

void tri__page_heap_lock(struct tri__page_heap *heap)
{
    int error = pthread_mutex_lock(&heap->lock);
    TRI__ASSERT(error == 0);
}

void tri__page_heap_unlock(struct tri__page_heap *heap)
{
    int error = pthread_mutex_unlock(&heap->lock);
    TRI__ASSERT(error == 0);
}

bool tri__page_heap_alloc(struct tri__page_heap *heap, size_t npages, uintptr_t *address,
                          bool *dirty)
{
    tri__page_heap_lock(heap);
    bool done = tri__page_heap_alloc_locked(heap, npages, address, dirty);
    tri__page_heap_unlock(heap);
    return done;
}

void tri__page_heap_free(struct tri__page_heap *heap, uintptr_t address, size_t npages)
{
    tri__page_heap_lock(heap);
    tri__page_heap_free_locked(heap, address, npages);
    tri__page_heap_unlock(heap);
}

bool tri__page_heap_take_window(struct tri__page_heap *heap, uintptr_t *window, uint64_t *vacant,
                                uint64_t *dirty)
{
    tri__page_heap_lock(heap);
    bool done = take_window_locked(heap, window, vacant, dirty);
    tri__page_heap_unlock(heap);
    return done;
}

void tri__page_heap_return_window(struct tri__page_heap *heap, uintptr_t window, uint64_t vacant,
                                  uint64_t dirty)
{
    tri__page_heap_lock(heap);
    return_window_locked(heap, window, vacant, dirty);
    tri__page_heap_unlock(heap);
}

void tri__page_heap_set_limit(struct tri__page_heap *heap, size_t pages)
{
    tri__page_heap_lock(heap);
    heap->limit_pages = pages;
    tri__page_heap_unlock(heap);
}

/* ---- Setting up ---- */

/* Counts are rounded up to whole groups of children: the entries too many stay zero, "nothing
 * free". */
static void shape_levels(struct tri__page_heap *heap)
{
    size_t count = heap->reserved_chunks, entry_pages = TRI__CHUNK_PAGES;
    for (unsigned level = 0;; level++) {
        size_t groups = (count + TRI__SUMMARY_FANOUT - 1) / TRI__SUMMARY_FANOUT;
        TRI__ASSERT(level < TRI__SUMMARY_LEVELS);
        heap->levels[level].count = groups * TRI__SUMMARY_FANOUT;
        heap->levels[level].entry_pages = entry_pages;
        heap->top = level;
        if (count <= TRI__SUMMARY_TOP)
            return;
        count = groups;
        entry_pages *= TRI__SUMMARY_FANOUT;
    }
}

static size_t metadata_bytes(const struct tri__page_heap *heap)
{
    size_t entries = 0;
    for (unsigned level = 0; level <= heap->top; level++)
        entries += heap->levels[level].count;
    size_t bytes = heap->reserved_chunks * sizeof(struct tri__page_chunk) +
                   entries * sizeof(struct tri__page_summary);
    size_t os_page = tri__os_page_size();
    return (bytes + os_page - 1) / os_page * os_page;
}

/* Chunks first: they fill whole cache lines from the start of the mapping on. */
static void place_metadata(struct tri__page_heap *heap)
{
    heap->chunks = heap->metadata;
    struct tri__page_summary *next = (void *)(heap->chunks + heap->reserved_chunks);
    for (unsigned level = 0; level <= heap->top; level++) {
        heap->levels[level].entries = next;
        next += heap->levels[level].count;
    }
}

bool tri__page_heap_init(struct tri__page_heap *heap, uintptr_t base, size_t reserved_pages,
                         int (*commit)(void *start, size_t bytes))
{
    TRI__ASSERT(base % TRI__PAGE_BYTES == 0);
    TRI__ASSERT(reserved_pages <= UINT32_MAX); /* summaries count pages in 32 bits */
    memset(heap, 0, sizeof(*heap));
    heap->base = base;
    heap->reserved_chunks = reserved_pages / TRI__CHUNK_PAGES;
    heap->commit = commit;
    heap->limit_pages = SIZE_MAX;
    shape_levels(heap);
    heap->metadata_bytes = metadata_bytes(heap);
    heap->metadata = tri__os_map(heap->metadata_bytes);
    if (heap->metadata == NULL)
        return false;
    if (pthread_mutex_init(&heap->lock, NULL) != 0) {
        tri__os_unmap(heap->metadata, heap->metadata_bytes);
        heap->metadata = NULL;
        return false;
    }
    place_metadata(heap);
    return true;
}

void tri__page_heap_release(struct tri__page_heap *heap)
{
    if (heap->metadata == NULL)
        return;
    int error = pthread_mutex_destroy(&heap->lock);
    TRI__ASSERT(error == 0);
    tri__os_unmap(heap->metadata, heap->metadata_bytes);
    memset(heap, 0, sizeof(*heap));
}
