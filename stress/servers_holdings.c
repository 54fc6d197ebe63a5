/* SPDX-License-Identifier: MIT */
/* stress/servers_holdings.c: what the process has when nobody else is there: threads, files, keys,
 * memory. It must be the same in the end as in the beginning. */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "stress/servers.h"

#define KEYS_MOST 2000u
/* liburcu's thread comes with the first callback. */
#define THREADS_LATER 1u
/* Resident besides the heap: malloc's arenas, stacks that libc keeps, modules. */
#define RESIDENT_MORE ((uint64_t)64 << 20)
/* Alive by stray words, in modules that stay, and the like. */
#define LIVE_MORE ((uint64_t)4 << 20)

static struct holdings {
    size_t threads, files, keys;
    uint64_t resident, mapped, live;
} before;

static size_t entries_of(const char *path)
{
    DIR *directory = opendir(path);
    size_t count = 0;

    if (directory == NULL)
        give_up("no /proc");
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static size_t free_keys(void)
{
    static pthread_key_t keys[KEYS_MOST];
    size_t count = 0;

    while (count < KEYS_MOST && pthread_key_create(&keys[count], NULL) == 0)
        count++;
    for (size_t i = 0; i < count; i++)
        pthread_key_delete(keys[i]);
    return count;
}

static struct holdings holdings_now(void)
{
    tri_stats stats = TRI_STATS_INIT;

    scrub_stack();
    for (int i = 0; i < 2; i++)
        tri_collect();
    tri_stats_get(&stats);
    return (struct holdings){
        entries_of("/proc/self/task"), entries_of("/proc/self/fd"), free_keys(),
        stats.resident_bytes,          stats.mapped_bytes,          stats.live_bytes};
}

void holdings_remember(void)
{
    before = holdings_now();
}

/* A thread that has ended may be in the list of tasks for a moment. */
void holdings_await_threads(struct worker *worker)
{
    for (int i = 0; entries_of("/proc/self/task") > before.threads + THREADS_LATER; i++) {
        if (i == 20000)
            servers_fail(worker, "threads are left");
        sleep_ns(1000000);
    }
}

void holdings_compare(struct worker *worker)
{
    tri_stats stats = TRI_STATS_INIT;
    struct holdings now;

    holdings_await_threads(worker);
    now = holdings_now();
    tri_stats_get(&stats);
    printf("threads %zu, %zu; files %zu, %zu; keys %zu, %zu; resident %" PRIu64 ", %" PRIu64
           " KiB; mapped %" PRIu64 ", %" PRIu64 " KiB; live %" PRIu64 ", %" PRIu64 " KiB\n",
           before.threads, now.threads, before.files, now.files, before.keys, now.keys,
           before.resident >> 10, now.resident >> 10, before.mapped >> 10, now.mapped >> 10,
           before.live >> 10, now.live >> 10);
    if (stats.threads != 1)
        servers_fail(worker, "threads are attached");
    if (now.files != before.files)
        servers_fail(worker, "files are open");
    if (now.keys != before.keys)
        servers_fail(worker, "keys of thread-specific data are left");
    if (now.live > before.live + LIVE_MORE)
        servers_fail(worker, "objects are alive that nobody needs");
    if (!IS_SANITIZED &&
        now.resident > before.resident + (now.mapped - before.mapped) + RESIDENT_MORE)
        servers_fail(worker, "memory is left");
}
