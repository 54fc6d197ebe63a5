/* SPDX-License-Identifier: MIT */
/* base/ck_shim.h: ConcurrencyKit's lock-free stack behind our own names: the only door to that
 * library.
 *
 * Many threads push and pop. A pop compares a generation count together with the head (16 bytes at
 * once), so a node that went away and came back is noticed. But a pop reads the link of a node that
 * another thread may have popped meanwhile: NODES MUST BE TYPE-STABLE. Their memory stays mapped,
 * and an entry stays an entry or memory that nobody minds being read, as long as any thread may use
 * the stack.
 * The order: what was written before the push is seen after the pop of that entry. Nothing else is
 * ordered.
 * Threads: any, also signal handlers: neither call waits.
 * See: docs/memory-order.md */
#ifndef TRI__BASE_CK_SHIM_H
#define TRI__BASE_CK_SHIM_H

#include "base/atomic.h"
#include "base/chaos.h"
#include "base/tsan.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

struct tri__stack_entry {
    struct tri__stack_entry *next; /* the stack's while the entry is on it, then the owner's */
};

/* Mirrors the library's own structure (asserted in ck_shim.c); the fields are not for use
 * elsewhere. In TSan builds its address is a token, so it outlives its users' last call. */
struct tri__stack {
    alignas(16) struct tri__stack_entry *head;
    uintptr_t generation;
};

/* Out of line and never instrumented; call the wrappers below, which also tell TSan. */
void tri__ck_stack_push(struct tri__stack *stack, struct tri__stack_entry *entry);
struct tri__stack_entry *tri__ck_stack_pop(struct tri__stack *stack);

/* Before any other thread can see it. A zeroed stack is an empty stack, too. */
static inline void tri__stack_init(struct tri__stack *stack)
{
    stack->head = NULL;
    stack->generation = 0;
}

static inline void tri__stack_push(struct tri__stack *stack, struct tri__stack_entry *entry)
{
    tri__chaos(TRI__CHAOS_PUSH);
    tri__tsan_release(stack); /* pairs with the acquire in tri__stack_pop */
    tri__ck_stack_push(stack, entry);
}

/* NULL: it was empty. */
static inline struct tri__stack_entry *tri__stack_pop(struct tri__stack *stack)
{
    struct tri__stack_entry *entry;

    tri__chaos(TRI__CHAOS_POP);
    entry = tri__ck_stack_pop(stack);
    if (entry != NULL)
        tri__tsan_acquire(stack); /* pairs with the release in tri__stack_push */
    return entry;
}

/* A hint: the answer may be old when it arrives. */
static inline bool tri__stack_is_empty(struct tri__stack *stack)
{
    return tri__load_relaxed(&stack->head) == NULL;
}

#endif
