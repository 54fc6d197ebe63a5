/* SPDX-License-Identifier: MIT */
/* tricolor/alloc.h: allocation.
 *
 * Every function here
 *   - returns zeroed memory, aligned to 16 bytes (objects of 8 bytes to 8, leaf objects of less to
 *     the largest power of two that divides their size), which lives as long as the collector can
 *     reach it from a root (root.h), a thread's stack, or another object, and never moves;
 *   - may be called by any thread, which it attaches if need be (thread.h);
 *   - is a safepoint: the collector's requests may be answered in it;
 *   - returns NULL with errno == ENOMEM when there is no memory, after an emergency collection and
 *     the `oom` handler of the configuration (gc.h) have been tried. Nothing else is ever reported
 *     that way.
 *
 * A pointer to anywhere inside an object keeps the whole object alive; a pointer one past its end
 * does not. */
#ifndef TRICOLOR_ALLOC_H
#define TRICOLOR_ALLOC_H

#include <tricolor/type.h>
#include <tricolor/window.h>

TRI_BEGIN_DECLS

TRI_API void *tri__alloc_slow(const tri_type *type);

/* The run to allocate `type` from: that of its span class, or its own while it is hot. What is read
 * here may be out of date; the run's tag tells. */
static inline struct tri__run *tri__run_of(const tri_type *type)
{
    uintptr_t run = (uintptr_t)&tri__self->runs[type->span_class];

    if ((type->extras & TRI__HAS_STATE) != 0)
        run += __atomic_load_n(&TRI__TYPE_STATE(type)->run_offset, __ATOMIC_RELAXED);
    return (struct tri__run *)run;
}

/* One object of `type`. A handful of instructions when the thread's run for the
 * type, or for its size, has a slot left. */
static inline void *tri_alloc(const tri_type *type)
{
    uintptr_t object;

    if (TRI__LIKELY(
            tri__bump_fast(tri__run_of(type), type->slot_size, type->run_tag, &object)))
        return (void *)object;
    return tri__alloc_slow(type);
}

/* n elements of `type`, contiguous. n == 0 gives a valid object of its own. A product too large for
 * the address space is out of memory. `type` must not be flexible. */
TRI_API void *tri_alloc_array(const tri_type *type, size_t n);

/* The fixed part of a flexible type and n elements of its tail. */
TRI_API void *tri_alloc_flex(const tri_type *type, size_t n);

/* n leaf bytes: the collector never looks inside. n == 0 gives a valid object of its own. */
TRI_API void *tri_alloc_bytes(size_t n);

/* n bytes of which every word may be a pointer: for memory whose layout is not known. */
TRI_API void *tri_alloc_conservative(size_t n);

/* An array of n pointers. */
static inline void **tri_new_ptrs(size_t n)
{
    return (void **)tri_alloc_array(&tri_type_ptr, n);
}

/* A copy of the string `s` in leaf memory. */
TRI_API char *tri_strdup(const char *s);

/* A new array of new_n elements of `elem` that begins with the first min(old_n, new_n) elements of
 * `p`; the rest is zero. `p`, an array of old_n elements of `elem` or NULL, is left alone. */
TRI_API void *tri_grow(const void *p, const tri_type *elem, size_t old_n, size_t new_n);

/* A promise: the object that begins at p is not used again, and no root, handle, arena or object
 * that these lead to has a pointer to it any more (others that were given up may, and stacks).
 * It is a hint, which nothing needs: the collector frees what nothing leads to, and does not do so
 * earlier. With TRICOLOR_VERIFY=clobber a promise that is broken is reported, and one that is given
 * twice. NULL is ignored; what is not the beginning of an object of the heap is fatal (inside leaf
 * objects of 16 bytes and less it may be ignored: they may share a slot). Not a safepoint. */
TRI_API void tri_free(void *p);

/* The same by type name, for types made with TRI_TYPE and its kin; the
 * result has the type `T *`. */
#define tri_new(T) ((T *)tri_alloc(&tri_type_##T))
#define tri_new_array(T, n) ((T *)tri_alloc_array(&tri_type_##T, (n)))
#define tri_new_flex(T, n) ((T *)tri_alloc_flex(&tri_type_##T, (n)))

TRI_END_DECLS
#endif
