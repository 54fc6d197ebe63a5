/* SPDX-License-Identifier: MIT */
/* What a signal has interrupted: program counter and stack pointer. */
#ifndef TRI__MUTATOR_CONTEXT_H
#define TRI__MUTATOR_CONTEXT_H

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

#else
#error "tricolor: context.h does not know this machine's ucontext_t"
#endif

#endif
