/* SPDX-License-Identifier: MIT */
/* Atomics named by their order, so that no call site can forget one and a
 * reader can look for its partner.
 *
 * They take the address of any aligned word-sized object: an _Atomic field of ours, or a plain
 * word of a user's object, which the collector reads while the program stores to it. They are
 * the C11 operations, spelled through the compiler's builtins because C11's <stdatomic.h>
 * cannot address plain objects.
 * Rule: every release names its acquire in a comment at the call (docs/memory-order.md). */
#ifndef TRI__BASE_ATOMIC_H
#define TRI__BASE_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#define tri__load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define tri__load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define tri__load_seqcst(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)

#define tri__store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define tri__store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define tri__store_seqcst(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)

#define tri__exchange_acquire(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define tri__exchange_acqrel(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define tri__exchange_seqcst(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)

#define tri__fetch_add_relaxed(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define tri__fetch_add_acqrel(p, v) __atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL)
#define tri__fetch_add_seqcst(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define tri__fetch_sub_relaxed(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_RELAXED)
#define tri__fetch_sub_acqrel(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL)
#define tri__fetch_or_relaxed(p, v) __atomic_fetch_or((p), (v), __ATOMIC_RELAXED)
#define tri__fetch_or_acqrel(p, v) __atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)
#define tri__fetch_or_seqcst(p, v) __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define tri__fetch_and_relaxed(p, v) __atomic_fetch_and((p), (v), __ATOMIC_RELAXED)
#define tri__fetch_and_acqrel(p, v) __atomic_fetch_and((p), (v), __ATOMIC_ACQ_REL)

/* Strong compare-and-swap; on failure *expected is what was found (read with
 * acquire or relaxed order). */
#define tri__cas_relaxed(p, expected, desired)                                                     \
    __atomic_compare_exchange_n((p), (expected), (desired), 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define tri__cas_acqrel(p, expected, desired)                                                      \
    __atomic_compare_exchange_n((p), (expected), (desired), 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define tri__cas_seqcst(p, expected, desired)                                                      \
    __atomic_compare_exchange_n((p), (expected), (desired), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

/* A counter with one writer: no locked instruction, readers see some recent value. */
#define tri__add_single_writer(p, v) tri__store_relaxed((p), tri__load_relaxed(p) + (v))

#endif
