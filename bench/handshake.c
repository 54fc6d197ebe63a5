/* SPDX-License-Identifier: MIT */
/* handshake: how long it takes until all threads have answered, in microseconds.
 *
 * Threads of four kinds: running ones allocate as fast as they can, which is what starts cycles;
 * blocked ones sleep in TRI_BLOCKING; sleeping ones sleep without it; spinning ones neither use the
 * heap nor come to a safepoint. The latter two answer in a signal handler. A cycle has five or more
 * handshakes. Beside all that there may be a heap of any size. */
#include "bench/bench.h"

#include <getopt.h>
#include <unistd.h>

#define CYCLES_MAX 100000
#define THREADS_MAX 10000
#define MEGABYTES_MAX 100000

struct wanted {
    size_t running, blocked, asleep, spinning, cycles, megabytes;
};

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

/* What the heap is full of: a kilobyte, so that a megabyte has a thousand objects to mark. */
struct block {
    uint64_t number[127];
    void *unused;
};
typedef struct block block;
TRI_TYPE(block, unused);

TRI_ROOT static void **ballast;

static void sleep_until_over(struct shared *shared)
{
    pthread_mutex_lock(&shared->lock);
    shared->asleep++;
    pthread_cond_broadcast(&shared->changed);
    while (!shared->over)
        pthread_cond_wait(&shared->changed, &shared->lock);
    pthread_mutex_unlock(&shared->lock);
}

/* Both kinds hold an object while they sleep. */
static void *sleep_in_block(void *argument)
{
    box *held = heap_new(box);

    held->number = 1;
    TRI_BLOCKING
        sleep_until_over(argument);
    if (held->number != 1)
        heap_die("a sleeper's object");
    return NULL;
}

static void *sleep_outside(void *argument)
{
    box *held = heap_new(box);

    held->number = 1;
    sleep_until_over(argument);
    if (held->number != 1)
        heap_die("a sleeper's object");
    return NULL;
}

static void *spin(void *argument)
{
    struct shared *shared = argument;
    box *held = heap_new(box);

    held->number = 1;
    while (__atomic_load_n(&shared->stop, __ATOMIC_RELAXED) == 0)
        continue;
    if (held->number != 1)
        heap_die("a spinner's object");
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

static pthread_t *start(pthread_t *threads, size_t count, void *(*function)(void *),
                        struct shared *shared)
{
    for (size_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, function, shared) != 0)
            heap_die("pthread_create");
    return threads + count;
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

/* Without cycles: handshakes of a thread alone are none of those that are measured. */
static void fill_heap(size_t megabytes)
{
    size_t count = megabytes << 10;
    int percent = tri_set_gc_percent(-1);

    tri_store(&ballast, tri_new_ptrs(count + 1));
    for (size_t i = 0; i < count; i++)
        tri_store(&ballast[i], tri_new(block));
    tri_set_gc_percent(percent);
}

static uint64_t cycles_now(void)
{
    tri_stats stats = TRI_STATS_INIT;

    tri_stats_get(&stats);
    return stats.cycles;
}

/* The allocation of running threads starts cycles; without any this one does. */
static void await_cycles(const struct wanted *wanted)
{
    uint64_t last = cycles_now() + wanted->cycles;

    while (cycles_now() < last)
        if (wanted->running == 0)
            tri_collect();
        else
            TRI_BLOCKING
                usleep(50000); /* the figures of many threads take a while to add up */
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

static void print(const struct wanted *wanted)
{
    tri_stats stats = TRI_STATS_INIT;

    printf("%zu threads running, %zu blocked, %zu asleep, %zu spinning; %zu MB\n", wanted->running,
           wanted->blocked, wanted->asleep, wanted->spinning, wanted->megabytes);
    tri_stats_get(&stats);
    print_delay("a handshake", &stats.rounds);
    print_delay("a thread: answering", &stats.delays[TRI_DELAY_HANDSHAKE]);
    print_delay("a thread: scanning its stack", &stats.delays[TRI_DELAY_STACK]);
    print_delay("a thread: getting memory", &stats.delays[TRI_DELAY_REFILL]);
    print_delay("a thread: assisting", &stats.delays[TRI_DELAY_ASSIST]);
}

static void measure(const struct wanted *wanted)
{
    static pthread_t threads[4 * THREADS_MAX];
    struct shared shared = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0, 0};
    pthread_t *next = threads;

    next = start(next, wanted->blocked, sleep_in_block, &shared);
    next = start(next, wanted->asleep, sleep_outside, &shared);
    await_sleepers(&shared, wanted->blocked + wanted->asleep);
    next = start(next, wanted->running, allocate, &shared);
    next = start(next, wanted->spinning, spin, &shared);
    await_cycles(wanted);
    __atomic_store_n(&shared.stop, 1, __ATOMIC_RELAXED);
    wake_sleepers(&shared);
    for (pthread_t *thread = threads; thread < next; thread++)
        heap_join(*thread);
}

_Noreturn static void misuse(const char *program)
{
    fprintf(stderr,
            "usage: %s [--running N] [--blocked N] [--asleep N] [--spinning N]\n"
            "          [--cycles N] [--megabytes N]\n",
            program);
    exit(2);
}

static void parse(int argc, char **argv, struct wanted *wanted)
{
    static const struct option options[] = {
        {"running", required_argument, NULL, 'r'},
        {"blocked", required_argument, NULL, 'b'},
        {"asleep", required_argument, NULL, 'a'},
        {"spinning", required_argument, NULL, 's'},
        {"cycles", required_argument, NULL, 'c'},
        {"megabytes", required_argument, NULL, 'm'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case 'r':
            wanted->running = bench_parse(optarg, "running", 0, THREADS_MAX);
            break;
        case 'b':
            wanted->blocked = bench_parse(optarg, "blocked", 0, THREADS_MAX);
            break;
        case 'a':
            wanted->asleep = bench_parse(optarg, "asleep", 0, THREADS_MAX);
            break;
        case 's':
            wanted->spinning = bench_parse(optarg, "spinning", 0, THREADS_MAX);
            break;
        case 'c':
            wanted->cycles = bench_parse(optarg, "cycles", 1, CYCLES_MAX);
            break;
        case 'm':
            wanted->megabytes = bench_parse(optarg, "megabytes", 0, MEGABYTES_MAX);
            break;
        default:
            misuse(argv[0]);
        }
    if (optind != argc)
        misuse(argv[0]);
}

int main(int argc, char **argv)
{
    struct wanted wanted = {.running = 2, .cycles = 1000};

    parse(argc, argv, &wanted);
    heap_start();
    fill_heap(wanted.megabytes);
    if (wanted.megabytes >=
        1000) /* else the running threads have to fill it again for each cycle */
        tri_set_gc_percent(5);
    measure(&wanted);
    print(&wanted);
    return 0;
}
