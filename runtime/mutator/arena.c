/* SPDX-License-Identifier: MIT */
/* Arenas as the program sees them (tricolor/arena.h): which chunk a value goes to, and the order in
 * which an arena is taken down.
 *
 * Owns: struct tri_arena. Threads: an arena belongs to whoever uses it; chunks are also markers'
 * (heap/arena_chunk.h). Locks: none but a chunk's own, in tri__arena_cut(). */
#define TRI_IMPLEMENTATION
#include "mutator/arena.h"

#include <errno.h>

#include <tricolor/alloc.h>
#include <tricolor/arena.h>
#include <tricolor/barrier.h>
#include <tricolor/thread.h>

#include "barrier/buffer.h"
#include "base/entry.h"
#include "base/fatal.h"
#include "base/pool.h"
#include "heap/arena_chunk.h"
#include "heap/arena_fault.h"
#include "heap/object.h"
#include "heap/watch.h"
#include "mutator/mutator.h"

#define SLAB_BYTES ((size_t)16 << 10)
#define REPORT_BYTES ((uint64_t)64 << 10) /* pacing looks at a thread at least this often */

/* Larger values get a chunk of their own, so that they do not cut a chunk short. */
#define SHARED_MAX (TRI__ARENA_MOST / 4)

_Static_assert(TRI_ARENA_VALUE_MAX == TRI__ARENA_MOST, "what lies in a chunk");

struct tri_arena {
    struct tri__stack_entry link; /* while it is free */
    uint32_t uses;                /* atomic: odd while the arena lives */
    uint64_t number;

    /* owner */
    struct tri__arena_chunk *current; /* that is being filled; NULL: none yet */
    struct tri__arena_chunk *chunks;  /* all of them */
    uint64_t bytes;                   /* in all of them */
    unsigned next_order;
};

static struct tri__pool pool = TRI__POOL_OF(struct tri_arena, SLAB_BYTES);
static uint64_t made, freed; /* atomic */

/* ---- handles ----
 *
 * What the program holds is the address of the block with its count of uses in the upper sixteen
 * bits, which no user address has: so an old handle is told from that of the arena which has the
 * block now. */

#define HANDLE_SHIFT 48

static tri_arena *handle_of(const struct tri_arena *arena, uint32_t uses)
{
    return (tri_arena *)((uintptr_t)arena | (uintptr_t)uses << HANDLE_SHIFT);
}

_Noreturn static void complain_of_handle(const tri_arena *handle, const char *function)
{
    tri__fatal("%s() of %p, an arena that was freed before; it is freed twice, or used after "
               "tri_arena_free()",
               function, (const void *)handle);
}

/* Attached, because only who answers handshakes may fill memory that markers read. */
static struct tri__cache *current_cache(void)
{
    tri__heap_take_over();
    if (TRI__UNLIKELY(tri__self->barrier == TRI__BARRIER_UNATTACHED))
        return tri__heap.hooks.attach();
    return (struct tri__cache *)tri__self;
}

static struct tri_arena *arena_of(const tri_arena *handle, const char *function)
{
    uintptr_t address = (uintptr_t)handle & ((UINT64_C(1) << HANDLE_SHIFT) - 1);
    struct tri_arena *arena = (struct tri_arena *)address;
    uint16_t uses = (uint16_t)((uintptr_t)handle >> HANDLE_SHIFT);

    current_cache(); /* first: after tri_shutdown() the block is gone */
    if (uses % 2 == 0)
        tri__fatal("%s() of %p, which is no arena; make one with tri_arena_new()", function,
                   (const void *)handle);
    if ((uint16_t)tri__load_relaxed(&arena->uses) != uses)
        complain_of_handle(handle, function);
    return arena;
}

static void *fail(void)
{
    errno = ENOMEM;
    return NULL;
}

tri_arena *tri_arena_new(void)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    struct tri__stack_entry *link;
    struct tri_arena *arena;

    current_cache();
    tri__arena_fault_install();
    link = tri__pool_take(&pool);
    if (link == NULL)
        return fail();
    arena = (struct tri_arena *)(void *)link; /* link is the first member */
    arena->number = tri__fetch_add_relaxed(&made, 1) + 1;
    arena->current = NULL;
    arena->chunks = NULL;
    arena->bytes = 0;
    arena->next_order = 0;
    tri__store_relaxed(&arena->uses, arena->uses + 1);
    return handle_of(arena, arena->uses);
}

/* ---- filling ---- */

static void poll(struct tri__cache *cache)
{
    if (tri__load_relaxed(&cache->front.request) != 0 || cache->unreported >= REPORT_BYTES)
        tri__heap.hooks.safepoint(cache);
}

