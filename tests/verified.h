/* SPDX-License-Identifier: MIT */
/* tests/verified.h: programs that run in a child under TRICOLOR_VERIFY; correct ones pass in silence. */
#ifndef TRI__TESTS_VERIFIED_H
#define TRI__TESTS_VERIFIED_H

#include <check.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <tricolor.h>

#include "capture.h"
#include "suite.h"

#include "base/atomic.h"

typedef struct link {
    uintptr_t number;
    struct link *next;
} link_t;
TRI_TYPE(link_t, next);

typedef struct wide { /* with a footer */
    uintptr_t numbers[100];
    link_t *link;
} wide;
TRI_TYPE(wide, link);

/* No cycle but those that are asked for. */
static inline void start_verified(const char *modes)
{
    tri_config config = TRI_CONFIG_INIT;

    config.gc_percent = -1;
    config.stall_ms = UINT_MAX; /* the watchdog's lines would be taken for reports */
    config.verify = modes;
    if (tri_init(&config) != 0)
        abort();
}

/* For programs that allocate until they are told to stop: cycles may be slow. */
static inline void start_bounded(const char *modes)
{
    start_verified(modes);
    tri_set_gc_percent(100);
}

/* A thread works, beside so many cycles, until *stop. */
static inline _Noreturn void run_beside_cycles(const char *modes, void *(*work)(void *),
                                               uint32_t *stop, int cycles)
{
    pthread_t thread;

    start_bounded(modes);
    if (pthread_create(&thread, NULL, work, NULL) != 0)
        abort();
    for (int i = 0; i < cycles; i++)
        tri_collect();
    tri__store_relaxed(stop, 1);
    TRI_BLOCKING
        pthread_join(thread, NULL);
    tri_shutdown();
    _exit(0);
}

static inline void expect_silence(void (*program)(void))
{
    struct captured captured = capture_child(program);

    ck_assert_msg(captured_exited(&captured, 0), "%.2000s", captured.text);
    ck_assert_msg(captured.text[0] == 0, "%.2000s", captured.text);
}

#endif
