/* SPDX-License-Identifier: MIT */
/* tricolor/gc.h: starting, steering and stopping the collector. */
#ifndef TRICOLOR_GC_H
#define TRICOLOR_GC_H

#include <tricolor/base.h>

TRI_BEGIN_DECLS

/* Start with TRI_CONFIG_INIT and change what you need: later versions add fields at the end. The
 * number that ends a field's comment is its default. */
typedef struct tri_config {
    /* Garbage allowed on top of the live heap before a cycle, in percent of it; -1: no automatic
     * cycles. 100 */
    int gc_percent;
    /* Bytes of heap, at most; 0: 90 % of the cgroup's limit if there is one; SIZE_MAX: none. 0 */
    size_t memory_limit;
    /* Bytes of address space; 0: the larger of 256 GiB and four times the memory. 0 */
    size_t heap_reserve;
    /* Marker threads; 0: a quarter of the CPUs, at least one. 0 */
    unsigned markers;
    /* Signal for threads that do not reach a safepoint; 0: SIGURG, -1: never, so that the collector
     * waits for them. 0 */
    int signal;
    /* Called, at a safepoint of the thread that asked, when `bytes` cannot be had even after a
     * collection: true: try once more. NULL: no handler. */
    bool (*oom)(size_t bytes, void *argument);
    void *oom_argument;
    /* Where lines of the trace and of the watchdog go, newline included; called by collector
     * threads. NULL: standard error. */
    void (*log)(const char *line, void *argument);
    void *log_argument;
    /* Verification modes, as in TRICOLOR_VERIFY, separated by commas. "barrier": after each mark a
     * pointer that the collector was not told of is looked for; one that is found is reported, and
     * the program aborted; with "barrier=warn" it goes on, and nothing is lost. "layout": words that
     * types declare as no pointers, or that lie behind the last element, and that hold addresses of
     * objects, are reported (docs/verify-layout.md). "clobber": freed memory is filled, and the program aborted with a
     * report when it is used, or an object after tri_free, or when a pointer is stored where its
     * type has none (docs/verify-clobber.md). "blocking": so when the heap is used inside
     * TRI_BLOCKING, in a signal handler that has interrupted the library, or in a freed arena
     * (docs/verify-blocking.md).
     * "chaos=SEED": the library delays its threads at random, so that rare orders are frequent
     * (docs/chaos.md).
     * "oracle" (of a library configured with --enable-debug; its default): each layout is read back
     * when it has been written, and held against its definition. "off": nothing is verified. NULL */
    const char *verify;
    /* Milliseconds for which a thread may keep a cycle waiting before it is named, with what it does,
     * on standard error or to `log`; UINT_MAX: never. 0: 1000. 0 */
    unsigned stall_ms;
} tri_config;

#define TRI_CONFIG_INIT                                                                            \
    {                                                                                              \
        100, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0                                              \
    }

/* Initializes the library, before any other call: 0; -EALREADY when it is; -EINVAL for a bad value
 * (one message on standard error says which); -ENOMEM or -EAGAIN when memory or a thread cannot be
 * had, with nothing left behind. NULL: defaults. The environment overrides the configuration:
 * TRICOLOR_GC_PERCENT, TRICOLOR_MEMORY_LIMIT, TRICOLOR_HEAP_RESERVE, TRICOLOR_MARKERS,
 * TRICOLOR_SIGNAL, TRICOLOR_STALL, TRICOLOR_VERIFY, TRICOLOR_TRACE. The calling thread is attached. */
TRI_API int tri_init(const tri_config *config);

/* Stops and joins the collector's threads and gives all memory back: every heap pointer is
 * invalid afterwards. The calling thread is detached; other attached threads are fatal. The
 * library may be initialized again. */
TRI_API void tri_shutdown(void);

/* Runs a full cycle that starts after the call, and returns when it is swept. The thread waits as
 * in TRI_BLOCKING: a safepoint. */
TRI_API void tri_collect(void);

/* Change gc_percent; returns the old value. Takes effect at once. Any thread. */
TRI_API int tri_set_gc_percent(int percent);

/* Change memory_limit (SIZE_MAX: none); returns the old value. Any thread. */
TRI_API size_t tri_set_memory_limit(size_t bytes);

TRI_END_DECLS
#endif
