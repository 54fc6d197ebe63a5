/* SPDX-License-Identifier: MIT */
/* The marking loop.
 *
 * Words of objects are read with relaxed loads beside the program's stores; the barrier makes up
 * for what the marker sees too late. Without memory for a chunk a candidate is marked at once and
 * noted as overflow (barrier/buffer.h); the coordinator then finds what it points to by walking the
 * heap, so nothing is ever dropped [inv.work.overflow]. */
#include "collector/marker.h"

#include <string.h>

#include "barrier/buffer.h"
#include "base/fatal.h"
#include "layout/type_retire.h"

/* A large object is scanned in pieces, so that one object keeps no marker busy alone. A piece is an
 * address with this bit set: no user address has it. The object is marked already; its type says
 * which words of the piece to read. */
#define PIECE_BIT (UINT64_C(1) << 63)
#define PIECE_BYTES ((size_t)128 << 10)

static uint64_t marked_objects, marked_bytes, marked_effort; /* atomic */

uint64_t tri__marked_objects(void)
{
    return tri__load_relaxed(&marked_objects);
}

uint64_t tri__marked_bytes(void)
{
    return tri__load_relaxed(&marked_bytes);
}

uint64_t tri__marked_effort(void)
{
    return tri__load_relaxed(&marked_effort);
}

void tri__marked_reset(void)
{
    tri__store_relaxed(&marked_effort, 0);
    tri__store_relaxed(&marked_objects, 0);
    tri__store_relaxed(&marked_bytes, 0);
}

/* Makes room on the stack: a full chunk is for everybody. false: no memory. */
__attribute__((noinline)) static bool push_slow(struct tri__marker *marker, uintptr_t item)
{
    struct tri__chunk *fresh = tri__chunk_take();

    if (fresh == NULL)
        return false;
    if (marker->stack != NULL)
        tri__work_publish(marker->stack);
    fresh->items[fresh->count++] = item;
    marker->stack = fresh;
    return true;
}

static inline bool push(struct tri__marker *marker, uintptr_t item)
{
    struct tri__chunk *stack = marker->stack;

    if (TRI__UNLIKELY(stack == NULL || stack->count == TRI__CHUNK_ITEMS))
        return push_slow(marker, item);
    stack->items[stack->count++] = item;
    return true;
}

/* No memory to put it off: it is marked and counted now, and scanned when the heap is walked. */
__attribute__((noinline)) static void overflow(struct tri__marker *marker, uintptr_t word)
{
    struct tri__ref ref;

    if (!tri__overflow_note(word) || !tri__locate(word, &ref))
        return;
    marker->objects++;
    marker->bytes += tri__ref_bytes(&ref);
    marker->effort += TRI__OBJECT_EFFORT + tri__ref_bytes(&ref);
}

static inline void push_candidate(struct tri__marker *marker, uintptr_t word)
{
    if (tri__in_heap(word) && TRI__UNLIKELY(!push(marker, word)))
        overflow(marker, word);
}

void tri__marker_take(uintptr_t word, void *marker)
{
    push_candidate(marker, word);
}

static void scan_range(struct tri__marker *marker, struct tri__type_pointers it)
{
    uintptr_t slot;

    while ((slot = tri__type_pointers_next(&it)) != 0)
        push_candidate(marker, tri__load_relaxed((uintptr_t *)slot));
}

/* The piece of a large object at `start`. */
static void scan_piece(struct tri__marker *marker, const struct tri__ref *ref, uintptr_t start)
{
    size_t rest = tri__ref_limit(ref) - start;
    size_t bytes = rest < PIECE_BYTES ? rest : PIECE_BYTES;

    scan_range(marker, tri__type_pointers_of_range(ref, start, bytes));
}

/* Behind its last pointer there are no pieces: they would be effort for nothing. */
static size_t scan_large(struct tri__marker *marker, const struct tri__ref *ref)
{
    uintptr_t limit;
    size_t bytes;

    if (tri__ref_is_leaf(ref))
        return 0;
    tri__type_meet(tri__ref_type(ref)); /* [inv.type.retire] */
    bytes = tri__type_scan_bytes(tri__ref_layout(ref), tri__ref_limit(ref) - ref->base);
    limit = ref->base + bytes;
    for (uintptr_t start = ref->base; start < limit; start += PIECE_BYTES)
        if (start + PIECE_BYTES >= limit || !push(marker, start | PIECE_BIT))
            scan_piece(marker, ref, start); /* the last one, or there is no memory to put it off */
    return bytes;
}

/* A chunk with room for as many candidates as a mask can name; NULL: no memory. */
static inline struct tri__chunk *roomy_stack(struct tri__marker *marker)
{
    struct tri__chunk *fresh;

    if (TRI__LIKELY(marker->stack != NULL && marker->stack->count + 64 <= TRI__CHUNK_ITEMS))
        return marker->stack;
    fresh = tri__chunk_take();
    if (fresh != NULL && marker->stack != NULL)
        tri__work_publish(marker->stack);
    if (fresh != NULL)
        marker->stack = fresh;
    return fresh;
}

