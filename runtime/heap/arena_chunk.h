/* SPDX-License-Identifier: MIT */
/* A chunk of an arena: a run of pages that is filled front to back with values of any type.
 *
 * Out of the program's reach a chunk has a bitmap, one bit a word, by which markers scan it as a
 * root as long as its arena lives; and a log of what was allocated, by which an address is taken
 * back to its value. The order in which a value is added: its memory reads zero, the log, the bits,
 * and `used` last, with release. Who has loaded `used` with acquire may trust all that lies below
 * it, and nothing else [inv.arena.used].
 *
 * The life of a chunk:
 *
 *     UNUSED  --take, arena's thread-->  LIVE  --retire, arena's thread-->  FREED
 *     FREED  --quarantine's end, coordinator (arena_quarantine.c)-->  UNUSED
 *
 * Owner: the thread that uses the arena, and after retiring the quarantine. Locks: scan_lock.
 * See: docs/architecture.md "Arenas". */
#ifndef TRI__HEAP_ARENA_CHUNK_H
#define TRI__HEAP_ARENA_CHUNK_H

#include <pthread.h>

#include "heap/heap.h"
#include "layout/heap_bits.h"

/* Chunks are of 64 KiB << order; one that is made for a single large value, of the pages it
 * needs. */
#define TRI__ARENA_ORDERS 5u
#define TRI__ARENA_LEAST ((size_t)64 << 10)
#define TRI__ARENA_MOST (TRI__ARENA_LEAST << (TRI__ARENA_ORDERS - 1))

/* A marker holds the chunk's lock for so many bytes at a time: some microseconds. A multiple of
 * what one word of the bitmap stands for. */
#define TRI__ARENA_PIECE ((size_t)32 << 10)
#define TRI__ARENA_WINDOW ((size_t)64 * TRI_WORD)

enum tri__arena_state {
    TRI__ARENA_UNUSED,
    TRI__ARENA_LIVE,
    TRI__ARENA_FREED, /* protected; in quarantine */
};

/* An entry of the log: values of the same type and length, side by side, from offset on, up to the
 * next entry's offset or to what is used. */
struct tri__arena_run {
    uint32_t offset;
    uint32_t count;       /* elements of each value; if the type is flexible, of its tail */
    const tri_type *type; /* NULL: no values but a gap, for alignment */
};

struct tri__arena_chunk {
    struct tri__span span; /* first: the page table leads to it, pools and stacks link it */

    /* const since the descriptor was made */
    uint64_t *bits;             /* a bit for each word of the largest chunk of the order */
    struct tri__arena_run *log; /* behind the bits */
    uint32_t log_room;
    uint32_t order;

    /* const while the chunk is in use */
    uint64_t arena; /* number */
    uint64_t first; /* bytes that the arena had in chunks before this one */
    size_t bytes;

    /* owner */
    struct tri__arena_chunk *next; /* of the same arena; in quarantine */

    /* atomic, written by the owner */
    uint32_t state; /* enum tri__arena_state */
    uint32_t used;  /* bytes, from the chunk's beginning on */
    uint32_t runs;  /* entries of the log */

    /* Held by a marker while it reads a piece of the chunk, and by the owner while it lowers
     * `used`: whoever has lowered it knows that no marker reads above. Does not protect: adding
     * values. Nothing waits under it. */
    pthread_mutex_t scan_lock;
};

/* What the log knows of an address. */
struct tri__arena_value {
    uintptr_t base;
    size_t bytes; /* as asked for */
    size_t count; /* as in the log */
    const tri_type *type;
};

static inline struct tri__arena_chunk *tri__arena_chunk_of(struct tri__span *span)
{
    return (struct tri__arena_chunk *)(void *)span; /* span is the first member */
}

static inline size_t tri__arena_used(const struct tri__arena_chunk *chunk)
{
    return tri__load_acquire(&chunk->used); /* acq <- rel in tri__arena_append() */
}

/* Bytes that a value takes up: at least a word, so that each has an address of its own. */
static inline size_t tri__arena_stride(size_t bytes)
{
    size_t align = bytes <= TRI_WORD ? TRI_WORD : 2 * TRI_WORD;

    return bytes == 0 ? TRI_WORD : (bytes + align - 1) & ~(align - 1);
}

/* A live chunk of so many bytes, a multiple of the page, at most TRI__ARENA_MOST. NULL: no memory.
 * No safepoint. */
struct tri__arena_chunk *tri__arena_chunk_take(size_t bytes, uint64_t arena, uint64_t first);

/* Adds a value of `bytes` bytes; what it has taken of the chunk, a gap for alignment included, is
 * added to tri__arena_used(). 0: no room. `bytes` and `count` must fit each other; the type is
 * prepared. Owner. */
uintptr_t tri__arena_append(struct tri__arena_chunk *chunk, const tri_type *type, size_t count,
                            size_t bytes);

/* The value of a live chunk that the address lies in. false: there is none. Any thread that knows
 * the chunk not to be freed meanwhile. */
bool tri__arena_find(const struct tri__arena_chunk *chunk, uintptr_t address,
                     struct tri__arena_value *value);

/* The same for whoever does not know that. The coordinator, which alone makes chunks disappear. */
bool tri__arena_find_locking(struct tri__arena_chunk *chunk, uintptr_t address,
                             struct tri__arena_value *value);

/* Notes that the types in the chunk's log are in use [inv.type.retire]. Coordinator, while it
 * marks. */
void tri__arena_meet_types(const struct tri__arena_chunk *chunk);

/* The pointer words of the window at `offset`, a multiple of TRI__ARENA_WINDOW, that lie below
 * `used`. */
struct tri__type_pointers tri__arena_window(const struct tri__arena_chunk *chunk, size_t offset,
                                            size_t used);

/* The owner's last looks are done: from now on `used` is smaller. Waits for a marker that is
 * reading a piece. */
void tri__arena_cut(struct tri__arena_chunk *chunk, size_t used);

/* Gives the memory of a chunk that has been cut to 0 back, protects its addresses, and hands it to
 * the quarantine. `filled`: what was used before. Owner, for the last time. */
void tri__arena_retire(struct tri__arena_chunk *chunk, size_t filled);

/* Visits every chunk there is, in whatever state; new ones may be missed. */
void tri__arena_chunks_each(void (*function)(struct tri__arena_chunk *chunk, void *argument),
                            void *argument);

/* Takes a chunk that no word points to out of the page table; its pages are free again. false: the
 * system refused to make them accessible; nothing has changed. Coordinator. */
bool tri__arena_chunk_release(struct tri__arena_chunk *chunk);

/* For statistics, recent values. */
struct tri__arena_counts {
    uint64_t live_bytes;    /* of the chunks of arenas that are not freed */
    uint64_t waiting_bytes; /* addresses in quarantine */
    uint64_t waiting_chunks;
};
struct tri__arena_counts tri__arena_counts(void);

/* In a child of fork(), where threads have died with chunks in their hands, when the page table has
 * whole ones only: returns the bytes that live chunks have in use [inv.fork.rebuild]. */
uint64_t tri__arena_chunks_rebuild(void);

/* At shutdown: forgets all chunks, live ones included. Their pages go with the heap. */
void tri__arena_chunks_release(void);

#endif
