/* SPDX-License-Identifier: MIT */
/* Chunks of arenas: filling them, looking a value up, giving the memory back.
 *
 * Owns: the pools of descriptors, one for each size. A descriptor keeps its bitmap and log for as
 * long as the heap lives. Locks: a chunk's scan_lock. */
#include "heap/arena_chunk.h"

#include <string.h>

#include "base/fatal.h"
#include "base/os.h"
#include "base/pool.h"
#include "heap/arena_quarantine.h"
#include "heap/double_check.h"
#include "heap/graves.h"
#include "heap/object.h"

_Static_assert(offsetof(struct tri__arena_chunk, span) == 0, "tri__arena_chunk_of casts");
_Static_assert(TRI__ARENA_PIECE % TRI__ARENA_WINDOW == 0, "pieces are made of windows");

#define SLAB_BYTES ((size_t)16 << 10)
#define POOL TRI__POOL_OF(struct tri__arena_chunk, SLAB_BYTES)

static struct tri__pool pools[TRI__ARENA_ORDERS] = {POOL, POOL, POOL, POOL, POOL};
static struct tri__arena_counts counts; /* atomic */

/* ---- descriptors ---- */

static struct tri__arena_chunk *chunk_of_link(struct tri__stack_entry *link)
{
    return tri__arena_chunk_of(tri__span_of_link(link));
}

static size_t order_bytes(unsigned order)
{
    return TRI__ARENA_LEAST << order;
}

static size_t bitmap_bytes(unsigned order)
{
    return order_bytes(order) / TRI_WORD / 8;
}

/* As much as the chunk, of which pages are used only as the log grows: an entry for each 16 bytes.
 * A log that is full ends the chunk early. */
static size_t metadata_bytes(unsigned order)
{
    size_t page = tri__os_page_size();

    return (bitmap_bytes(order) + order_bytes(order) + page - 1) / page * page;
}

static bool make_metadata(struct tri__arena_chunk *chunk, unsigned order)
{
    char *metadata = tri__os_map(metadata_bytes(order));

    if (metadata == NULL)
        return false;
    if (pthread_mutex_init(&chunk->scan_lock, NULL) != 0) {
        tri__os_unmap(metadata, metadata_bytes(order));
        return false;
    }
    chunk->order = order;
    chunk->log = (struct tri__arena_run *)(void *)(metadata + bitmap_bytes(order));
    chunk->log_room = (uint32_t)(order_bytes(order) / sizeof *chunk->log);
    /* Last: a thread may die here [inv.fork.cut]. rel -> acq in take_descriptor() */
    tri__store_release(&chunk->bits, (uint64_t *)(void *)metadata);
    return true;
}

static struct tri__arena_chunk *take_descriptor(size_t bytes)
{
    struct tri__stack_entry *link;
    struct tri__arena_chunk *chunk;
    unsigned order = 0;

    while (order_bytes(order) < bytes)
        order++;
    TRI__ASSERT(order < TRI__ARENA_ORDERS);
    link = tri__pool_take(&pools[order]);
    if (link == NULL)
        return NULL;
    chunk = chunk_of_link(link);
    /* acq <- rel in make_metadata() */
    if (tri__load_acquire(&chunk->bits) != NULL || make_metadata(chunk, order))
        return chunk;
    tri__pool_give(&pools[order], link);
    return NULL;
}

/* A live chunk is black, so that a word that points to it never makes it grey [inv.arena.root]. */
static void set_up(struct tri__arena_chunk *chunk, uintptr_t base, bool dirty)
{
    struct tri__span *span = &chunk->span;

    span->base = base;
    span->pages = chunk->bytes >> TRI__PAGE_SHIFT;
    span->slot_bytes = chunk->bytes;
    span->slots = 1;
    span->span_class = TRI__ARENA_SPAN;
    span->colours = span->own_colours;
    span->dirty = dirty;
    tri__store_relaxed(&span->own_colours[0], (uint8_t)TRI__BLACK);
    tri__store_relaxed(&chunk->used, 0);
    tri__store_relaxed(&chunk->runs, 0);
    tri__store_release(&chunk->state, TRI__ARENA_LIVE); /* rel -> acq in tri__arena_resolve() */
}

struct tri__arena_chunk *tri__arena_chunk_take(size_t bytes, uint64_t arena, uint64_t first)
{
    struct tri__arena_chunk *chunk = take_descriptor(bytes);
    uintptr_t base;
    bool dirty;