/* The hottest loop there is. With room made beforehand every word is stored, and kept if it lies in
 * the heap: no branch that depends on what the program's pointers are. */
static inline size_t scan_mask(struct tri__marker *marker, uintptr_t base, uint64_t mask)
{
    struct tri__chunk *stack = roomy_stack(marker);
    uintptr_t low = tri__heap.base, bytes = tri__heap.bytes;
    size_t scanned = tri__mask_length(mask) * TRI_WORD;
    uint32_t count;

    if (TRI__UNLIKELY(stack == NULL)) {
        scan_range(marker, tri__type_pointers_of_bits(base, mask));
        return scanned;
    }
    count = stack->count;
    for (; mask != 0; mask &= mask - 1) {
        uintptr_t word =
            tri__load_relaxed((uintptr_t *)base + (unsigned)__builtin_ctzll(mask));

        stack->items[count] = word;
        count += word - low < bytes;
    }
    stack->count = count;
    return scanned;
}

/* Footer objects, which are tiled to the slot's end, and single ones in typed spans. */
static size_t scan_by_type(struct tri__marker *marker, const struct tri__ref *ref)
{
    bool single = tri__class_info[ref->span_class].kind == TRI__KIND_TYPED;
    const tri_type *type = tri__ref_type(ref);

    if (type == NULL)
        return 0; /* a slot that was not handed out, found by a stray word */
    tri__type_meet(type); /* [inv.type.retire] */
    scan_range(marker, tri__type_pointers_of_ref(ref));
    return single ? type->ptr_bytes : tri__type_scan_bytes(type, tri__ref_limit(ref) - ref->base);
}

/* Pushes what a grey object points to; it is black then. Returns its bytes up to its last
 * pointer. */
static inline size_t scan(struct tri__marker *marker, const struct tri__ref *ref)
{
    const struct tri__class_info *info = &tri__class_info[ref->span_class];

    if (info->kind == TRI__KIND_BITMAP)
        return scan_mask(marker, ref->base, tri__ref_bits(ref, info));
    if (info->kind == TRI__KIND_TYPED && tri__class_has_mask(info))
        return scan_mask(marker, ref->base, tri__load_relaxed(&tri__page_type(ref, info)->mask));
    if (info->kind == TRI__KIND_FOOTER || info->kind == TRI__KIND_TYPED)
        return scan_by_type(marker, ref);
    return info->kind == TRI__KIND_LARGE ? scan_large(marker, ref) : 0;
}

static inline void prefetch(const struct tri__ref *ref)
{
    const struct tri__class_info *info = &tri__class_info[ref->span_class];

    __builtin_prefetch(ref->colour, 1);
    if (info->kind != TRI__KIND_LEAF)
        __builtin_prefetch((const void *)ref->base);
    if (info->kind == TRI__KIND_BITMAP)
        __builtin_prefetch((const void *)((ref->base & ~(uintptr_t)(TRI__PAGE_BYTES - 1)) +
                                          info->bits_offset + ((ref->base >> 9) & 15) * 8));
    else if (info->kind == TRI__KIND_TYPED && info->bits_offset != 0)
        __builtin_prefetch(tri__page_type(ref, info));
}

/* A piece of a chunk of an arena, as far as it is used now. If the arena is freed at the same time
 * its thread waits until the lock is free again, or there is nothing left of the piece: what it held
 * is shaded then [inv.arena.free]. */
static void scan_arena_piece(struct tri__marker *marker, uintptr_t start)
{
    struct tri__arena_chunk *chunk = tri__arena_chunk_of(tri__span_at(start));
    size_t from = start - chunk->span.base, used;

    pthread_mutex_lock(&chunk->scan_lock);
    used = tri__arena_used(chunk);
    used = used < from + TRI__ARENA_PIECE ? used : from + TRI__ARENA_PIECE;
    for (size_t at = from; at < used; at += TRI__ARENA_WINDOW)
        scan_range(marker, tri__arena_window(chunk, at, used));
    pthread_mutex_unlock(&chunk->scan_lock);
}

/* Chunks are roots, so they are not looked into because a word points there: only their pieces are,
 * once each [inv.arena.root]. */
void tri__marker_take_arena(struct tri__arena_chunk *chunk, void *argument)
{
    struct tri__marker *marker = argument;
    size_t used = tri__arena_used(chunk);

    for (size_t at = 0; at < used; at += TRI__ARENA_PIECE)
        if (!push(marker, (chunk->span.base + at) | PIECE_BIT))
            scan_arena_piece(marker, chunk->span.base + at); /* no memory to put it off */
    marker->bytes += used;
    if (used != 0 && tri__retired_types_are_watched())
        tri__arena_meet_types(chunk);
}

static void take_piece(struct tri__marker *marker, uintptr_t start)
{
    struct tri__ref ref;

    if (!tri__locate(start, &ref))
        return;
    if (ref.span_class == TRI__ARENA_SPAN) {
        scan_arena_piece(marker, start);
        marker->effort += TRI__ARENA_PIECE;
    } else if (tri__is_allocated(&ref)) {
        scan_piece(marker, &ref, start);
        marker->effort += PIECE_BYTES;
    }
}

