/* SPDX-License-Identifier: MIT */
/* tests/threads.h: starts threads, waits for their ends, and counts those that are attached. */
#ifndef TRI__TESTS_THREADS_H
#define TRI__TESTS_THREADS_H

#include <check.h>
#include <pthread.h>

#include "collected.h"

static inline void start_thread(pthread_t *thread, void *(*function)(void *), void *argument)
{
    ck_assert_int_eq(pthread_create(thread, NULL, function, argument), 0);
}

static inline void *join(pthread_t thread)
{
    void *result;
    int status;
    TRI_BLOCKING
        status = pthread_join(thread, &result);
    ck_assert_int_eq(status, 0);
    return result;
}

/* Of threads that return what is wrong. */
static inline void join_without_error(pthread_t thread)
{
    const char *error = join(thread);
    ck_assert_msg(error == NULL, "%s", error);
}

static inline uint64_t attached_threads(void)
{
    return stats_now().threads;
}

#endif
