/* SPDX-License-Identifier: MIT */
/* tricolor/fast.h: the part of a thread's block that the inline paths touch.
 *
 * Not an interface: programs use alloc.h, barrier.h and thread.h, which inline over this. The
 * layout belongs to the library's ABI all the same, because it is compiled into programs: it
 * changes only with the library's major version. */
#ifndef TRICOLOR_FAST_H
#define TRICOLOR_FAST_H

#include <tricolor/base.h>
#include <tricolor/size_class.h>

TRI_BEGIN_DECLS

/* State of a thread's write barrier. */
enum tri__barrier_state {
    TRI__BARRIER_IDLE = 0,       /* no mark is running: a store is a store */
    TRI__BARRIER_UNSCANNED = 1,  /* marking; this thread's stack has not been seen yet */
    TRI__BARRIER_SCANNED = 2,    /* marking, stack seen */
    TRI__BARRIER_UNATTACHED = 3, /* the thread has no block yet: the slow path attaches it */
    TRI__BARRIER_WATCHED = 4,    /* as IDLE, but verification looks at each store */
};

/* So many types at a time have a run of their own in each thread, behind those of the span
 * classes. */
#define TRI__HOT_TYPES 64
#define TRI__RUNS (TRI__SPAN_CLASSES + TRI__HOT_TYPES)

/* Free slots of one span class, or of one hot type, all zero: allocation hands out [current, end)
 * front to back. */
struct tri__run {
    uintptr_t current; /* next slot */
    uintptr_t end;     /* end of the run's last slot */
    const void *tag;   /* run_tag of the type whose layout the run's slots already carry */
};

/* Only the owning thread writes here; for a thread in TRI_BLOCKING the collector does, after
 * it has claimed the thread. */
struct tri__front {
    uint8_t barrier;  /* enum tri__barrier_state; changes only with the owner's answers */
    uint32_t request; /* atomic: not 0: something to do for the collector at the next safepoint */
    struct tri__run runs[TRI__RUNS];
};

/* The calling thread's block; a shared read-only block with empty runs before the thread's first
 * use of the heap. initial-exec: one load from the thread pointer instead of a call, eight bytes
 * of the static TLS reserve. */
extern TRI_API __thread struct tri__front *tri__self __attribute__((tls_model("initial-exec")));

/* Attaches the calling thread (thread.h). Never returns NULL; fatal when the
 * library is not initialized. */
TRI_API void tri__attach_slow(void);

TRI_END_DECLS
#endif
