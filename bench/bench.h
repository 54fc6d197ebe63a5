/* SPDX-License-Identifier: MIT */
/* bench/bench.h: what the programs share: arguments, the clock, threads. */
#ifndef TRI__BENCH_BENCH_H
#define TRI__BENCH_BENCH_H

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/heap.h"

#define BENCH_THREADS_MAX 64

static inline uint64_t bench_now(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        heap_die("clock_gettime");
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

_Noreturn static inline void bench_misuse(const char *rule, const char *word)
{
    fprintf(stderr, "benchmark: %s \"%s\"\n", rule, word);
    exit(2);
}

/* The number in `word`. Ends the program when it is no number or out of range. */
static inline size_t bench_parse(const char *word, const char *name, size_t low, size_t high)
{
    char *end;
    unsigned long long number;

    errno = 0;
    number = strtoull(word, &end, 10);
    if (errno == 0 && end != word && *end == '\0' && number >= low && number <= high)
        return (size_t)number;
    fprintf(stderr, "benchmark: %s must be a number from %zu to %zu, not \"%s\"\n", name, low, high,
            word);
    exit(2);
}

/* The number in argv[i], or `standard` when there are fewer arguments. */
static inline size_t bench_number(int argc, char **argv, int i, const char *name, size_t standard,
                                  size_t low, size_t high)
{
    return i >= argc ? standard : bench_parse(argv[i], name, low, high);
}

/* One thread's part of the work: `index` of `threads`, numbered from 0. */
struct bench_part {
    unsigned index, threads;
    void (*work)(struct bench_part *part);
    void *argument;      /* memory outside the heap, the same for all parts */
    uint64_t count, sum; /* results, for the work to use */
};

static inline void *bench_thread(void *part)
{
    ((struct bench_part *)part)->work(part);
    return NULL;
}

/* Runs work on `threads` threads, of which the calling one is the first, and fills parts[0 ..
 * threads). pthread_create is the back end's own where it has one: bdwgc redefines the name. */
static inline void bench_run(struct bench_part *parts, unsigned threads,
                             void (*work)(struct bench_part *part), void *argument)
{
    pthread_t ids[BENCH_THREADS_MAX];

    for (unsigned i = 0; i < threads; i++)
        parts[i] = (struct bench_part){i, threads, work, argument, 0, 0};
    for (unsigned i = 1; i < threads; i++)
        if (pthread_create(&ids[i], NULL, bench_thread, &parts[i]) != 0)
            heap_die("pthread_create");
    work(&parts[0]);
    for (unsigned i = 1; i < threads; i++)
        heap_join(ids[i]);
}

#endif
