/* SPDX-License-Identifier: MIT */
/* tricolor/barrier.h: stores of heap pointers.
 *
 * The rule: a store of a heap pointer into memory that another thread or the collector can see (a
 * field of a heap object, a root, an arena) goes through one of these. Stores to locals do not;
 * loads are plain. A `slot` is the address of such a field; the field may be any pointer type or a
 * word-sized integer that holds a tagged pointer. While no mark is running a store costs one test.
 * While one runs, the old and the new value go into the thread's buffer, which the marker drains.
 *
 * None of these is a safepoint: between the test and the store the collector cannot change phase
 * for this thread. All may be called by any thread, which they attach if need be. */
#ifndef TRICOLOR_BARRIER_H
#define TRICOLOR_BARRIER_H

#include <tricolor/fast.h>

TRI_BEGIN_DECLS

TRI_API void tri__store_slow(void *slot, uintptr_t value);
TRI_API uintptr_t tri__exchange_slow(void *slot, uintptr_t value);
TRI_API bool tri__compare_exchange_slow(void *slot, void *expected, uintptr_t desired);

/* A marker finds an object through a relaxed store only after its memory was zeroed. x86-64 keeps
 * stores in order; elsewhere the store itself has to be a release (acquired by the address
 * dependency of the marker's load). */
#if defined(__x86_64__)
#define TRI__STORE_ORDER __ATOMIC_RELAXED
#else
#define TRI__STORE_ORDER __ATOMIC_RELEASE
#endif

#define TRI__CHECK_SLOT(slot)                                                                      \
    TRI__STATIC_ASSERT(sizeof(*(slot)) == TRI_WORD,                                                \
                       "a barrier slot is one word: a pointer, or an integer that holds one")

/* How the macros below are made: each argument is evaluated once, into `at`, `now` and `seen`,
 * names that this expansion alone has. So the macros nest, and none shadows another's. */
#define TRI__STORE(slot, value, order, at, now)                                                    \
    __extension__({                                                                                \
        __typeof__(slot) at = (slot);                                                              \
        __typeof__(*at) now = (value);                                                             \
        TRI__CHECK_SLOT(at);                                                                       \
        if (TRI__UNLIKELY(tri__self->barrier != TRI__BARRIER_IDLE))                                \
            tri__store_slow((void *)at, (uintptr_t)now);                                           \
        else                                                                                       \
            __atomic_store_n(at, now, order);                                                      \
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
        TRI__UNLIKELY(tri__self->barrier != TRI__BARRIER_IDLE)                                     \
            ? (__typeof__(*at))tri__exchange_slow((void *)at, (uintptr_t)now)                      \
            : __atomic_exchange_n(at, now, __ATOMIC_ACQ_REL);                                      \
    })

#define TRI__COMPARE_EXCHANGE(slot, expected, desired, at, seen, now)                              \
    __extension__({                                                                                \
        __typeof__(slot) at = (slot);                                                              \
        __typeof__(at) seen = (expected);                                                          \
        __typeof__(*at) now = (desired);                                                           \
        TRI__CHECK_SLOT(at);                                                                       \
        TRI__UNLIKELY(tri__self->barrier != TRI__BARRIER_IDLE)                                     \
            ? tri__compare_exchange_slow((void *)at, (void *)seen, (uintptr_t)now)                 \
            : __atomic_compare_exchange_n(at, seen, now, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);   \
    })

/* *slot = value, as a relaxed atomic store. */
#define tri_store(slot, value)                                                                     \
    TRI__STORE(slot, value, TRI__STORE_ORDER, TRI__UNIQUE(tri__at), TRI__UNIQUE(tri__now))

/* *slot = value, as a release store: what was written before it is seen by a thread that loads
 * the pointer with acquire. */
#define tri_store_release(slot, value)                                                             \
    TRI__STORE(slot, value, __ATOMIC_RELEASE, TRI__UNIQUE(tri__at), TRI__UNIQUE(tri__now))

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

/* Copy or clear `bytes` bytes. `dst` is a range inside one object, one root, or a stack; `src` may
 * be any memory, and may overlap `dst` in tri_memmove. The barrier comes first; then whole words
 * are copied atomically. In an object that holds pointers, addresses and size must be multiples of
 * the word: anything else is fatal, as is a range that leaves its object. */
TRI_API void tri_memmove(void *dst, const void *src, size_t bytes);
TRI_API void tri_memcpy(void *dst, const void *src, size_t bytes);
TRI_API void tri_memclr(void *dst, size_t bytes);

/* The barrier alone, for code that moves the memory itself right afterwards, with no safepoint in
 * between: shades every pointer of [dst, dst + bytes) that is about to be overwritten, and every
 * pointer that will take its place from [src, src + bytes). src == NULL: the range is about to be
 * cleared. The _src_only form is for a dst known to hold only zeroes. Misaligned or object-crossing
 * ranges are fatal. A range on a stack needs no barrier and gets none. */
TRI_API void tri_bulk_barrier_pre_write(void *dst, const void *src, size_t bytes);
TRI_API void tri_bulk_barrier_pre_write_src_only(void *dst, const void *src, size_t bytes);

TRI_END_DECLS
#endif
