/* SPDX-License-Identifier: MIT */
/* Bulk barriers, and the copies that go with them.
 *
 * The range is walked by its layout: in the heap the object's, elsewhere that of the root that
 * holds it; memory that is neither (a stack, malloc) has no barrier. All of it is shaded before the
 * first word is overwritten, and there is no safepoint until the last one is [inv.barrier.window].
 * While a mark is running words are copied one by one as relaxed atomics, because markers read them
 * at the same time; while none is, nobody else may be reading but the program itself. */
#include "barrier/bulk.h"

#include <string.h>

#include <tricolor/alloc.h>
#include <tricolor/barrier.h>

#include "barrier/buffer.h"
#include "base/fatal.h"
#include "heap/object.h"

static tri__root_pointers *root_pointers;

void tri__bulk_init(tri__root_pointers *function)
{
    root_pointers = function;
}

static void check_aligned(uintptr_t dst, uintptr_t src, size_t bytes)
{
    if (((dst | src | bytes) & (TRI_WORD - 1)) != 0)
        tri__fatal("bulk barrier on a range that is not made of whole words: "
                   "dst %p, src %p, %zu bytes; "
                   "copy objects that hold pointers word by word, at word addresses",
                   (void *)dst, (void *)src, bytes);
}

static void check_inside(const struct tri__ref *ref, uintptr_t dst, size_t bytes)
{
    uintptr_t limit = tri__ref_limit(ref);

    if (bytes > limit - dst)
        tri__fatal("bulk barrier on a range that leaves its object: %zu bytes at %p, "
                   "but the object at %p ends after %zu bytes; copy object by object",
                   bytes, (void *)dst, (void *)ref->base, (size_t)(limit - ref->base));
}

/* The pointer words of a range that is about to be written. */
static struct tri__type_pointers range_pointers(uintptr_t dst, uintptr_t src, size_t bytes)
{
    struct tri__type_pointers it;
    struct tri__ref ref;

    if (!tri__in_heap(dst)) {
        it = root_pointers(dst, bytes);
        if (it.mask != 0 || it.type != NULL)
            check_aligned(dst, src, bytes);
        return it;
    }
    if (!tri__resolve(dst, &ref))
        tri__fatal("bulk barrier on heap memory that is no object: %p; "
                   "it was freed, or the pointer is wild",
                   (void *)dst);
    check_inside(&ref, dst, bytes);
    if (tri__ref_is_leaf(&ref))
        return tri__type_pointers_none();
    check_aligned(dst, src, bytes);
    it = tri__type_pointers_of_ref(&ref);
    if (dst != ref.base || dst + bytes != tri__ref_limit(&ref))
        tri__type_pointers_fast_forward(&it, dst, dst + bytes);
    return it;
}

static void shade_range(struct tri__writer *writer, uintptr_t dst, uintptr_t src, size_t bytes,
                        bool old)
{
    struct tri__type_pointers it = range_pointers(dst, src, bytes);
    uintptr_t slot;

    while ((slot = tri__type_pointers_next(&it)) != 0) {
        if (old)
            tri__shade_old(writer, tri__load_relaxed((uintptr_t *)slot));
        if (src != 0)
            tri__shade_new(writer, tri__load_relaxed((uintptr_t *)(src + (slot - dst))));
    }
}

void tri_bulk_barrier_pre_write(void *dst, const void *src, size_t bytes)
{
    struct tri__writer *writer = tri__shading_writer();

    check_aligned((uintptr_t)dst, (uintptr_t)src, bytes);
    if (writer != NULL && bytes != 0)
        shade_range(writer, (uintptr_t)dst, (uintptr_t)src, bytes, true);
}

void tri_bulk_barrier_pre_write_src_only(void *dst, const void *src, size_t bytes)
{
    struct tri__writer *writer = tri__shading_writer();

    check_aligned((uintptr_t)dst, (uintptr_t)src, bytes);
    if (writer != NULL && bytes != 0)
        shade_range(writer, (uintptr_t)dst, (uintptr_t)src, bytes, false);
}

static bool word_range(const void *dst, const void *src, size_t bytes)
{
    return (((uintptr_t)dst | (uintptr_t)src | bytes) & (TRI_WORD - 1)) == 0;
}

static void copy_words_up(uintptr_t *dst, const uintptr_t *src, size_t words)
{
    /* release: as tri_store; free on x86-64 */
    for (size_t i = 0; i < words; i++)
        tri__store_release(&dst[i], tri__load_relaxed(&src[i]));
}

static void copy_words_down(uintptr_t *dst, const uintptr_t *src, size_t words)
{
    for (size_t i = words; i-- > 0;)
        tri__store_release(&dst[i], tri__load_relaxed(&src[i]));
}

static void move_words(void *dst, const void *src, size_t bytes)
{
    if ((uintptr_t)dst - (uintptr_t)src < bytes)
        copy_words_down(dst, src, bytes / TRI_WORD);
    else
        copy_words_up(dst, src, bytes / TRI_WORD);
}

void tri_memmove(void *dst, const void *src, size_t bytes)
{
    struct tri__writer *writer = tri__shading_writer();

    if (bytes == 0)
        return;
    if (writer != NULL)
        shade_range(writer, (uintptr_t)dst, (uintptr_t)src, bytes, true);
    if (writer != NULL && word_range(dst, src, bytes))
        move_words(dst, src, bytes);
    else
        memmove(dst, src, bytes); /* no mark is running, or the range holds no pointers */
}

void tri_memcpy(void *dst, const void *src, size_t bytes)
{
    tri_memmove(dst, src, bytes);
}

void tri_memclr(void *dst, size_t bytes)
{
    struct tri__writer *writer = tri__shading_writer();

    if (bytes == 0)
        return;
    if (writer != NULL)
        shade_range(writer, (uintptr_t)dst, 0, bytes, true);
    if (writer == NULL || !word_range(dst, NULL, bytes)) {
        memset(dst, 0, bytes);
        return;
    }
    for (size_t i = 0; i < bytes / TRI_WORD; i++)
        tri__store_relaxed((uintptr_t *)dst + i, (uintptr_t)0);
}

/* The new array is this thread's alone, so its copy needs no other barrier than any copy. */
void *tri_grow(const void *p, const tri_type *elem, size_t old_n, size_t new_n)
{
    void *grown = tri_alloc_array(elem, new_n);
    size_t kept = old_n < new_n ? old_n : new_n;

    if (grown != NULL && p != NULL && kept != 0)
        tri_memcpy(grown, p, kept * elem->size);
    return grown;
}
