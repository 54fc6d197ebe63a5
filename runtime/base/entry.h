/* SPDX-License-Identifier: MIT */
/* base/entry.h: the library's own code is a window [inv.window.runtime].
 *
 * Whoever enters the library from outside, through a public function or a destructor of the C
 * library's, has TRI__IN_RUNTIME; as its first declaration. Until the function returns, a signal for
 * the calling thread is put off; it is answered as the outermost of these functions returns.
 * A function that runs code of the program, which may take as long as it likes, leaves the
 * window for it (TRI__OUT_OF_RUNTIME), and is at a safepoint there. */
#ifndef TRI__BASE_ENTRY_H
#define TRI__BASE_ENTRY_H

#include <tricolor/window.h>

#include "base/atomic.h"

static inline void tri__runtime_leave(const char *unused)
{
    (void)unused;
    tri__window_close();
}

static inline char tri__runtime_enter(void)
{
    tri__window_open();
    return 0;
}

#define TRI__IN_RUNTIME                                                                            \
    const char tri__in_runtime __attribute__((cleanup(tri__runtime_leave), unused)) =              \
        tri__runtime_enter()

static inline void tri__runtime_return(const uint32_t *depth)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    tri__window_depth = *depth;
}

/* All windows but one, which tri__window_close() closes: it answers what was put off. */
static inline uint32_t tri__runtime_pause(void)
{
    uint32_t depth = tri__window_depth;

    if (depth != 0) {
        tri__window_depth = 1;
        tri__window_close();
    }
    return depth;
}

#define TRI__OUT_OF_RUNTIME                                                                        \
    const uint32_t tri__depth_outside __attribute__((cleanup(tri__runtime_return), unused)) =      \
        tri__runtime_pause()

#endif
