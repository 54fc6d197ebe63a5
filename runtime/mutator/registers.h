/* SPDX-License-Identifier: MIT */
/* The registers that a function must keep for its caller: together with the callers' stack they
 * hold every pointer the callers have. Caller-saved registers need no look: at a call they hold
 * nothing that is used afterwards.
 *
 * A function that looks finds some of them where its caller left them, and the others in its own
 * frame, where it has saved them to use the registers itself: so both are taken. */
#ifndef TRI__MUTATOR_REGISTERS_H
#define TRI__MUTATOR_REGISTERS_H

#include <stdint.h>

#if defined(__x86_64__)

#define TRI__SAVED_REGISTERS 6

__attribute__((always_inline)) static inline void tri__registers_read(uintptr_t *out)
{
    __asm__ volatile("movq %%rbx, 0(%0)\n\t"
                     "movq %%rbp, 8(%0)\n\t"
                     "movq %%r12, 16(%0)\n\t"
                     "movq %%r13, 24(%0)\n\t"
                     "movq %%r14, 32(%0)\n\t"
                     "movq %%r15, 40(%0)"
                     :
                     : "r"(out)
                     : "memory");
}

__attribute__((always_inline)) static inline uintptr_t tri__stack_pointer(void)
{
    uintptr_t pointer;

    __asm__ volatile("movq %%rsp, %0" : "=r"(pointer));
    return pointer;
}

#elif defined(__aarch64__)

#define TRI__SAVED_REGISTERS 20 /* d8 to d15 too: compilers spill pointers there */

__attribute__((always_inline)) static inline void tri__registers_read(uintptr_t *out)
{
    __asm__ volatile("stp x19, x20, [%0]\n\t"
                     "stp x21, x22, [%0, #16]\n\t"
                     "stp x23, x24, [%0, #32]\n\t"
                     "stp x25, x26, [%0, #48]\n\t"
                     "stp x27, x28, [%0, #64]\n\t"
                     "stp x29, x30, [%0, #80]\n\t"
                     "stp d8, d9, [%0, #96]\n\t"
                     "stp d10, d11, [%0, #112]\n\t"
                     "stp d12, d13, [%0, #128]\n\t"
                     "stp d14, d15, [%0, #144]"
                     :
                     : "r"(out)
                     : "memory");
}

__attribute__((always_inline)) static inline uintptr_t tri__stack_pointer(void)
{
    uintptr_t pointer;

    __asm__ volatile("mov %0, sp" : "=r"(pointer));
    return pointer;
}

#else
#error "tricolor: registers.h has no list of callee-saved registers for this machine"
#endif

#define TRI__SAVED_FRAME 32 /* words; the frame of tri_blocking_begin is smaller */

struct tri__registers {
    uintptr_t saved[TRI__SAVED_REGISTERS];
    uintptr_t frame[TRI__SAVED_FRAME];
};

#endif
