/* SPDX-License-Identifier: MIT */
/* base/ck_shim.c: the only file that includes ConcurrencyKit.
 *
 * Its inline assembly is invisible to ThreadSanitizer while the plain loads and stores around it
 * are not, so instrumented code would be reported for races that are none; and it counts in a char
 * pointer that begins as NULL, which UBSan resents. So this one file is compiled without sanitizers
 * (local.mk), and ck_shim.h tells TSan what is ordered. */
#include "base/ck_shim.h"

#include <assert.h>
#include <ck_stack.h>

#ifdef TRI__TSAN
#error "this file must be compiled with -fno-sanitize=thread: configure with --enable-tsan"
#endif

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

void tri__ck_stack_push(struct tri__stack *stack, struct tri__stack_entry *entry)
{
    ck_stack_push_mpmc((struct ck_stack *)stack, (struct ck_stack_entry *)entry);
}

struct tri__stack_entry *tri__ck_stack_pop(struct tri__stack *stack)
{
    return (struct tri__stack_entry *)ck_stack_pop_mpmc((struct ck_stack *)stack);
}
