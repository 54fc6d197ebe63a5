/* SPDX-License-Identifier: MIT */
/* What a signal has interrupted: program counter and stack pointer; and where the same stands of what
 * the handlers have interrupted that have not returned yet. */
#ifndef TRI__MUTATOR_CONTEXT_H
#define TRI__MUTATOR_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#if defined(__x86_64__)

/* x86-64 system V: a function may use so many bytes below its stack pointer. */
#define TRI__RED_ZONE 128u

static inline uintptr_t tri__context_pc(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
}

static inline uintptr_t tri__context_stack(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
}

/* Where the interrupted function returns to, if a register says so; or 0. */
static inline uintptr_t tri__context_link(const ucontext_t *context)
{
    (void)context;
    return 0;
}

static inline void tri__context_set_pc(ucontext_t *context, uintptr_t pc)
{
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)pc;
}

/* The kernel lays the context behind the address of the code that returns from the handler: so far
 * from that address lie what will be the program counter and the stack pointer then. */
#define TRI__CONTEXT_BEHIND sizeof(uintptr_t)
#define TRI__SAVED_PC (TRI__CONTEXT_BEHIND + offsetof(ucontext_t, uc_mcontext.gregs[REG_RIP]))
#define TRI__SAVED_STACK (TRI__CONTEXT_BEHIND + offsetof(ucontext_t, uc_mcontext.gregs[REG_RSP]))
#define TRI__SAVED_BYTES (TRI__CONTEXT_BEHIND + sizeof(ucontext_t))

/* Does a handler's context lie so? `entry`: the address of the handler's return address. Not where
 * something has come between the kernel and the handler, and gives it a copy. */
static inline bool tri__context_is_behind(const ucontext_t *context, uintptr_t entry)
{
    return (uintptr_t)context == entry + TRI__CONTEXT_BEHIND;
}

#elif defined(__aarch64__)

#define TRI__RED_ZONE 0u

static inline uintptr_t tri__context_pc(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.pc;
}

static inline uintptr_t tri__context_stack(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.sp;
}

static inline uintptr_t tri__context_link(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.regs[30];
}

static inline void tri__context_set_pc(ucontext_t *context, uintptr_t pc)
{
    context->uc_mcontext.pc = pc;
}

/* The kernel leaves no address of its code on the stack; the handler may. */
#define TRI__SAVED_PC 0u
#define TRI__SAVED_STACK 0u
#define TRI__SAVED_BYTES 0u

static inline bool tri__context_is_behind(const ucontext_t *context, uintptr_t entry)
{
    (void)context, (void)entry;
    return false;
}

#else
#error "tricolor: context.h does not know this machine's ucontext_t"
#endif

#endif