/* Chunks double, so that a small arena costs little and a large one has few of them. */
static size_t next_chunk_bytes(struct tri_arena *arena, size_t stride)
{
    size_t bytes;

    if (stride > SHARED_MAX)
        return (stride + TRI__PAGE_BYTES - 1) & ~(TRI__PAGE_BYTES - 1);
    do
        bytes = TRI__ARENA_LEAST << arena->next_order;
    while (bytes < stride && ++arena->next_order < TRI__ARENA_ORDERS);
    if (arena->next_order < TRI__ARENA_ORDERS - 1)
        arena->next_order++;
    return bytes;
}

/* A safepoint. NULL: out of memory, after everything has been tried. */
static struct tri__arena_chunk *add_chunk(struct tri_arena *arena, struct tri__cache *cache,
                                          size_t stride)
{
    size_t bytes = next_chunk_bytes(arena, stride);
    struct tri__arena_chunk *chunk;

    for (unsigned attempt = 0;; attempt++) {
        chunk = tri__arena_chunk_take(bytes, arena->number, arena->bytes);
        if (chunk != NULL)
            break;
        if (!tri__heap.hooks.out_of_memory(cache, bytes, attempt))
            return NULL;
    }
    arena->bytes += bytes;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    if (stride <= SHARED_MAX)
        arena->current = chunk;
    return chunk;
}

/* Counts what is taken from the chunk, as tri__arena_retire() will count it as freed: gaps are part
 * of both. */
static uintptr_t append(struct tri__arena_chunk *chunk, struct tri__cache *cache,
                        const tri_type *type, size_t count, size_t bytes)
{
    size_t before = tri__arena_used(chunk);
    uintptr_t value = tri__arena_append(chunk, type, count, bytes);

    tri__add_single_writer(&cache->unreported, tri__arena_used(chunk) - before);
    return value;
}

static uintptr_t take_value(struct tri_arena *arena, struct tri__cache *cache, const tri_type *type,
                            size_t count, size_t bytes)
{
    size_t stride = tri__arena_stride(bytes);
    struct tri__arena_chunk *chunk;
    uintptr_t value = 0;

    if (arena->current != NULL && stride <= SHARED_MAX)
        value = append(arena->current, cache, type, count, bytes);
    if (value != 0)
        return value;
    chunk = add_chunk(arena, cache, stride);
    return chunk == NULL ? 0 : append(chunk, cache, type, count, bytes);
}

/* Too large for a chunk: an object of the heap, which a pointer in the arena keeps alive. */
static void *alloc_in_heap(struct tri_arena *arena, struct tri__cache *cache, const tri_type *type,
                           size_t count)
{
    uintptr_t holder = take_value(arena, cache, &tri_type_ptr, 1, TRI_WORD);
    void *object;

    if (holder == 0)
        return fail();
    object = type->tail != NULL ? tri_alloc_flex(type, count) : tri_alloc_array(type, count);
    tri_store((void **)holder, object);
    return object;
}

static void *alloc_value(struct tri_arena *arena, const tri_type *type, size_t count, size_t bytes)
{
    struct tri__cache *cache = current_cache();
    uintptr_t value;

    tri__type_check_use(type);
    tri__heap_hold_type(type); /* the log will name it */
    if (tri__type_prepare_shared(type) != 0)
        return fail();
    poll(cache);
    if (TRI__UNLIKELY(bytes > TRI_ARENA_VALUE_MAX))
        return alloc_in_heap(arena, cache, type, count);
    value = take_value(arena, cache, type, count, bytes);
    return value != 0 ? (void *)value : fail();
}

void *tri_arena_alloc(tri_arena *handle, const tri_type *type)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    return alloc_value(arena_of(handle, __func__), type, type->tail == NULL, type->size);
}

void *tri_arena_alloc_array(tri_arena *handle, const tri_type *type, size_t n)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    struct tri_arena *arena = arena_of(handle, __func__);
    size_t bytes;

    if (type->tail != NULL)
        tri__fatal("tri_arena_alloc_array: type '%s' is flexible and has no arrays; "
                   "use tri_arena_alloc_flex",
                   type->name != NULL ? type->name : "?");
    if (__builtin_mul_overflow(type->size, n, &bytes))
        return fail();
    return alloc_value(arena, type, bytes != 0 ? n : 0, bytes);
}

void *tri_arena_alloc_flex(tri_arena *handle, const tri_type *type, size_t n)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    struct tri_arena *arena = arena_of(handle, __func__);
    size_t bytes;

    if (type->tail == NULL)
        tri__fatal("tri_arena_alloc_flex: type '%s' has no flexible tail; "
                   "declare it with TRI_FLEX_TYPE or use tri_arena_alloc_array",
                   type->name != NULL ? type->name : "?");
    if (__builtin_mul_overflow(type->tail->size, n, &bytes) ||
        __builtin_add_overflow(bytes, type->size, &bytes))
        return fail();
    return alloc_value(arena, type, n, bytes);
}

