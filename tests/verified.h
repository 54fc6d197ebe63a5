/* SPDX-License-Identifier: MIT */
/* tests/verified.h: programs that run in a child under TRICOLOR_VERIFY, with no cycle but those
 * that they ask for; correct ones pass in silence. */
#ifndef TRI__TESTS_VERIFIED_H
#define TRI__TESTS_VERIFIED_H

#include <check.h>
#include <limits.h>
#include <stdlib.h>

#include <tricolor.h>

#include "capture.h"

typedef struct link {
    uintptr_t number;
    struct link *next;
} link_t;
TRI_TYPE(link_t, next);

static inline void start_verified(const char *modes)
{
    tri_config config = TRI_CONFIG_INIT;

    config.gc_percent = -1;
    config.stall_ms = UINT_MAX; /* the watchdog's lines would be taken for reports */
    config.verify = modes;
    if (tri_init(&config) != 0)
        abort();
}

static inline void expect_silence(void (*program)(void))
{
    struct captured captured = capture_child(program);

    ck_assert_msg(captured_exited(&captured, 0), "%.2000s", captured.text);
    ck_assert_msg(captured.text[0] == 0, "%.2000s", captured.text);
}

#endif