    if (chunk == NULL)
        return NULL;
    if (!tri__page_heap_alloc(&tri__heap.pages, bytes >> TRI__PAGE_SHIFT, &base, &dirty)) {
        tri__pool_give(&pools[chunk->order], &chunk->span.link);
        return NULL;
    }
    chunk->arena = arena;
    chunk->first = first;
    chunk->bytes = bytes;
    tri__graves_open(base, bytes);
    set_up(chunk, base, dirty);
    tri__span_publish(&chunk->span);
    tri__fetch_add_relaxed(&counts.live_bytes, bytes);
    return chunk;
}

/* ---- adding values ---- */

static bool has_log_room(const struct tri__arena_chunk *chunk)
{
    return chunk->log_room - chunk->runs >= 2; /* a gap, and the value */
}

static void log_run(struct tri__arena_chunk *chunk, size_t offset, const tri_type *type,
                    size_t count)
{
    struct tri__arena_run *run = &chunk->log[chunk->runs];

    /* A chunk has a log: NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    *run = (struct tri__arena_run){(uint32_t)offset, (uint32_t)count, type};
    tri__store_release(&chunk->runs, chunk->runs + 1); /* rel -> acq in find_run() */
}

/* Usually the value is like the one before it, and the entry stands for both. */
static void log_value(struct tri__arena_chunk *chunk, size_t offset, const tri_type *type,
                      size_t count)
{
    struct tri__arena_run *last = chunk->runs != 0 ? &chunk->log[chunk->runs - 1] : NULL;
    size_t used = chunk->used;

    if (offset != used)
        log_run(chunk, used, NULL, 0);
    else if (last != NULL && last->type == type && last->count == count)
        return;
    log_run(chunk, offset, type, count);
}

/* All bits from the value on are clear, so its pointers are all there is to write. */
static void write_bits(struct tri__arena_chunk *chunk, uintptr_t value, const tri_type *type,
                       size_t bytes)
{
    uintptr_t limit = value + bytes / TRI_WORD * TRI_WORD; /* a leaf tail may end anywhere */
    struct tri__type_pointers it = tri__type_pointers_of_type(type, value, limit);

    do {
        size_t left = it.mask != 0 ? (limit - it.address) / TRI_WORD : 0;

        if (left != 0)
            tri__heap_bits_write(chunk->bits, (it.address - chunk->span.base) / TRI_WORD,
                                 left < 64 ? (unsigned)left : 64,
                                 it.mask ^ (uint64_t)tri__fault(TRI__FAULT_CORRUPT_LAYOUT));
    } while (tri__type_pointers_advance_slow(&it));
}

uintptr_t tri__arena_append(struct tri__arena_chunk *chunk, const tri_type *type, size_t count,
                            size_t bytes)
{
    size_t stride = tri__arena_stride(bytes), align = stride == TRI_WORD ? TRI_WORD : 2 * TRI_WORD;
    size_t offset = (chunk->used + align - 1) & ~(align - 1);
    uintptr_t value = chunk->span.base + offset;

    if (stride > chunk->bytes - offset || !has_log_room(chunk))
        return 0;
    if (chunk->span.dirty)
        memset((void *)value, 0, stride);
    log_value(chunk, offset, type, count);
    if (tri__type_is_pointerful(type))
        write_bits(chunk, value, type, bytes);
    /* rel -> acq in tri__arena_used() */
    tri__store_release(&chunk->used, (uint32_t)(offset + stride));
    tri__double_check_object(value, type, bytes); /* [inv.arena.used] */
    return value;
}

/* ---- looking up ---- */

static size_t value_bytes(const tri_type *type, size_t count)
{
    return type->tail != NULL ? type->size + count * type->tail->size : count * type->size;
}

/* The last entry at or below the offset. It is the right one if the offset is below `used`, loaded
 * before: the log is written first [inv.arena.used]. */
