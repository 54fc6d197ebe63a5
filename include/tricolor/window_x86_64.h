/* SPDX-License-Identifier: MIT */
/* tricolor/window_x86_64.h: windows in assembler; what each does stands in window_counted.h.
 *
 * Not an interface; included by window.h, which says what a window is. Rules of a window: from 771
 * on it writes to nothing but outputs that are no inputs, until its last instruction, before 772,
 * which is the store; it is left at 772, or by a jump that has stored nothing. */
#ifndef TRICOLOR_WINDOW_X86_64_H
#define TRICOLOR_WINDOW_X86_64_H

#include <tricolor/window.h>

#ifdef TRI__WINDOWS_X86_64

TRI_BEGIN_DECLS

/* "?": in the same group as the function, so that the row goes where the function goes. And the
 * function refers to its row, or a linker that looks for what is not used might keep the function
 * alone [inv.window.kept]. */
#define TRI__WINDOW_ROW                                                                            \
    "\n\t.reloc 771b, BFD_RELOC_NONE, 774f"                                                        \
    "\n\t.pushsection tri_windows,\"a?\",@progbits"                                                \
    "\n\t.balign 4"                                                                                \
    "\n774:\t.long 771b - ., 772b - ."                                                             \
    "\n\t.popsection"

/* A row of no window, in a piece of the section that is kept for its own sake: see
 * window_module.h. */
static inline const struct tri__window *tri__window_none(void)
{
    const struct tri__window *row;

    __asm__("leaq 775f(%%rip), %0"
            "\n\t.pushsection tri_windows,\"aG\",@progbits,tri__window_none"
            "\n\t.balign 4"
            "\n775:\t.long 0, 0"
            "\n\t.popsection"
            : "=r"(row));
    return row;
}

__attribute__((always_inline)) static inline bool tri__store_fast(void *slot, uintptr_t value)
{
    __asm__ volatile goto("771:\tcmpb $0, %[barrier]\n\t"
                          "jne %l[marking]\n\t"
                          "movq %[value], %[slot]\n"
                          "772:" TRI__WINDOW_ROW
                          :
                          : [barrier] "m"(tri__self->barrier), [slot] "m"(*(tri__word *)slot),
                            [value] "re"(value)
                          : "memory", "cc"
                          : marking);
    return true;
marking:
    return false;
}

__attribute__((always_inline)) static inline bool tri__exchange_fast(void *slot, uintptr_t value,
                                                                     uintptr_t *old)
{
    uintptr_t swapped;

    __asm__ volatile goto("771:\tmovq %[value], %[swapped]\n\t"
                          "cmpb $0, %[barrier]\n\t"
                          "jne %l[marking]\n\t"
                          "xchgq %[swapped], %[slot]\n"
                          "772:" TRI__WINDOW_ROW
                          : [swapped] "=&r"(swapped)
                          : [barrier] "m"(tri__self->barrier), [slot] "m"(*(tri__word *)slot),
                            [value] "re"(value)
                          : "memory", "cc"
                          : marking);
    *old = swapped;
    return true;
marking:
    return false;
}

__attribute__((always_inline)) static inline bool
tri__compare_exchange_fast(void *slot, uintptr_t expected, uintptr_t desired, uintptr_t *found)
{
    uintptr_t seen;

    __asm__ volatile goto("771:\tmovq %[expected], %[seen]\n\t"
                          "cmpb $0, %[barrier]\n\t"
                          "jne %l[marking]\n\t"
                          "lock cmpxchgq %[desired], %[slot]\n"
                          "772:" TRI__WINDOW_ROW
                          : [seen] "=&a"(seen)
                          : [barrier] "m"(tri__self->barrier), [slot] "m"(*(tri__word *)slot),
                            [expected] "re"(expected), [desired] "r"(desired)
                          : "memory", "cc"
                          : marking);
    *found = seen;
    return true;
marking:
    return false;
}

__attribute__((always_inline)) static inline bool tri__bump_fast(struct tri__run *run, size_t bytes,
                                                                 const void *tag, uintptr_t *object)
{
    uintptr_t slot, next;

    __asm__ volatile goto("771:\tmovq %[current], %[slot]\n\t"
                          "movq %[bytes], %[next]\n\t"
                          "addq %[slot], %[next]\n\t"
                          "cmpq %[next], %[end]\n\t"
                          "jb %l[other]\n\t"
                          "cmpq %[tag], %[run_tag]\n\t"
                          "jne %l[other]\n\t"
                          "movq %[next], %[current]\n"
                          "772:" TRI__WINDOW_ROW
                          : [slot] "=&r"(slot), [next] "=&r"(next)
                          : [current] "m"(run->current), [end] "m"(run->end),
                            [run_tag] "m"(run->tag), [bytes] "rme"(bytes), [tag] "r"(tag)
                          : "memory", "cc"
                          : other);
    *object = slot;
    return true;
other:
    return false;
}

TRI_END_DECLS
#endif

#endif
