/* SPDX-License-Identifier: MIT */
/* stress/driver.c: what stress programs have in common. */
#include "stress/driver.h"
#include "stress/guard.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STUCK_NS UINT64_C(60000000000)

unsigned stress_threads = 4;
enum stress_signal stress_signal = SIGNAL_ON;

static struct {
    double seconds;
    bool verbose;
} options = {DEFAULT_SECONDS, false};

static const struct stress *stress;
static struct worker workers[STRESS_THREADS_MOST];

/* --- the threads ------------------------------------------------------------------------------ */

static void *work(void *worker)
{
    guard_watch(worker);
    stress->work(worker);
    guard_forget(worker);
    worker_end(worker);
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
    guard_watch(&worker);
    while (!stopping()) {
        uint64_t end = now_ns() + (100 + below(&worker, 400)) * 1000000;

        hurry(true);
        while (!stopping() && (now_ns() < end || gate_is_closed()))
            tri_collect();
        hurry(false);
        worker_begins(&worker, "check the heap");
        worker_check_heap();
        worker_begins(&worker, "collect");
        sleep_ns(below(&worker, 200) * 1000000);
    }
    guard_forget(&worker);
    return NULL;
}

void stress_start(pthread_t *thread, void *(*function)(void *), void *argument)
{
    if (pthread_create(thread, NULL, function, argument) != 0)
        give_up("no thread");
}

void stress_join(pthread_t thread)
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
    fprintf(stderr, "%s: STUCK: seed %" PRIu64 ": no cycle has ended for %u seconds\n", stress_name,
            stress_seed, (unsigned)(STUCK_NS / 1000000000));
    guard_show_all();
    _exit(3);
}

static void print_cycle(const tri_stats *stats)
{
    printf("cycle %" PRIu64 ": live %" PRIu64 " KiB, heap %" PRIu64 " KiB, %" PRIu64 " threads\n",
           stats->cycles, stats->live_bytes >> 10, stats->heap_bytes >> 10, stats->threads);
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
        if (stress->look != NULL)
            stress->look(&stats);
        if (stats.cycles != cycles)
            moved = now_ns();
        else if (now_ns() - moved > STUCK_NS)
            stuck();
        if (options.verbose && stats.cycles / 100 != cycles / 100)
            print_cycle(&stats);
        cycles = stats.cycles;
    }
}

static void run(struct worker *main_worker)
{
    pthread_t collector;

    stress->begin(main_worker);
    guard_start();
    for (unsigned i = 0; i < stress_threads; i++) {
        worker_init(&workers[i]);
        stress_start(&workers[i].thread, work, &workers[i]);
    }
    stress_start(&collector, collect, NULL);
    watch();
    __atomic_store_n(&stress_stop, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < stress_threads; i++)
        stress_join(workers[i].thread);
    stress_join(collector);
    guard_stop();
    tri_collect();
    stress->end(main_worker);
}

/* --- options ---------------------------------------------------------------------------------- */

static _Noreturn void usage(const char *program)
{
    fprintf(stderr,
            "usage: %s [--seed N] [--seconds S] [--threads T] [--signal on|off] [--verbose]\n",
            program);
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

static void read_signal(const char *program, const char *text)
{
    if (strcmp(text, "on") == 0)
        stress_signal = SIGNAL_ON;
    else if (strcmp(text, "off") == 0)
        stress_signal = SIGNAL_OFF;
    else
        usage(program);
}

static void read_options(int argc, char **argv)
{
    static const struct option known[] = {{"seed", required_argument, NULL, 'r'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"threads", required_argument, NULL, 't'},
                                          {"signal", required_argument, NULL, 'g'},
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
            stress_threads = (unsigned)read_number(argv[0], optarg);
        else if (option == 'g')
            read_signal(argv[0], optarg);
        else if (option == 'v')
            options.verbose = true;
        else
            usage(argv[0]);
    }
    if (optind != argc || stress_threads == 0 || stress_threads > STRESS_THREADS_MOST)
        usage(argv[0]);
}

static void summarize(void)
{
    tri_stats stats;

    read_stats(&stats);
    printf("%s: ok: seed %" PRIu64 ": %" PRIu64 " cycles (%" PRIu64 " asked for), %" PRIu64
           " objects checked, %" PRIu64 " marked, %" PRIu64 " barrier entries drained\n",
           stress_name, stress_seed, stats.cycles, stats.forced_cycles, workers_checked(),
           stats.marked_objects, stats.barrier_entries);
}

int stress_main(int argc, char **argv, const struct stress *program)
{
    tri_config config = TRI_CONFIG_INIT;
    struct worker worker;

    stress = program;
    stress_name = program->name;
    read_options(argc, argv);
    if (stress_signal == SIGNAL_BY_SEED)
        stress_signal = stress_seed % 4 == 0 ? SIGNAL_OFF : SIGNAL_ON;
    printf("%s: seed %" PRIu64 "%s\n", stress_name, stress_seed,
           stress_signal == SIGNAL_OFF ? ", without a signal" : "");
    fflush(stdout);
    alarm((unsigned)options.seconds + 240);
    grow_stack();
    worker_init(&worker);
    config.gc_percent = 10;
    config.markers = 1 + (unsigned)below(&worker, 3);
    if (stress_signal == SIGNAL_OFF)
        config.signal = -1;
    if (tri_init(&config) != 0)
        return 2;
    run(&worker);
    worker_end(&worker);
    summarize();
    worker_check_heap();
    tri_shutdown();
    return 0;
}
