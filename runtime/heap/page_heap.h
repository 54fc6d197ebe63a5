/* SPDX-License-Identifier: MIT */
/* The page heap: hands out runs of pages of one reserved range, lowest address first.
 *
 * Owns: which pages are in use, and which were used before and so hold old bytes (`dirty`).
 * Locks: one mutex a heap, below every other lock: nothing is called under it but `commit`.
 * Threads: any.
 *
 * The range is cut into chunks of 512 pages, committed when first needed, in address order. A
 * chunk has two bitmaps and a summary of its free runs; above the summaries stands a tree of
 * them, each node summing up TRI__SUMMARY_FANOUT lower ones, so that a search of 256 GiB reads
 * some hundred entries. All metadata lies in one lazily backed mapping where zero means "not
 * committed, nothing free": what describes a chunk that is not committed is neither set up nor
 * backed by memory.
 * See: docs/architecture.md */
#ifndef TRI__HEAP_PAGE_HEAP_H
#define TRI__HEAP_PAGE_HEAP_H

#include <pthread.h>

#include "base/atomic.h"
#include "heap/page_bits.h"

#define TRI__SUMMARY_FANOUT 32u
#define TRI__SUMMARY_TOP 64u   /* the highest level has at most so many entries */
#define TRI__SUMMARY_LEVELS 5u /* enough for 2^32 pages; a range of 256 GiB has 3 */

struct tri__page_chunk {
    struct tri__page_bits used;
    struct tri__page_bits dirty;
};

/* One level of the tree: entry i stands for the pages [i * entry_pages, (i + 1) * entry_pages). */
struct tri__summary_level {
    struct tri__page_summary *entries;
    size_t count;
    size_t entry_pages;
};

struct tri__page_heap {
    /* const after init */
    uintptr_t base;
    size_t reserved_chunks;
    int (*commit)(void *start, size_t bytes); /* 0, or an error: then nothing was committed */
    struct tri__page_chunk *chunks;
    struct tri__summary_level levels[TRI__SUMMARY_LEVELS]; /* 0: the chunks */
    unsigned top;                                          /* highest level */
    void *metadata;
    size_t metadata_bytes;

    pthread_mutex_t lock; /* protects everything below; the counters are read without it */

    /* [lock] */
    size_t next_chunk;  /* chunks from here on are not committed */
    size_t limit_pages; /* the heap does not grow beyond it */

    /* atomic, written under the lock */
    size_t committed_pages;
    size_t used_pages; /* with those that page caches hold */
};

/* Makes an empty heap over [base, base + reserved_pages pages), of which whole chunks are used.
 * base is a multiple of the page size. false: no memory for the metadata. */
bool tri__page_heap_init(struct tri__page_heap *heap, uintptr_t base, size_t reserved_pages,
                         int (*commit)(void *start, size_t bytes));

/* Frees the metadata; nothing to do if init failed or never ran on this zeroed heap. The range
 * itself is the caller's. */
void tri__page_heap_release(struct tri__page_heap *heap);

/* Takes npages (>= 1) consecutive pages. *dirty: some of them may hold old bytes; else all read
 * zero. false: out of range, over the limit, or the commit failed; then nothing has changed. */
bool tri__page_heap_alloc(struct tri__page_heap *heap, size_t npages, uintptr_t *address,
                          bool *dirty);

/* Gives pages back, in whatever pieces. Fatal if one of them is not in use. */
void tri__page_heap_free(struct tri__page_heap *heap, uintptr_t address, size_t npages);

/* Takes every free page of the aligned 64-page window in which the lowest free page lies.
 * *window: its address. Bit i of *vacant: page i of it is now the caller's; bit i of *dirty: and
 * may hold old bytes. false as for tri__page_heap_alloc(). */
bool tri__page_heap_take_window(struct tri__page_heap *heap, uintptr_t *window, uint64_t *vacant,
                                uint64_t *dirty);

/* Gives such pages back as they were taken: those not in `dirty` still read zero. */
void tri__page_heap_return_window(struct tri__page_heap *heap, uintptr_t window, uint64_t vacant,
                                  uint64_t dirty);

/* Limits how much may be committed; what is committed already stays usable. SIZE_MAX: no limit. */
void tri__page_heap_set_limit(struct tri__page_heap *heap, size_t pages);

/* Recent values, without the lock. */
static inline size_t tri__page_heap_committed(const struct tri__page_heap *heap)
{
    return tri__load_relaxed(&heap->committed_pages);
}

static inline size_t tri__page_heap_used(const struct tri__page_heap *heap)
{
    return tri__load_relaxed(&heap->used_pages);
}

/* For fork() handlers, and around the _locked functions. */
void tri__page_heap_lock(struct tri__page_heap *heap);
void tri__page_heap_unlock(struct tri__page_heap *heap);

/* What the functions above do under the lock; tests use them to build a heap with holes. */
bool tri__page_heap_alloc_locked(struct tri__page_heap *heap, size_t npages, uintptr_t *address,
                                 bool *dirty);
void tri__page_heap_free_locked(struct tri__page_heap *heap, uintptr_t address, size_t npages);
bool tri__page_heap_commit_locked(struct tri__page_heap *heap, size_t first_chunk, size_t chunks);
void tri__page_heap_summarize_locked(struct tri__page_heap *heap, size_t first_chunk,
                                     size_t chunks);

static inline bool tri__page_is_used_locked(const struct tri__page_heap *heap, size_t page)
{
    const struct tri__page_bits *used = &heap->chunks[page / TRI__CHUNK_PAGES].used;

    return (used->word[page % TRI__CHUNK_PAGES / 64] >> (page % 64) & 1) != 0;
}

/* Sums up the TRI__SUMMARY_FANOUT entries of the level below that entry i of a level stands for. */
struct tri__page_summary tri__page_summaries_merge(const struct tri__summary_level *below,
                                                   size_t i);

#endif
