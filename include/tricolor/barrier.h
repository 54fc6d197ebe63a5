/* SPDX-License-Identifier: MIT */
/* tricolor/barrier.h: stores of heap pointers.
 *
 * The rule: a store of a heap pointer into memory that another thread or the collector can see (a
 * field of a heap object, a root, an arena) goes through one of these. Stores to locals do not;
 * loads are plain. A `slot` is the address of such a field; the field may be any pointer type or a
 * word-sized integer that holds a tagged pointer. While no mark is running a store costs one test.
 * While one runs, the old and the new value go into the thread's buffer, which the marker drains.
 *
 * That holds for an object from the moment it is allocated: a marker may find it on the thread's stack
 * before it is filled. Its pointers are first stored with tri_init_store, and cleared with
 * tri_memclr; a plain store or a memset() over them may be met half done.
 *
 * None of these is a safepoint: between the test and the store the collector cannot change phase
 * for this thread. All may be called by any thread, which all but tri_init_store attach if
 * need be. */
#ifndef TRICOLOR_BARRIER_H
#define TRICOLOR_BARRIER_H

#include <tricolor/type.h>
#include <tricolor/window.h>

TRI_BEGIN_DECLS

TRI_API void tri__store_slow(void *slot, uintptr_t value);
TRI_API uintptr_t tri__exchange_slow(void *slot, uintptr_t value);
TRI_API bool tri__compare_exchange_slow(void *slot, void *expected, uintptr_t desired);

/* A marker finds an object through a relaxed store only after its memory was zeroed. x86-64 keeps
 * stores in order; elsewhere the store itself has to be a release (acquired by the address
 * dependency of the marker's load), and every tri_store is one. */
#if defined(__x86_64__)
#define TRI__STORE_ORDER __ATOMIC_RELAXED
#else
#define TRI__STORE_ORDER __ATOMIC_RELEASE
#endif

__attribute__((always_inline)) static inline void tri__store(void *slot, uintptr_t value)
{
    if (TRI__UNLIKELY(!tri__store_fast(slot, value)))
        tri__store_slow(slot, value);
}

__attribute__((always_inline)) static inline uintptr_t tri__exchange(void *slot, uintptr_t value)
{
    uintptr_t old;

    if (TRI__UNLIKELY(!tri__exchange_fast(slot, value, &old)))
        return tri__exchange_slow(slot, value);
    return old;
}

__attribute__((always_inline)) static inline bool tri__compare_exchange(void *slot, void *expected,
                                                                        uintptr_t desired)
{
    uintptr_t wanted = *(tri__word *)expected, found;

    if (TRI__UNLIKELY(!tri__compare_exchange_fast(slot, wanted, desired, &found)))
        return tri__compare_exchange_slow(slot, expected, desired);
    *(tri__word *)expected = found;
    return found == wanted;
}

#define TRI__CHECK_SLOT(slot)                                                                      \
    TRI__STATIC_ASSERT(sizeof(*(slot)) == TRI_WORD,                                                \
                       "a barrier slot is one word: a pointer, or an integer that holds one")

/* How the macros below are made: each argument is evaluated once, into `at`, `now` and `seen`,
 * names that this expansion alone has. So the macros nest, and none shadows another's. */
#define TRI__STORE(slot, value, at, now)                                                           \
    __extension__({                                                                                \
        __typeof__(slot) at = (slot);                                                              \
        __typeof__(*at) now = (value);                                                             \
        TRI__CHECK_SLOT(at);                                                                       \
        tri__store((void *)at, (uintptr_t)now);                                                    \
    })

#define TRI__INIT_STORE(slot, value, at, now)                                                      \
    __extension__({                                                                                \
        __typeof__(slot) at = (slot);                                                              \
        __typeof__(*at) now = (value);                                                             \
        TRI__CHECK_SLOT(at);                                                                       \
        __atomic_store_n(at, now, TRI__STORE_ORDER);                                               \
    })

#define TRI__EXCHANGE(slot, value, at, now)                                                        \
    __extension__({                                                                                \
        __typeof__(slot) at = (slot);                                                              \
        __typeof__(*at) now = (value);                                                             \
        TRI__CHECK_SLOT(at);                                                                       \
        (__typeof__(*at))tri__exchange((void *)at, (uintptr_t)now);                                \
    })

#define TRI__COMPARE_EXCHANGE(slot, expected, desired, at, seen, now)                              \
    __extension__({                                                                                \
        __typeof__(slot) at = (slot);                                                              \
        __typeof__(at) seen = (expected);                                                          \
        __typeof__(*at) now = (desired);                                                           \
        TRI__CHECK_SLOT(at);                                                                       \
        tri__compare_exchange((void *)at, (void *)seen, (uintptr_t)now);                           \
    })

/* *slot = value, as a relaxed atomic store. */
#define tri_store(slot, value)                                                                     \
    TRI__STORE(slot, value, TRI__UNIQUE(tri__at), TRI__UNIQUE(tri__now))

