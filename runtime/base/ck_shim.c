/* SPDX-License-Identifier: MIT */
/* base/ck_shim.c: the only file that includes ConcurrencyKit.
 *
 * Its inline assembly is invisible to ThreadSanitizer while the plain loads and stores around it
 * are not, so instrumented code would be reported for races that are none. The functions here are
 * therefore not instrumented, and the library's inline functions are forced into them: an inlined
 * body takes over the attribute, a called one would not. */
#include "base/ck_shim.h"

#include <ck_cc.h>
#undef CK_CC_INLINE
#define CK_CC_INLINE CK_CC_FORCE_INLINE
#include <ck_stack.h>

#include <assert.h>

/* "undefined": the generation is a char pointer that counts up from NULL. */
#define NOT_INSTRUMENTED __attribute__((no_sanitize("thread", "undefined")))

#ifndef CK_F_STACK_POP_MPMC
#error "ConcurrencyKit has no double-word compare-and-swap for this processor; tricolor needs it"
#endif

static_assert(sizeof(struct tri__stack) == sizeof(struct ck_stack), "the mirror differs");
static_assert(offsetof(struct tri__stack, head) == offsetof(struct ck_stack, head),
              "the mirror differs");
static_assert(offsetof(struct tri__stack, generation) == offsetof(struct ck_stack, generation),
              "the mirror differs");
static_assert(sizeof(struct tri__stack_entry) == sizeof(struct ck_stack_entry),
              "the mirror differs");
static_assert(alignof(struct tri__stack) == 16, "the 16-byte compare-and-swap faults otherwise");

NOT_INSTRUMENTED void tri__ck_stack_push(struct tri__stack *stack, struct tri__stack_entry *entry)
{
    ck_stack_push_mpmc((struct ck_stack *)stack, (struct ck_stack_entry *)entry);
}

NOT_INSTRUMENTED struct tri__stack_entry *tri__ck_stack_pop(struct tri__stack *stack)
{
    return (struct tri__stack_entry *)ck_stack_pop_mpmc((struct ck_stack *)stack);
}
