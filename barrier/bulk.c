/* SPDX-License-Identifier: MIT */
/* Bulk barriers, and the copies that go with them.
 *
 * A range is walked by its layout (barrier/range.h), 64 words at a step, and what they hold goes
 * into the thread's buffer, published once a step. Each word is shaded before it is overwritten,
 * and there is no safepoint from the first test until the last word is in its place
 * [inv.barrier.window].
 * While a mark is running, words that markers read are moved one by one as relaxed atomics; while
 * none is, or where there are no pointers, nobody may be reading but the program itself. */
#include "barrier/bulk.h"

#include <string.h>

#include <tricolor/alloc.h>
#include <tricolor/barrier.h>

#include "barrier/buffer.h"
#include "barrier/range.h"
#include "barrier/watch.h"
#include "barrier/word_copy.h"
#include "base/entry.h"
#include "base/fatal.h"

/* --- shading ---------------------------------------------------------------------------------- */

/* A NULL is overwritten by what follows. */
static inline uintptr_t *append_one(uintptr_t *end, uintptr_t value)
{
    tri__store_relaxed(end, value);
    return end + (value != 0);
}

/* Appends what the words of `mask` hold. */
static uintptr_t *append_some(uintptr_t *end, const uintptr_t *words, uint64_t mask)
{
    for (; mask != 0; mask &= mask - 1)
        end = append_one(end, tri__load_relaxed(&words[__builtin_ctzll(mask)]));
    return end;
}

/* Eight words that all are pointers: mostly none is NULL, and then no store waits for another. */
static inline uintptr_t *append_block(uintptr_t *end, const uintptr_t *words)
{
    uintptr_t a = tri__load_relaxed(&words[0]), b = tri__load_relaxed(&words[1]);
    uintptr_t c = tri__load_relaxed(&words[2]), d = tri__load_relaxed(&words[3]);
    uintptr_t e = tri__load_relaxed(&words[4]), f = tri__load_relaxed(&words[5]);
    uintptr_t g = tri__load_relaxed(&words[6]), h = tri__load_relaxed(&words[7]);

    if (TRI__LIKELY(a && b && c && d && e && f && g && h)) {
        tri__store_relaxed(&end[0], a), tri__store_relaxed(&end[1], b);
        tri__store_relaxed(&end[2], c), tri__store_relaxed(&end[3], d);
        tri__store_relaxed(&end[4], e), tri__store_relaxed(&end[5], f);
        tri__store_relaxed(&end[6], g), tri__store_relaxed(&end[7], h);
        return end + 8;
    }
    end = append_one(append_one(append_one(append_one(end, a), b), c), d);
    return append_one(append_one(append_one(append_one(end, e), f), g), h);
}

static uintptr_t *append_all(uintptr_t *end, const uintptr_t *words)
{
    for (unsigned i = 0; i < 64; i += 8)
        end = append_block(end, words + i);
    return end;
}

/* Without memory for a buffer. */
static void push_each(struct tri__writer *writer, const uintptr_t *words, uint64_t mask)
{
    for (; mask != 0; mask &= mask - 1)
        tri__shade(writer, tri__load_relaxed(&words[__builtin_ctzll(mask)]));
}

static void shade_window(struct tri__writer *writer, const uintptr_t *words, uint64_t mask)
{
    uintptr_t *end = tri__buffer_reserve(writer, (uint32_t)__builtin_popcountll(mask));

    if (TRI__UNLIKELY(end == NULL))
        push_each(writer, words, mask);
    else if (mask == UINT64_MAX)
        tri__buffer_publish(writer, append_all(end, words));
    else
        tri__buffer_publish(writer, append_some(end, words, mask));
}

/* What the words hold that lie `offset` bytes behind the iterator's. */
static void shade_words(struct tri__writer *writer, struct tri__type_pointers it, uintptr_t offset)
{
    do {
        if (it.mask != 0)
            shade_window(writer, (const uintptr_t *)(it.address + offset), it.mask);
    } while (tri__type_pointers_advance_slow(&it));
}

static bool has_pointers(const struct tri__type_pointers *it)
{
    return it->mask != 0 || it->type != NULL;
}

/* Words that are so far from each other are alike all over the range: pointers, or not. */
static bool repeats_after(const struct tri__type_pointers *it, size_t bytes)
{
    return it->type != NULL && it->type->tail == NULL && bytes % it->type->size == 0;
}

