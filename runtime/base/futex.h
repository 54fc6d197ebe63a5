/* SPDX-License-Identifier: MIT */
/* base/futex.h: sleep until a word changes, and wake who sleeps on it; within one process.
 *
 * A wait may return for no reason (a signal, a word that changed already, a wake meant for the
 * past): every caller loops on its own condition. The futex orders nothing; the order comes from
 * the atomics on the word. */
#ifndef TRI__BASE_FUTEX_H
#define TRI__BASE_FUTEX_H

#include "base/chaos.h"
#include "base/fatal.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Sleeps while *word == expected, at most timeout_ns (0: no limit). */
static inline void tri__futex_wait(uint32_t *word, uint32_t expected, uint64_t timeout_ns)
{
    struct timespec limit = {
        .tv_sec = (time_t)(timeout_ns / 1000000000u),
        .tv_nsec = (long)(timeout_ns % 1000000000u),
    };
    long status;

    tri__chaos(TRI__CHAOS_FUTEX);
    if (tri__chaos_strikes(TRI__CHAOS_FUTEX))
        return;
    status = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected,
                     timeout_ns == 0 ? NULL : &limit, NULL, 0);
    if (status != 0 && errno != EAGAIN && errno != EINTR && errno != ETIMEDOUT)
        tri__fatal("futex wait on %p failed (errno %d)", (void *)word, errno);
}

/* Wakes up to count sleepers. */
static inline void tri__futex_wake(uint32_t *word, int count)
{
    if (syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0) < 0)
        tri__fatal("futex wake on %p failed (errno %d)", (void *)word, errno);
}

#endif