/* The own stack is empty: what others have published is next. */
__attribute__((noinline)) static bool refill_stack(struct tri__marker *marker)
{
    struct tri__chunk *chunk = tri__work_take();

    if (chunk == NULL)
        return false;
    if (marker->stack != NULL)
        tri__chunk_give(marker->stack);
    marker->stack = chunk;
    return true;
}

/* Takes candidates off the stack until the batch is full, or nothing is left, or many have led to no
 * object: whoever has a quantum wants to look at it. */
static void fill_batch(struct tri__marker *marker, struct tri__batch *batch)
{
    uint32_t count = 0, misses = 0;

    while (count < TRI__BATCH) {
        struct tri__chunk *stack = marker->stack;
        uintptr_t item;

        if (TRI__UNLIKELY(stack == NULL || stack->count == 0)) {
            if (!refill_stack(marker))
                break;
            continue;
        }
        item = stack->items[--stack->count];
        if (TRI__UNLIKELY((item & PIECE_BIT) != 0)) {
            take_piece(marker, item & ~PIECE_BIT);
            break; /* one piece is worth a batch */
        }
        if (tri__locate(item, &batch->refs[count])) {
            prefetch(&batch->refs[count]);
            count++;
            continue;
        }
        marker->effort += TRI__MARKED_EFFORT;
        if (++misses == TRI__BATCH)
            break;
    }
    batch->count = count;
}

static void work_on_batch(struct tri__marker *marker, struct tri__batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct tri__ref *ref = &batch->refs[i];
        size_t scanned;

        if (!tri__mark(ref)) {
            marker->effort += TRI__MARKED_EFFORT;
            continue;
        }
        scanned = scan(marker, ref);
        marker->objects++;
        marker->bytes += tri__ref_bytes(ref);
        marker->effort += TRI__OBJECT_EFFORT + (scanned < PIECE_BYTES ? scanned : PIECE_BYTES);
    }
    batch->count = 0;
}

/* Half of what this marker has goes to one that has nothing. */
static void share(struct tri__marker *marker)
{
    struct tri__chunk *mine = marker->stack, *half;

    if (mine == NULL || mine->count < 8 || (half = tri__chunk_take()) == NULL)
        return;
    half->count = mine->count / 2;
    mine->count -= half->count;
    /* The oldest: they lead furthest. */
    memcpy(half->items, mine->items, half->count * sizeof half->items[0]);
    memmove(mine->items, mine->items + half->count, mine->count * sizeof mine->items[0]);
    tri__work_publish(half);
}

void tri__marker_work(struct tri__marker *marker, uint64_t effort)
{
    uint64_t stop = marker->effort + effort;

    while (marker->effort < stop) {
        struct tri__batch *filled = &marker->batches[marker->next],
                          *ready = &marker->batches[marker->next ^ 1];

        fill_batch(marker, filled);
        work_on_batch(marker, ready);
        marker->next ^= 1;
        if (filled->count == 0 && (marker->stack == NULL || marker->stack->count == 0) &&
            !tri__work_is_shared())
            break; /* both batches and the stacks are empty */
        if (TRI__UNLIKELY(tri__work_is_wanted()))
            share(marker);
    }
}

void tri__marker_drain(struct tri__marker *marker)
{
    tri__marker_work(marker, UINT64_MAX / 2);
}

void tri__marker_enter(struct tri__marker *marker)
{
    marker->batches[0].count = marker->batches[1].count = 0;
    marker->next = 0;
    marker->stack = NULL;
    marker->objects = 0;
    marker->bytes = 0;
    marker->effort = 0;
    tri__work_enter();
}

/* What is under way goes back among the candidates. */
static void empty_batch(struct tri__marker *marker, struct tri__batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        push_candidate(marker, batch->refs[i].base);
    batch->count = 0;
}

void tri__marker_leave(struct tri__marker *marker)
{
    empty_batch(marker, &marker->batches[0]);
    empty_batch(marker, &marker->batches[1]);
    if (marker->stack != NULL && marker->stack->count != 0)
        tri__work_publish(marker->stack);
    else if (marker->stack != NULL)
        tri__chunk_give(marker->stack);
    marker->stack = NULL;
    tri__fetch_add_relaxed(&marked_objects, marker->objects);
    tri__fetch_add_relaxed(&marked_bytes, marker->bytes);
    tri__fetch_add_relaxed(&marked_effort, marker->effort);
    tri__work_leave(); /* orders the sums before the verdict */
}

static void rescan_span(struct tri__span *span, void *argument)
{
    struct tri__marker *marker = argument;

    for (uint32_t slot = 0; slot < span->slots; slot++) {
        struct tri__ref ref;

        if (!tri__is_black(&span->colours[slot]))
            continue;
        if (tri__resolve(span->base + slot * span->slot_bytes, &ref))
            scan(marker, &ref);
        tri__marker_drain(marker);
    }
}

void tri__marker_rescan_heap(struct tri__marker *marker)
{
    tri__pointer_spans_each(rescan_span, marker);
}
