/* SPDX-License-Identifier: MIT */
/* tests/limited.h: a limit on how long a test may hang; then what every thread does is written to
 * stderr, and the test ends. Not through stdio: a thread may have its lock.
 *
 *     tcase_add_checked_fixture(tcase, begin_limit, end_limit);
 *
 * Threads: the one that watches takes no signals. */
#ifndef TRI__TESTS_LIMITED_H
#define TRI__TESTS_LIMITED_H

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mutator/registry.h"
#include "sanitized.h"

#define LIMIT_SECONDS 20 /* without a sanitizer, which multiplies it */

static struct {
    pthread_t thread;
    sem_t over;
} hang_limit;

/* ---- what the threads do ---- */

static inline void limit_show_file(const char *task, const char *name, const char *key)
{
    char path[300], line[400];
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%s/%s", task, name);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (key == NULL || strncmp(line, key, strlen(key)) == 0)
            dprintf(STDERR_FILENO, "  %s: %s", name, line);
    if (file != NULL)
        fclose(file);
}

static inline void limit_show_mutator(struct tri__mutator *mutator, void *unused)
{
    (void)unused;
    dprintf(STDERR_FILENO, "mutator %u: state %u, barrier %u, request %#x, answered %u, signalled %d\n",
            mutator->tid, mutator->state, mutator->writer.cache.front.barrier,
            mutator->writer.cache.front.request, mutator->answered, mutator->signalled);
}

static inline void limit_show_all(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;

    while (tasks != NULL && (task = readdir(tasks)) != NULL) {
        if (task->d_name[0] == '.')
            continue;
        dprintf(STDERR_FILENO, "thread %s\n", task->d_name);
        limit_show_file(task->d_name, "comm", NULL);
        limit_show_file(task->d_name, "syscall", NULL);
        limit_show_file(task->d_name, "status", "State");
        limit_show_file(task->d_name, "status", "SigBlk");
        limit_show_file(task->d_name, "status", "SigPnd");
    }
    if (tasks != NULL)
        closedir(tasks);
    tri__registry_each(limit_show_mutator, NULL);
}

/* ---- the limit ---- */

static inline unsigned limit_seconds(void)
{
    const char *multiplier = getenv("CK_TIMEOUT_MULTIPLIER");
    int by = multiplier != NULL ? atoi(multiplier) : 0;

    if (by <= 0)
        by = IS_SANITIZED ? 10 : 1;
    return LIMIT_SECONDS * (unsigned)by;
}

static inline void *limit_watch(void *unused)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += limit_seconds();
    while (sem_timedwait(&hang_limit.over, &end) != 0)
        if (errno == ETIMEDOUT) {
            dprintf(STDERR_FILENO, "the test hangs\n");
            limit_show_all();
            abort();
        }
    return unused;
}

static inline void begin_limit(void)
{
    sigset_t all, old;

    sigfillset(&all);
    ck_assert_int_eq(sem_init(&hang_limit.over, 0, 0), 0);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    ck_assert_int_eq(pthread_create(&hang_limit.thread, NULL, limit_watch, NULL), 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static inline void end_limit(void)
{
    sem_post(&hang_limit.over);
    pthread_join(hang_limit.thread, NULL);
    sem_destroy(&hang_limit.over);
}

#endif
