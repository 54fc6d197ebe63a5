/* SPDX-License-Identifier: MIT */
/* tests/lives.h: lists that threads replace while cycles run back to back, and what a process has:
 * for tests of how threads live and end, which must lose nothing and leave nothing.
 *
 * The test sets `seed`. */
#ifndef TRI__TESTS_LIVES_H
#define TRI__TESTS_LIVES_H

#include <check.h>
#include <dirent.h>
#include <pthread.h>

#include "collected.h"
#include "forked.h"
#include "random.h"
#include "sanitized.h"
#include "suite.h"
#include "task.h"
#include "threads.h"

#include "base/atomic.h"
#include "base/rcu_shim.h"
#include "mutator/registry.h"

#define SLOTS 64
#define LENGTH 8

#include "node_list.h"

TRI_ROOT static node *lists[SLOTS];

static uint64_t seed;

static inline void fill_lists(void)
{
    for (size_t i = 0; i < SLOTS; i++)
        tri_store(&lists[i], list_of(i));
}

static inline bool is_whole(void)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (!is_list_of(__atomic_load_n(&lists[i], __ATOMIC_ACQUIRE), i))
            return false;
    return true;
}

static inline void store_somewhere(struct random *random)
{
    size_t slot = random_below(random, SLOTS);

    tri_store_release(&lists[slot], list_of(slot));
}

/* ---- cycles beside ---- */

static uint32_t stop; /* atomic */
static pthread_t collector;

static inline void *collect_on(void *unused)
{
    (void)unused;
    while (tri__load_relaxed(&stop) == 0)
        tri_collect();
    return NULL;
}

static inline void start_cycles(void)
{
    start_quiet();
    fill_lists();
    start_thread(&collector, collect_on, NULL);
}

static inline void end_cycles(void)
{
    tri__store_relaxed(&stop, 1);
    join(collector);
    ck_assert(is_whole());
    ck_assert_uint_eq(tri__registry_size(), 1);
    collect();
    ck_assert(is_whole());
    tri_shutdown();
}

/* ---- what a process has ---- */

static inline size_t entries_of(const char *path)
{
    DIR *directory = opendir(path);
    size_t count = 0;

    ck_assert_ptr_nonnull(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

#define EXITING 0x4ul /* PF_EXITING */

/* false: it ends, or has ended; a thread that was joined may be in the list of tasks for long, while
 * it waits for a processor. */
static inline bool task_lives_on(const char *number)
{
    struct task task = task_now(strtoul(number, NULL, 10));

    return task.state != '\0' && (task.flags & EXITING) == 0;
}

static inline size_t count_threads(void)
{
    DIR *directory = opendir("/proc/self/task");
    struct dirent *task;
    size_t count = 0;

    ck_assert_ptr_nonnull(directory);
    while ((task = readdir(directory)) != NULL)
        count += task->d_name[0] != '.' && task_lives_on(task->d_name);
    closedir(directory);
    ck_assert_uint_ge(count, 1); /* ours */
    return count;
}

static inline size_t free_keys(void)
{
    static pthread_key_t keys[2000];
    size_t count = 0;

    while (count < 2000 && pthread_key_create(&keys[count], NULL) == 0)
        count++;
    for (size_t i = 0; i < count; i++)
        pthread_key_delete(keys[i]);
    return count;
}

struct holdings {
    size_t threads, files, keys, resident, heap;
};

static inline struct holdings holdings_now(void)
{
    tri_stats stats;

    tri__rcu_barrier(); /* blocks of threads that have ended */
    stats = stats_now();
    return (struct holdings){count_threads(), entries_of("/proc/self/fd"), free_keys(),
                             stats.resident_bytes, stats.mapped_bytes};
}

static inline void check_holdings(const struct holdings *before)
{
    struct holdings now = holdings_now();

    ck_assert_uint_eq(now.threads, before->threads);
    ck_assert_uint_eq(now.files, before->files);
    ck_assert_uint_eq(now.keys, before->keys);
    if (!IS_SANITIZED) /* how large the heap gets, is up to when cycles come */
        ck_assert_uint_le(now.resident,
                          before->resident + (now.heap - before->heap) + ((size_t)24 << 20));
}

#endif
