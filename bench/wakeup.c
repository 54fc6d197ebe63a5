/* SPDX-License-Identifier: MIT */
/* wakeup: what a handshake costs without a collector, in microseconds.
 *
 * One thread asks, running ones look for that all the time, answer, and the last to answer wakes
 * the one that has asked: no less is needed, so what this takes is the machine's and the
 * scheduler's. Before it asks, the asker works for a while, as a marker does, or sleeps. An answer
 * can be made to take some time, as a scan of a stack does: then the asker is asleep when it comes.
 * What this and a heap take can be compared on the same machine at the same time: bench/handshakes
 * does. */
#include "bench/bench.h"

#include <getopt.h>
#include <semaphore.h>

#define THREADS_MAX 64
#define ROUNDS_MAX 1000000
#define MICROSECONDS_MAX 1000000

struct shared {
    sem_t answered;
    uint32_t asked;   /* atomic: counts the questions */
    uint32_t pending; /* atomic: answers still to come */
    uint32_t stop;    /* atomic */
    uint64_t effort;  /* ns an answer takes */
};

static void work_until(uint64_t end)
{
    while (bench_now() < end)
        continue;
}

static void *run(void *argument)
{
    struct shared *shared = argument;
    uint32_t seen = 0;

    while (__atomic_load_n(&shared->stop, __ATOMIC_RELAXED) == 0) {
        uint32_t asked = __atomic_load_n(&shared->asked, __ATOMIC_ACQUIRE);

        if (asked == seen)
            continue;
        seen = asked;
        work_until(bench_now() + shared->effort);
        if (__atomic_sub_fetch(&shared->pending, 1, __ATOMIC_ACQ_REL) == 0)
            sem_post(&shared->answered);
    }
    return NULL;
}

static void sleep_for(uint64_t ns)
{
    struct timespec time = {.tv_nsec = (long)ns};

    nanosleep(&time, NULL);
}

static uint64_t ask(struct shared *shared, size_t running)
{
    uint64_t start = bench_now();

    __atomic_store_n(&shared->pending, (uint32_t)running, __ATOMIC_RELAXED);
    __atomic_add_fetch(&shared->asked, 1, __ATOMIC_RELEASE);
    while (sem_wait(&shared->answered) != 0)
        continue;
    return bench_now() - start;
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void print(uint64_t *times, size_t count)
{
    qsort(times, count, sizeof *times, by_size);
    printf("a question: p50 %.1f, p99 %.1f, max %.1f us over %zu\n",
           (double)times[count / 2] / 1000, (double)times[count - 1 - count / 100] / 1000,
           (double)times[count - 1] / 1000, count);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"running", required_argument, NULL, 'r'},
        {"rounds", required_argument, NULL, 'n'},
        {"working", required_argument, NULL, 'w'},
        {"effort", required_argument, NULL, 'e'},
        {NULL, 0, NULL, 0},
    };
    static struct shared shared;
    size_t running = 2, rounds = 5000, working = 0;
    pthread_t threads[THREADS_MAX];
    uint64_t *times;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case 'r':
            running = bench_parse(optarg, "running", 1, THREADS_MAX);
            break;
        case 'n':
            rounds = bench_parse(optarg, "rounds", 1, ROUNDS_MAX);
            break;
        case 'w':
            working = bench_parse(optarg, "working", 0, MICROSECONDS_MAX);
            break;
        case 'e':
            shared.effort = 1000 * bench_parse(optarg, "effort", 0, MICROSECONDS_MAX);
            break;
        default:
            fprintf(stderr, "usage: %s [--running N] [--rounds N] [--working US] [--effort US]\n",
                    argv[0]);
            exit(2);
        }
    times = heap_checked(calloc(rounds, sizeof *times));
    if (sem_init(&shared.answered, 0, 0) != 0)
        heap_die("sem_init");
    for (size_t i = 0; i < running; i++)
        if (pthread_create(&threads[i], NULL, run, &shared) != 0)
            heap_die("pthread_create");
    for (size_t i = 0; i < rounds; i++) {
        if (working != 0)
            work_until(bench_now() + working * 1000);
        else
            sleep_for(1000000);
        times[i] = ask(&shared, running);
    }
    __atomic_store_n(&shared.stop, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < running; i++)
        pthread_join(threads[i], NULL);
    printf("%zu threads running; the asker %s\n", running, working != 0 ? "works" : "sleeps");
    print(times, rounds);
    free(times);
    return 0;
}
