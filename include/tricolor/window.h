/* SPDX-License-Identifier: MIT */
/* tricolor/window.h: the stretches of inline code in which a thread must not answer the collector.
 *
 * Not an interface: barrier.h and alloc.h are made of the four functions below. Each looks at the
 * thread's block and then stores, and in between, in its window, the thread must not change phase.
 * A signal may ask for that at any instruction (thread.h), so the handler has to know windows.
 *   - Where there is assembler for the machine (window_<machine>.h), a window is one piece of code
 *     whose addresses stand in the ELF section tri_windows of the executable or shared object. Its
 *     last instruction is the store, and until that is done it may begin again: the handler sets
 *     the thread back to the beginning, and answers. So a window costs nothing. See: restartable
 *     atomic sequences, Bershad et al., ASPLOS 1992.
 *   - Elsewhere, with compilers older than gcc 11 or clang 11, and under sanitizers, which have to see
 *     each access, a window is plain C between two changes of a counter (window_counted.h); the
 *     answer is given when it closes.
 * Signal handlers of the program may interrupt a window, too, and be interrupted in turn: the
 * library looks for that on the stack, and sets them back, or tries again later. */
#ifndef TRICOLOR_WINDOW_H
#define TRICOLOR_WINDOW_H

#include <tricolor/fast.h>

TRI_BEGIN_DECLS

/* A word of the heap, whatever its type there. */
typedef uintptr_t __attribute__((may_alias)) tri__word;

/* How many windows the calling thread is in that count: those of window_counted.h, and all of the
 * library's own code. Changed by the thread alone; its signal handler looks. */
extern TRI_API __thread volatile uint32_t tri__window_depth
    __attribute__((tls_model("initial-exec")));

/* A bit of tri__front.request: a signal came inside a window that counts, and is to be answered at
 * its end. Set and taken back by the thread itself. */
#define TRI__REQUEST_DEFERRED UINT32_C(0x200)

TRI_API void tri__window_deferred_slow(void);

/* A window that counts. */
static inline void tri__window_open(void)
{
    tri__window_depth = tri__window_depth + 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* all that follows is inside */
}

/* The request is looked at when the window is closed already: a signal that comes now is answered
 * by its handler. */
static inline void tri__window_close(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    tri__window_depth = tri__window_depth - 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* a compiler must not look before */
    if (TRI__UNLIKELY(
            (__atomic_load_n(&tri__self->request, __ATOMIC_RELAXED) & TRI__REQUEST_DEFERRED) != 0))
        tri__window_deferred_slow();
}

/* A window of the assembler kind: its first instruction and the one behind its store, each as a
 * distance from the field that says so. Both 0: none. */
struct tri__window {
    int32_t first, behind;
};

/* Announces the windows of an executable or shared object, and takes that back. Twice does no
 * harm. start == stop: it has some, but the linker has lost them: no thread is asked by a signal
 * any more. */
TRI_API void tri__windows_add(const struct tri__window *start, const struct tri__window *stop);
TRI_API void tri__windows_remove(const struct tri__window *start);

TRI_END_DECLS

#if defined(__has_feature)
#define TRI__HAS_FEATURE(x) __has_feature(x)
#else
#define TRI__HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    TRI__HAS_FEATURE(address_sanitizer) || TRI__HAS_FEATURE(thread_sanitizer) ||                   \
    TRI__HAS_FEATURE(memory_sanitizer)
#define TRI__WINDOWS_COUNTED
#elif defined(__clang__) ? __clang_major__ < 11 : __GNUC__ < 11 /* no asm goto with outputs */
#define TRI__WINDOWS_COUNTED
#elif defined(__x86_64__)
#define TRI__WINDOWS_X86_64
#elif defined(__aarch64__)
#define TRI__WINDOWS_AARCH64
#else
#define TRI__WINDOWS_COUNTED
#endif

/* Each has something in it for its kind alone. */
#include <tricolor/window_aarch64.h>
#include <tricolor/window_counted.h>
#include <tricolor/window_module.h>
#include <tricolor/window_x86_64.h>

#endif
