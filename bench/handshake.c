/* SPDX-License-Identifier: MIT */
/* handshake: how long it takes until all threads have answered, in microseconds.
 *
 *     handshake [blocked [running [cycles]]]
 *
 * Some threads allocate as fast as they can, which is what starts cycles; many more sleep in
 * TRI_BLOCKING. A cycle has five or more handshakes. */
#include "bench/bench.h"

#include <unistd.h>

#define CYCLES_MAX 100000
#define BLOCKED_MAX 10000

struct shared {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool over;     /* [lock] */
    size_t asleep; /* [lock] */
    uint32_t stop; /* atomic */
};

struct box {
    struct box *next;
    uint64_t number;
};
typedef struct box box;
TRI_TYPE(box, next);

/* Holds an object while it sleeps. */
static void *sleep_in_block(void *argument)
{
    struct shared *shared = argument;
    box *held = heap_new(box);

    held->number = 1;
    TRI_BLOCKING {
        pthread_mutex_lock(&shared->lock);
        shared->asleep++;
        pthread_cond_broadcast(&shared->changed);
        while (!shared->over)
            pthread_cond_wait(&shared->changed, &shared->lock);
        pthread_mutex_unlock(&shared->lock);
    }
    if (held->number != 1)
        heap_die("a sleeper's object");
    return NULL;
}

/* Lists of a thousand boxes, one after the other. */
static void *allocate(void *argument)
{
    struct shared *shared = argument;

    while (__atomic_load_n(&shared->stop, __ATOMIC_RELAXED) == 0) {
        box *list = NULL;

        for (int i = 0; i < 1000; i++) {
            box *fresh = heap_new(box);

            tri_init_store(&fresh->next, list);
            list = fresh;
        }
    }
    return NULL;
}

static void start(pthread_t *threads, size_t count, void *(*function)(void *),
                  struct shared *shared)
{
    for (size_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, function, shared) != 0)
            heap_die("pthread_create");
}

static void join(pthread_t *threads, size_t count)
{
    for (size_t i = 0; i < count; i++)
        heap_join(threads[i]);
}

static void await_sleepers(struct shared *shared, size_t count)
{
    TRI_BLOCKING {
        pthread_mutex_lock(&shared->lock);
        while (shared->asleep < count)
            pthread_cond_wait(&shared->changed, &shared->lock);
        pthread_mutex_unlock(&shared->lock);
    }
}

/* The allocation of the running threads is what starts cycles. */
static void await_cycles(size_t cycles)
{
    tri_stats stats = TRI_STATS_INIT;

    TRI_BLOCKING {
        do {
            usleep(250000); /* the figures of many threads take a while to add up */
            tri_stats_get(&stats);
        } while (stats.cycles < cycles);
    }
}

static void wake_sleepers(struct shared *shared)
{
    pthread_mutex_lock(&shared->lock);
    shared->over = true;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
}

static void print_delay(const char *what, const tri_delay *delay)
{
    printf("%s: p50 %.1f, p99 %.1f, max %.1f us over %llu\n", what, (double)delay->p50_ns / 1000,
           (double)delay->p99_ns / 1000, (double)delay->max_ns / 1000,
           (unsigned long long)delay->count);
}

int main(int argc, char **argv)
{
    static pthread_t threads[BLOCKED_MAX + BENCH_THREADS_MAX];
    struct shared shared = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0, 0};
    size_t blocked = bench_number(argc, argv, 1, "blocked", 200, 0, BLOCKED_MAX);
    size_t running = bench_number(argc, argv, 2, "running", 2, 0, BENCH_THREADS_MAX);
    size_t cycles = bench_number(argc, argv, 3, "cycles", 1000, 1, CYCLES_MAX);
    tri_stats stats = TRI_STATS_INIT;

    heap_start();
    start(threads, blocked, sleep_in_block, &shared);
    await_sleepers(&shared, blocked);
    start(threads + blocked, running, allocate, &shared);
    await_cycles(cycles);
    __atomic_store_n(&shared.stop, 1, __ATOMIC_RELAXED);
    wake_sleepers(&shared);
    join(threads, blocked + running);
    printf("%zu threads blocked, %zu running\n", blocked, running);
    tri_stats_get(&stats);
    print_delay("a handshake", &stats.rounds);
    print_delay("a running thread: answering", &stats.delays[TRI_DELAY_HANDSHAKE]);
    print_delay("a running thread: scanning its stack", &stats.delays[TRI_DELAY_STACK]);
    print_delay("a running thread: getting memory", &stats.delays[TRI_DELAY_REFILL]);
    print_delay("a running thread: assisting", &stats.delays[TRI_DELAY_ASSIST]);
    return 0;
}