static const struct tri__arena_run *find_run(const struct tri__arena_chunk *chunk, size_t offset)
{
    size_t low = 0, high = tri__load_acquire(&chunk->runs); /* acq <- rel in log_run() */

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (chunk->log[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return &chunk->log[low];
}

bool tri__arena_find(const struct tri__arena_chunk *chunk, uintptr_t address,
                     struct tri__arena_value *value)
{
    size_t offset = address - chunk->span.base, stride;
    const struct tri__arena_run *run;

    if (offset >= tri__arena_used(chunk))
        return false;
    run = find_run(chunk, offset);
    if (run->type == NULL)
        return false;
    value->type = run->type;
    value->count = run->count;
    value->bytes = value_bytes(run->type, run->count);
    stride = tri__arena_stride(value->bytes);
    value->base = chunk->span.base + run->offset + (offset - run->offset) / stride * stride;
    return true;
}

/* The log is there as long as something lies below `used`, which is lowered under the lock. */
bool tri__arena_find_locking(struct tri__arena_chunk *chunk, uintptr_t address,
                             struct tri__arena_value *value)
{
    bool found;

    pthread_mutex_lock(&chunk->scan_lock);
    found = tri__arena_find(chunk, address, value);
    pthread_mutex_unlock(&chunk->scan_lock);
    return found;
}

static bool find_value(uintptr_t address, struct tri__arena_value *value)
{
    const struct tri__arena_chunk *chunk = tri__arena_chunk_of(tri__span_at(address));

    return tri__load_acquire(&chunk->state) == TRI__ARENA_LIVE && /* acq <- rel in set_up() */
           tri__arena_find(chunk, address, value);
}

bool tri__arena_resolve(uintptr_t address, struct tri__ref *ref)
{
    struct tri__arena_value value;

    if (!find_value(address, &value))
        return false;
    ref->base = value.base;
    return true;
}

void tri__arena_meet_types(const struct tri__arena_chunk *chunk)
{
    uint32_t runs = tri__load_acquire(&chunk->runs); /* acq <- rel in log_run() */

    for (uint32_t i = 0; i < runs; i++)
        if (chunk->log[i].type != NULL)
            tri__type_meet(chunk->log[i].type);
}

const tri_type *tri__arena_type(uintptr_t value_base)
{
    struct tri__arena_value value;

    return find_value(value_base, &value) ? value.type : NULL;
}

uintptr_t tri__arena_limit(uintptr_t value_base)
{
    struct tri__arena_value value;

    if (!find_value(value_base, &value))
        return value_base;
    if (value.bytes == 0)
        return value_base + TRI_WORD;
    return value_base + (value.bytes + TRI_WORD - 1) / TRI_WORD * TRI_WORD;
}

struct tri__type_pointers tri__arena_window(const struct tri__arena_chunk *chunk, size_t offset,
                                            size_t used)
{
    uint64_t mask = tri__load_relaxed(&chunk->bits[offset / TRI__ARENA_WINDOW]);
    size_t words = (used - offset) / TRI_WORD;

    return tri__type_pointers_of_bits(chunk->span.base + offset,
                                      words < 64 ? mask & tri__low_bits((unsigned)words) : mask);
}

/* ---- the end ---- */

void tri__arena_cut(struct tri__arena_chunk *chunk, size_t used)
{
    TRI__ASSERT(used <= chunk->used);
    pthread_mutex_lock(&chunk->scan_lock);
    tri__store_release(&chunk->used, (uint32_t)used);
    pthread_mutex_unlock(&chunk->scan_lock);
}

/* So that the next arena finds no bits; of a long log only the first page is kept. */
static void clear_metadata(struct tri__arena_chunk *chunk)
{
    size_t page = tri__os_page_size();
    uintptr_t log = (uintptr_t)chunk->log, end = (uintptr_t)(chunk->log + chunk->runs);
    uintptr_t first = (log + 2 * page - 1) & ~(uintptr_t)(page - 1);

    memset(chunk->bits, 0, chunk->bytes / TRI_WORD / 8);
    if (end > first)
        tri__os_decommit((void *)first, ((end + page - 1) & ~(uintptr_t)(page - 1)) - first);
}

static void warn_once(const struct tri__arena_chunk *chunk)
{
    static bool done; /* atomic */

    if (!tri__exchange_acqrel(&done, true))
        tri__warn("the system has no room for another mapping: a use of arena %llu after "
                  "tri_arena_free() will not fault. Raise vm.max_map_count",
                  (unsigned long long)chunk->arena);
}

void tri__arena_retire(struct tri__arena_chunk *chunk, size_t filled)
{
    TRI__ASSERT(chunk->used == 0); /* [inv.arena.free]: no marker reads it any more */
    clear_metadata(chunk);
    tri__store_release(&chunk->state, TRI__ARENA_FREED); /* rel -> acq in find_value() */
    if (tri__os_protect((void *)chunk->span.base, chunk->bytes) != 0)
        warn_once(chunk);
    tri__fetch_add_relaxed(&tri__heap.freed, filled);
    tri__fetch_sub_relaxed(&counts.live_bytes, chunk->bytes);
    tri__fetch_add_relaxed(&counts.waiting_bytes, chunk->bytes);
    tri__fetch_add_relaxed(&counts.waiting_chunks, 1);
    tri__quarantine_add(chunk);
}

bool tri__arena_chunk_release(struct tri__arena_chunk *chunk)
{
    uintptr_t base = chunk->span.base;
    size_t bytes = chunk->bytes;

    TRI__ASSERT(tri__load_relaxed(&chunk->state) == TRI__ARENA_FREED);
    TRI__ASSERT(tri__load_relaxed(&chunk->span.own_colours[0]) == TRI__WHITE);
    if (tri__os_commit((void *)base, bytes) != 0)
        return false;
    tri__span_retract(&chunk->span);
    tri__store_relaxed(&chunk->state, TRI__ARENA_UNUSED);
    tri__fetch_sub_relaxed(&counts.waiting_bytes, bytes);
    tri__fetch_sub_relaxed(&counts.waiting_chunks, 1);
    tri__pool_give(&pools[chunk->order], &chunk->span.link);
    tri__page_heap_free(&tri__heap.pages, base, bytes >> TRI__PAGE_SHIFT);
    return true;
}

/* ---- all of them ---- */

struct visit {
    void (*function)(struct tri__arena_chunk *chunk, void *argument);
    void *argument;
};

static void visit_link(struct tri__stack_entry *link, void *argument)
{
    const struct visit *visit = argument;

    visit->function(chunk_of_link(link), visit->argument);
}

void tri__arena_chunks_each(void (*function)(struct tri__arena_chunk *chunk, void *argument),
                            void *argument)
{
    struct visit visit = {function, argument};

    for (unsigned order = 0; order < TRI__ARENA_ORDERS; order++)
        tri__pool_each(&pools[order], visit_link, &visit);
}

struct tri__arena_counts tri__arena_counts(void)
{
    return (struct tri__arena_counts){
        .live_bytes = tri__load_relaxed(&counts.live_bytes),
        .waiting_bytes = tri__load_relaxed(&counts.waiting_bytes),
        .waiting_chunks = tri__load_relaxed(&counts.waiting_chunks),
    };
}

/* ---- fork ---- */

static bool is_entered(const struct tri__arena_chunk *chunk)
{
    uintptr_t base = chunk->span.base;

    return tri__in_heap(base) && tri__span_at(base) == &chunk->span &&
           tri__load_relaxed(&tri__heap.page_class[tri__page_of(base)]) == TRI__ARENA_SPAN;
}

static bool is_used(struct tri__stack_entry *link)
{
    return tri__load_relaxed(&chunk_of_link(link)->state) != TRI__ARENA_UNUSED;
}

/* A thread may have died with the lock, just before or after the chunk was entered into the page
 * table, or before it was protected. */
static void rebuild_chunk(struct tri__arena_chunk *chunk, void *used)
{
    if (chunk->bits == NULL)
        return;
    if (pthread_mutex_init(&chunk->scan_lock, NULL) != 0)
        tri__fatal("a lock cannot be made in a child of fork()");
    if (!is_entered(chunk))
        tri__store_relaxed(&chunk->state, TRI__ARENA_UNUSED);
    if (tri__load_relaxed(&chunk->state) == TRI__ARENA_LIVE) {
        counts.live_bytes += chunk->bytes;
        *(uint64_t *)used += tri__arena_used(chunk);
    } else if (tri__load_relaxed(&chunk->state) == TRI__ARENA_FREED) {
        if (tri__os_protect((void *)chunk->span.base, chunk->bytes) != 0)
            warn_once(chunk);
        counts.waiting_bytes += chunk->bytes;
        counts.waiting_chunks++;
        tri__quarantine_add(chunk);
    }
}

uint64_t tri__arena_chunks_rebuild(void)
{
    uint64_t used = 0;

    counts = (struct tri__arena_counts){0};
    tri__quarantine_forget();
    tri__arena_chunks_each(rebuild_chunk, &used);
    for (unsigned order = 0; order < TRI__ARENA_ORDERS; order++)
        tri__pool_rebuild(&pools[order], is_used);
    return used;
}

static void unmap_metadata(struct tri__arena_chunk *chunk, void *unused)
{
    (void)unused;
    if (chunk->bits == NULL)
        return;
    tri__os_unmap(chunk->bits, metadata_bytes(chunk->order));
    pthread_mutex_destroy(&chunk->scan_lock);
}

void tri__arena_chunks_release(void)
{
    tri__arena_chunks_each(unmap_metadata, NULL);
    for (unsigned order = 0; order < TRI__ARENA_ORDERS; order++)
        tri__pool_release(&pools[order]);
    tri__quarantine_forget();
    counts = (struct tri__arena_counts){0};
}
