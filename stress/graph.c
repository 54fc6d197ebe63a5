/* SPDX-License-Identifier: MIT */
/* stress/graph.c: threads that change a shared graph and graphs of their own while cycles run back
 * to back.
 *
 *     graph [--seed N] [--seconds S] [--threads T] [--verbose]
 *
 * Prints the seed before anything else. Exit status: 0: all that was looked at was as it should be;
 * 1: an object was lost, and a message says which; 2: the program could not run; 3: the collector
 * does not come to an end of a cycle. With the same seed each thread makes the same choices, but
 * when it makes them is up to the scheduler. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "stress/acts.h"

#define WORKERS_MOST 256u
#define SLEEPERS 2u
/* When the heap is larger the world grows no more. */
#define WORLD_BYTES (((uint64_t)16 << 20) / SLOWDOWN)
#define STUCK_NS UINT64_C(60000000000)

static struct {
    double seconds;
    unsigned threads;
    bool verbose;
} options = {DEFAULT_SECONDS, 4, false};

static struct worker workers[WORKERS_MOST + SLEEPERS];

/* --- the threads ------------------------------------------------------------------------------ */

static void burst(struct worker *worker)
{
    for (uint64_t left = 100 + below(worker, 1000); left > 0 && !stopping(); left--) {
        gate_pass();
        act_mutate(worker);
        pattern_offer(worker);
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct hoard hoard;

    hoard_init(worker, &hoard);
    while (!stopping()) {
        unsigned kind = (unsigned)below(worker, 100);

        burst(worker);
        if (kind < 50)
            act_pattern(worker, &hoard);
        else if (kind < 95)
            act_own(worker);
        else
            act_crowd(worker);
    }
    hoard_check(worker, &hoard);
    worker_end(worker);
    return NULL;
}

static void *sleep_mostly(void *argument)
{
    crowd_sleeper(argument);
    worker_end(argument);
    return NULL;
}

static void hurry(bool on)
{
    __atomic_store_n(&stress_hurry, on, __ATOMIC_RELAXED);
}

static void *collect(void *argument)
{
    struct worker worker;

    (void)argument;
    worker_init(&worker);
    while (!stopping()) {
        uint64_t end = now_ns() + (100 + below(&worker, 400)) * 1000000;

        hurry(true);
        while (!stopping() && (now_ns() < end || gate_is_closed()))
            tri_collect();
        hurry(false);
        sleep_ns(below(&worker, 200) * 1000000);
    }
    return NULL;
}

static void start(pthread_t *thread, void *(*function)(void *), void *argument)
{
    if (pthread_create(thread, NULL, function, argument) != 0)
        give_up("no thread");
}

static void join(pthread_t thread)
{
    TRI_BLOCKING
        pthread_join(thread, NULL);
}

/* --- watching --------------------------------------------------------------------------------- */

static void read_stats(tri_stats *stats)
{
    *stats = (tri_stats)TRI_STATS_INIT;
    tri_stats_get(stats);
}

static _Noreturn void stuck(void)
{
    fprintf(stderr, "graph: STUCK: seed %" PRIu64 ": no cycle has ended for %u seconds\n",
            stress_seed, (unsigned)(STUCK_NS / 1000000000));
    _exit(3);
}

/* Until the time is over. */
static void watch(void)
{
    uint64_t start = now_ns(), end = start + (uint64_t)(options.seconds * 1e9), moved = start,
             cycles = 0;
    tri_stats stats;

    while (now_ns() < end) {
        sleep_ns(20000000);
        read_stats(&stats);
        __atomic_store_n(&world_is_full, stats.live_bytes > WORLD_BYTES, __ATOMIC_RELAXED);
        if (stats.cycles != cycles)
            moved = now_ns();
        else if (now_ns() - moved > STUCK_NS)
            stuck();
        if (options.verbose && stats.cycles / 100 != cycles / 100)
            printf("cycle %" PRIu64 ": live %" PRIu64 " KiB, heap %" PRIu64 " KiB, %" PRIu64
                   " threads\n",
                   stats.cycles, stats.live_bytes >> 10, stats.heap_bytes >> 10, stats.threads);
        cycles = stats.cycles;
    }
}

static void run(struct worker *main_worker)
{
    pthread_t collector;
    unsigned count = options.threads + SLEEPERS;

    world_init(main_worker);
    for (unsigned i = 0; i < count; i++) {
        worker_init(&workers[i]);
        start(&workers[i].thread, i < SLEEPERS ? sleep_mostly : work, &workers[i]);
    }
    start(&collector, collect, NULL);
    watch();
    __atomic_store_n(&stress_stop, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < count; i++)
        join(workers[i].thread);
    join(collector);
    tri_collect();
    world_end(main_worker);
}

/* --- options ---------------------------------------------------------------------------------- */

static _Noreturn void usage(const char *program)
{
    fprintf(stderr, "usage: %s [--seed N] [--seconds S] [--threads T] [--verbose]\n", program);
    exit(2);
}

static uint64_t read_number(const char *program, const char *text)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);

    if (*text == '\0' || *text == '-' || *end != '\0')
        usage(program);
    return number;
}

static void read_options(int argc, char **argv)
{
    static const struct option known[] = {{"seed", required_argument, NULL, 'r'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"threads", required_argument, NULL, 't'},
                                          {"verbose", no_argument, NULL, 'v'},
                                          {NULL, 0, NULL, 0}};
    const char *seed = getenv("TRICOLOR_SEED");
    int option;

    stress_seed =
        seed != NULL && *seed != '\0' ? read_number(argv[0], seed) : random_seed_from_clock();
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'r')
            stress_seed = read_number(argv[0], optarg);
        else if (option == 's')
            options.seconds = (double)read_number(argv[0], optarg);
        else if (option == 't')
            options.threads = (unsigned)read_number(argv[0], optarg);
        else if (option == 'v')
            options.verbose = true;
        else
            usage(argv[0]);
    }
    if (optind != argc || options.threads == 0 || options.threads > WORKERS_MOST)
        usage(argv[0]);
}

static void summarize(void)
{
    tri_stats stats;

    read_stats(&stats);
    printf("graph: ok: seed %" PRIu64 ": %" PRIu64 " cycles (%" PRIu64 " asked for), %" PRIu64
           " objects checked, %" PRIu64 " marked, %" PRIu64 " barrier entries drained\n",
           stress_seed, stats.cycles, stats.forced_cycles, workers_checked(), stats.marked_objects,
           stats.barrier_entries);
}

int main(int argc, char **argv)
{
    tri_config config = TRI_CONFIG_INIT;
    struct worker worker;

    read_options(argc, argv);
    printf("graph: seed %" PRIu64 "\n", stress_seed);
    fflush(stdout);
    alarm((unsigned)options.seconds + 240);
    worker_init(&worker);
    config.gc_percent = 10;
    config.markers = 1 + (unsigned)below(&worker, 3);
    if (tri_init(&config) != 0)
        return 2;
    run(&worker);
    worker_end(&worker);
    summarize();
    tri_shutdown();
    return 0;
}
