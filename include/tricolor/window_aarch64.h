/* SPDX-License-Identifier: MIT */
/* tricolor/window_aarch64.h: windows in assembler; what each does stands in window_counted.h.
 *
 * Not an interface; included by window.h, which says what a window is. Rules of a window: from 771
 * on it writes to nothing but outputs that are no inputs, until its last instruction, before 772,
 * which is the store; it is left at 772, or by a jump that has stored nothing. A store that has
 * failed, because another processor's came first, has stored nothing. */
#ifndef TRICOLOR_WINDOW_AARCH64_H
#define TRICOLOR_WINDOW_AARCH64_H

#include <tricolor/window.h>

#ifdef TRI__WINDOWS_AARCH64

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

    __asm__("adrp %0, 775f\n\tadd %0, %0, :lo12:775f"
            "\n\t.pushsection tri_windows,\"aG\",@progbits,tri__window_none"
            "\n\t.balign 4"
            "\n775:\t.long 0, 0"
            "\n\t.popsection"
            : "=r"(row));
    return row;
}

TRI__STATIC_ASSERT(offsetof(struct tri__front, barrier) == 0, "`Q` is an address without offset");

__attribute__((always_inline)) static inline bool tri__store_fast(void *slot, uintptr_t value)
{
    uintptr_t barrier;

    __asm__ volatile goto("771:\tldrb %w[seen], %[barrier]\n\t"
                          "cbnz %w[seen], %l[marking]\n\t"
                          "stlr %[value], %[slot]\n"
                          "772:" TRI__WINDOW_ROW
                          : [seen] "=&r"(barrier)
                          : [barrier] "Q"(tri__self->barrier), [slot] "Q"(*(tri__word *)slot),
                            [value] "r"(value)
                          : "memory"
                          : marking);
    return true;
marking:
    return false;
}

__attribute__((always_inline)) static inline bool tri__exchange_fast(void *slot, uintptr_t value,
                                                                     uintptr_t *old)
{
    uintptr_t barrier, swapped;

    __asm__ volatile goto("771:\tldrb %w[seen], %[barrier]\n\t"
                          "cbnz %w[seen], %l[marking]\n\t"
                          "ldaxr %[swapped], %[slot]\n\t"
                          "stlxr %w[seen], %[value], %[slot]\n"
                          "772:\tcbnz %w[seen], 771b" TRI__WINDOW_ROW
                          : [seen] "=&r"(barrier), [swapped] "=&r"(swapped)
                          : [barrier] "Q"(tri__self->barrier), [slot] "Q"(*(tri__word *)slot),
                            [value] "r"(value)
                          : "memory"
                          : marking);
    *old = swapped;
    return true;
marking:
    return false;
}

__attribute__((always_inline)) static inline bool
tri__compare_exchange_fast(void *slot, uintptr_t expected, uintptr_t desired, uintptr_t *found)
{
    uintptr_t barrier, seen;

    __asm__ volatile goto("771:\tldrb %w[status], %[barrier]\n\t"
                          "cbnz %w[status], %l[marking]\n\t"
                          "ldaxr %[seen], %[slot]\n\t"
                          "cmp %[seen], %[expected]\n\t"
                          "b.ne 773f\n\t"
                          "stlxr %w[status], %[desired], %[slot]\n"
                          "772:\tcbnz %w[status], 771b" TRI__WINDOW_ROW "\n"
                          "773:"
                          : [status] "=&r"(barrier), [seen] "=&r"(seen)
                          : [barrier] "Q"(tri__self->barrier), [slot] "Q"(*(tri__word *)slot),
                            [expected] "r"(expected), [desired] "r"(desired)
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
    uintptr_t slot, next, seen;

    __asm__ volatile goto("771:\tldr %[slot], [%[run]]\n\t"
                          "ldr %[seen], [%[run], %[end]]\n\t"
                          "add %[next], %[slot], %[bytes]\n\t"
                          "cmp %[next], %[seen]\n\t"
                          "b.hi %l[other]\n\t"
                          "ldr %[seen], [%[run], %[run_tag]]\n\t"
                          "cmp %[seen], %[tag]\n\t"
                          "b.ne %l[other]\n\t"
                          "str %[next], [%[run]]\n"
                          "772:" TRI__WINDOW_ROW
                          : [slot] "=&r"(slot), [next] "=&r"(next), [seen] "=&r"(seen)
                          : [run] "r"(run), [end] "i"(offsetof(struct tri__run, end)),
                            [run_tag] "i"(offsetof(struct tri__run, tag)), [bytes] "r"(bytes),
                            [tag] "r"(tag)
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