/* ---- the end ---- */

/* What the chunk holds from `from` on is gone after this, as if NULL were stored to every word of
 * it: the old-value half of the barrier. */
static void shade_from(struct tri__writer *writer, const struct tri__arena_chunk *chunk,
                       size_t from, size_t used)
{
    for (size_t at = from; at < used; at += TRI__ARENA_WINDOW) {
        struct tri__type_pointers it = tri__arena_window(chunk, at, used);
        uintptr_t slot;

        while ((slot = tri__type_pointers_next(&it)) != 0)
            tri__shade_old(writer, tri__load_relaxed((uintptr_t *)slot));
    }
}

/* Piece by piece from the end. From the test of the barrier until the piece is cut off there is no
 * safepoint, as in a store [inv.barrier.window]; between two pieces there is one, so that a large
 * arena keeps nobody waiting [inv.arena.free]. */
static void unwind(struct tri__arena_chunk *chunk)
{
    size_t used;

    while ((used = tri__arena_used(chunk)) != 0) {
        struct tri__writer *writer = tri__shading_writer();
        size_t start = (used - 1) / TRI__ARENA_PIECE * TRI__ARENA_PIECE;

        if (writer != NULL)
            shade_from(writer, chunk, start, used);
        tri__arena_cut(chunk, start);
        tri_safepoint();
    }
}

static void free_chunks(struct tri_arena *arena)
{
    struct tri__arena_chunk *chunk = arena->chunks;

    while (chunk != NULL) {
        struct tri__arena_chunk *next = chunk->next;
        size_t filled = tri__arena_used(chunk);

        unwind(chunk);
        tri__arena_retire(chunk, filled);
        chunk = next;
    }
}

void tri_arena_free(tri_arena *handle)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    struct tri_arena *arena;
    uint32_t uses;

    if (handle == NULL)
        return;
    arena = arena_of(handle, __func__);
    uses = tri__load_relaxed(&arena->uses);
    /* Of two threads that free it at the same time one is told. */
    if (handle_of(arena, uses) != handle || !tri__cas_acqrel(&arena->uses, &uses, uses + 1))
        complain_of_handle(handle, __func__);
    free_chunks(arena);
    tri__fetch_add_relaxed(&freed, 1);
    tri__pool_give(&pool, &arena->link);
}

/* ---- keeping ---- */

static void *copy_value(const struct tri__arena_value *value)
{
    void *copy = value->type->tail != NULL ? tri_alloc_flex(value->type, value->count)
                                           : tri_alloc_array(value->type, value->count);

    if (copy != NULL && value->bytes != 0)
        tri_memcpy(copy, (const void *)value->base, value->bytes);
    return copy;
}

static void *keep_value(const struct tri__arena_chunk *chunk, uintptr_t address)
{
    struct tri__arena_value value;
    char *copy;

    if (tri__load_acquire(&chunk->state) != TRI__ARENA_LIVE) /* acq <- rel in tri__arena_retire() */
        tri__fatal("tri_arena_keep() of %p, which lies in arena %llu, freed before; "
                   "keep what is to outlive an arena before tri_arena_free()",
                   (void *)address, (unsigned long long)chunk->arena);
    if (!tri__arena_find(chunk, address, &value))
        tri__fatal("tri_arena_keep() of %p, which points to no value of arena %llu",
                   (void *)address, (unsigned long long)chunk->arena);
    copy = copy_value(&value);
    return copy != NULL ? copy + (address - value.base) : NULL;
}

void *tri_arena_keep(const void *p)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    uintptr_t address = (uintptr_t)p;
    struct tri__ref ref;

    current_cache();
    if (p == NULL)
        return NULL;
    if (!tri__locate(address, &ref) || !tri__is_allocated(&ref))
        tri__fatal("tri_arena_keep() of %p, which points into no arena and to no object of the "
                   "heap",
                   p);
    if (ref.span_class != TRI__ARENA_SPAN)
        return (void *)address;
    return keep_value(tri__arena_chunk_of(tri__span_at(address)), address);
}

/* ---- all of them ---- */

uint64_t tri__arenas_live(void)
{
    uint64_t gone = tri__load_relaxed(&freed);

    return tri__load_relaxed(&made) - gone;
}

void tri__arenas_release(void)
{
    tri__arena_chunks_release();
    tri__pool_release(&pool);
    made = freed = 0;
}