/* Elements that move within their array: of what comes to lie in the range most lay in it before,
 * and is shaded as an old value. A value that another thread has stored in between is not, but that
 * thread has shaded it as its new one. */
static void leave_old_out(struct tri__type_pointers *it, const struct tri__range *range)
{
    uintptr_t up = range->dst - range->src, down = range->src - range->dst;
    uintptr_t end = range->dst + range->bytes;

    if (up < range->bytes && repeats_after(it, up))
        tri__type_pointers_fast_forward(it, range->dst, range->dst + up);
    else if (down < range->bytes && repeats_after(it, down))
        tri__type_pointers_fast_forward(it, end - down, end);
}

static void shade_both(struct tri__writer *writer, const struct tri__range *range,
                       struct tri__type_pointers it)
{
    if (!tri__fault(TRI__FAULT_DROP_OLD)) {
        shade_words(writer, it, 0);
        if (range->src != 0)
            leave_old_out(&it, range);
    }
    if (range->src != 0 && !tri__fault(TRI__FAULT_DROP_NEW))
        shade_words(writer, it, range->src - range->dst);
}

/* --- the barrier alone ------------------------------------------------------------------------ */

/* Debug builds hold ranges against the rules while no mark is running, too. */
#ifdef TRI__DEBUG
static const bool always_checked = true;
#else
static const bool always_checked = false;
#endif

/* What is about to be moved was shaded by the rules of the present phase: no signal may change that
 * before it is moved, and when it is, only the thread's next safepoint tells [inv.window.held]. */
static void hold(void)
{
    uint32_t *request = &tri__self->request;

    if ((tri__load_relaxed(request) & TRI__REQUEST_HELD) == 0)
        tri__fetch_or_relaxed(request, TRI__REQUEST_HELD);
}

void tri_bulk_barrier_pre_write(void *dst, const void *src, size_t bytes)
{
    TRI__IN_RUNTIME;
    struct tri__range range = {(uintptr_t)dst, (uintptr_t)src, bytes, "tri_bulk_barrier_pre_write"};
    struct tri__writer *writer = tri__shading_writer();

    tri__watch_range(&range, __builtin_return_address(0));
    tri__range_check_words(&range);
    if (bytes == 0)
        return;
    if (always_checked)
        tri__range_check_all(&range);
    if (writer != NULL)
        shade_both(writer, &range, tri__range_pointers(&range));
    hold();
}

void tri_bulk_barrier_pre_write_src_only(void *dst, const void *src, size_t bytes)
{
    TRI__IN_RUNTIME;
    struct tri__range range = {(uintptr_t)dst, (uintptr_t)src, bytes,
                               "tri_bulk_barrier_pre_write_src_only"};
    struct tri__writer *writer = tri__shading_writer();

    tri__watch_range(&range, __builtin_return_address(0));
    tri__range_check_words(&range);
    if (bytes == 0)
        return;
    if (always_checked) {
        tri__range_check_all(&range);
        tri__range_check_zero(&range);
    }
    if (writer != NULL && src != NULL && !tri__fault(TRI__FAULT_DROP_NEW))
        shade_words(writer, tri__range_pointers(&range), range.src - range.dst);
    hold();
}

/* --- copies ----------------------------------------------------------------------------------- */

/* Long ranges are shaded and moved piece by piece, each a copy of its own that keeps all rules:
 * what was read to shade it is still in the cache when it is moved. Between two pieces there is no
 * safepoint. */
#define PIECE_BYTES ((size_t)32 << 10)

static void move_piece(struct tri__writer *writer, const struct tri__range *piece,
                       struct tri__type_pointers it)
{
    tri__type_pointers_fast_forward(&it, piece->dst, piece->dst + piece->bytes);
    shade_both(writer, piece, it);
    if (piece->src == 0)
        tri__clear_words((uintptr_t *)piece->dst, piece->bytes / TRI_WORD);
    else
        tri__move_words((uintptr_t *)piece->dst, (const uintptr_t *)piece->src,
                        piece->bytes / TRI_WORD);
}

/* From the end that makes an overlap right. */
static void move_pieces(struct tri__writer *writer, const struct tri__range *range,
                        const struct tri__type_pointers *it)
{
    bool down = range->src != 0 && range->dst - range->src < range->bytes;
    struct tri__range piece = *range;

    for (size_t done = 0; done < range->bytes; done += piece.bytes) {
        size_t left = range->bytes - done, offset;

        piece.bytes = left < PIECE_BYTES ? left : PIECE_BYTES;
        offset = down ? left - piece.bytes : done;
        piece.dst = range->dst + offset;
        piece.src = range->src == 0 ? 0 : range->src + offset;
        move_piece(writer, &piece, *it);
    }
}