/* *slot = value, as a release store: what was written before it is seen by a thread that loads
 * the pointer with acquire. */
#define tri_store_release(slot, value)                                                             \
    TRI__STORE(slot, value, TRI__UNIQUE(tri__at), TRI__UNIQUE(tri__now))

/* The first store into a zeroed slot of an object that this thread has allocated and no other has
 * seen yet. It needs no barrier at any time, and has none: while a mark is running such an object
 * is either white, and found by the scan of this thread's stack, or was born after that scan, and
 * then all that the thread can store in it is marked or about to be. */
#define tri_init_store(slot, value)                                                                \
    TRI__INIT_STORE(slot, value, TRI__UNIQUE(tri__at), TRI__UNIQUE(tri__now))

/* Stores `value` and returns what was there. Acquire and release. */
#define tri_exchange(slot, value)                                                                  \
    TRI__EXCHANGE(slot, value, TRI__UNIQUE(tri__at), TRI__UNIQUE(tri__now))

/* If *slot equals *expected, stores `desired` and returns true; else puts what was found into
 * *expected and returns false. Acquire and release; acquire on failure. Never fails spuriously. */
#define tri_compare_exchange(slot, expected, desired)                                              \
    TRI__COMPARE_EXCHANGE(slot, expected, desired, TRI__UNIQUE(tri__at), TRI__UNIQUE(tri__seen),   \
                          TRI__UNIQUE(tri__now))

/* --- ranges ---------------------------------------------------------------------------------
 *
 * A range that is written lies inside one object, anywhere in it, or inside one root
 * (tricolor/root.h), or in memory that is neither: a stack, malloc's. Where there are pointers,
 * both addresses and the size are multiples of the word. What is read may be any memory.
 *
 * While no mark is running for the thread each costs one test, and then runs as memmove or memset
 * does. While one runs, what is overwritten and what takes its place is shaded first, by the layout
 * of the object or root, and then whole words are moved one by one, so that the collector sees
 * either the old or the new word. That is no promise to other threads of the program: who reads
 * what another one moves needs a lock.
 * None is a safepoint, however long the range, and no signal is answered in one: a thread that moves
 * very much during a mark holds the cycle up for as long as that takes (not other threads), and the
 * buffers may take twice the range's size. If that is too much, move it in parts, with
 * tri_safepoint() between them.
 *
 * Fatal, with the range, the object or root and its type in the message: a dst of NULL, a range
 * that leaves its object or root or goes past the end of memory, a dst in the heap where no object
 * is (freed, or wild), a range that is not made of whole words where there are pointers. This is
 * looked at while a mark is running for the thread, where it costs nothing beside the rest, and in
 * a library configured with --enable-debug at any time; there, src must not leave its object
 * either. At all other times none of it is looked at: a range that crosses the end of its object
 * overwrites the next one, as with memmove. A range of no bytes is never looked at. */

/* Copies `bytes` bytes; the ranges may overlap, in both functions. */
TRI_API void tri_memmove(void *dst, const void *src, size_t bytes);
TRI_API void tri_memcpy(void *dst, const void *src, size_t bytes);

/* Sets `bytes` bytes to zero. */
TRI_API void tri_memclr(void *dst, size_t bytes);

/* Copies n whole elements of `type`, which is not flexible, between arrays of them (or into a
 * larger value that has them inside); the ranges may overlap. Faster than tri_memmove while a mark
 * is running, because the type says where the pointers are and the object is not asked. Therefore
 * nobody notices a wrong type, or a range that leaves its object, but a library configured with
 * --enable-debug, for which both are fatal. */
TRI_API void tri_copy_array(void *dst, const void *src, const tri_type *type, size_t n);

/* The same by type name; dst and src are pointers to T. */
#define tri_copy(T, dst, src, n)                                                                   \
    __extension__({                                                                                \
        T *tri__dst = (dst);                                                                       \
        const T *tri__src = (src);                                                                 \
        tri_copy_array(tri__dst, tri__src, &tri_type_##T, (n));                                    \
    })

/* The barrier alone, for code that moves the memory itself right afterwards, with no safepoint in
 * between: shades every pointer of [dst, dst + bytes) that is about to be overwritten, and every
 * pointer that will take its place from [src, src + bytes). src == NULL: the range is about to be
 * cleared. The _src_only form is for a dst known to hold only zeroes where its pointers are; with
 * --enable-debug anything else is fatal. Addresses and size must be multiples of the word wherever
 * the range lies: that is looked at always, the other rules as above.
 * Who moves the memory while a mark is running must not tear words (no plain memmove): the
 * collector may be reading them.
 * The thread answers no request of the collector's, by a signal or otherwise, until it comes to a
 * safepoint: call tri_safepoint() when the memory is moved, or the cycle waits for that. */
TRI_API void tri_bulk_barrier_pre_write(void *dst, const void *src, size_t bytes);
TRI_API void tri_bulk_barrier_pre_write_src_only(void *dst, const void *src, size_t bytes);

TRI_END_DECLS
#endif