/* While a mark is running. Where there are no pointers no marker reads. */
static void move_shaded(struct tri__writer *writer, const struct tri__range *range,
                        const struct tri__type_pointers *it)
{
    if (has_pointers(it))
        move_pieces(writer, range, it);
    else if (range->src == 0)
        memset((void *)range->dst, 0, range->bytes);
    else
        memmove((void *)range->dst, (const void *)range->src, range->bytes);
}

static void move_in_mark(struct tri__writer *writer, const struct tri__range *range)
{
    struct tri__type_pointers it = tri__range_pointers(range);

    move_shaded(writer, range, &it);
}

static void move(void *dst, const void *src, size_t bytes, const char *call, const void *caller)
{
    struct tri__range range = {(uintptr_t)dst, (uintptr_t)src, bytes, call};
    struct tri__writer *writer = tri__shading_writer();

    tri__watch_range(&range, caller);
    if (bytes == 0)
        return;
    if (always_checked || writer != NULL)
        tri__range_check_src(&range);
    if (always_checked)
        tri__range_check_all(&range);
    if (writer == NULL)
        memmove(dst, src, bytes);
    else
        move_in_mark(writer, &range);
}

void tri_memmove(void *dst, const void *src, size_t bytes)
{
    TRI__IN_RUNTIME;
    move(dst, src, bytes, "tri_memmove", __builtin_return_address(0));
}

void tri_memcpy(void *dst, const void *src, size_t bytes)
{
    TRI__IN_RUNTIME;
    move(dst, src, bytes, "tri_memcpy", __builtin_return_address(0));
}

void tri_memclr(void *dst, size_t bytes)
{
    TRI__IN_RUNTIME;
    struct tri__range range = {(uintptr_t)dst, 0, bytes, "tri_memclr"};
    struct tri__writer *writer = tri__shading_writer();

    tri__watch_range(&range, __builtin_return_address(0));
    if (bytes == 0)
        return;
    if (always_checked)
        tri__range_check_all(&range);
    if (writer == NULL)
        memset(dst, 0, bytes);
    else
        move_in_mark(writer, &range);
}

/* --- elements --------------------------------------------------------------------------------- */

static size_t bytes_of(const tri_type *type, size_t n)
{
    size_t bytes;

    if (type->tail != NULL)
        tri__fatal("tri_copy_array: %s is flexible, so there are no arrays of it; use tri_memmove",
                   type->name == NULL ? "the type" : type->name);
    if (__builtin_mul_overflow(type->size, n, &bytes))
        tri__fatal("tri_copy_array: %zu elements of %zu bytes are more than there is memory; the "
                   "number was computed wrongly, it may be negative",
                   n, type->size);
    return bytes;
}

static void copy_shaded(struct tri__writer *writer, const struct tri__range *range,
                        const tri_type *type)
{
    struct tri__type_pointers it = tri__range_pointers_of_type(range, type);

    tri__range_check_src(range);
    move_shaded(writer, range, &it);
}

void tri_copy_array(void *dst, const void *src, const tri_type *type, size_t n)
{
    TRI__IN_RUNTIME;
    struct tri__range range = {(uintptr_t)dst, (uintptr_t)src, bytes_of(type, n), "tri_copy_array"};
    struct tri__writer *writer = tri__shading_writer();

    tri__watch_range(&range, __builtin_return_address(0));
    if (range.bytes == 0)
        return;
    if (always_checked) {
        tri__range_check_src(&range);
        tri__range_check_all(&range);
        tri__range_check_elements(&range, type);
    }
    if (writer == NULL)
        memmove(dst, src, range.bytes);
    else
        copy_shaded(writer, &range, type);
}

/* The new array is this thread's alone, so its copy needs no other barrier than any copy. */
void *tri_grow(const void *p, const tri_type *elem, size_t old_n, size_t new_n)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    void *grown = tri_alloc_array(elem, new_n);
    size_t kept = old_n < new_n ? old_n : new_n;

    if (grown != NULL && p != NULL && kept != 0)
        tri_copy_array(grown, p, elem, kept);
    return grown;
}
