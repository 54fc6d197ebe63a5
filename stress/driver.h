/* SPDX-License-Identifier: MIT */
/* stress/driver.h: the main of every stress program: options, threads, a thread that collects back
 * to back, and one eye on whether cycles end.
 *
 *     program [--seed N] [--seconds S] [--threads T] [--signal on|off] [--verbose]
 *
 * It prints the seed before anything else. Exit status: 0: all that was looked at was as it should
 * be; 1: an object was lost, and a message says which; 2: the program could not run; 3: the
 * collector does not come to an end of a cycle, or a thread to the end of an act; what all threads
 * do is written to standard error then. With the same seed each thread makes the same
 * choices, but when it makes them is up to the scheduler. */
#ifndef TRI__STRESS_DRIVER_H
#define TRI__STRESS_DRIVER_H

#include "stress/worker.h"

#define STRESS_THREADS_MOST 256u

struct stress {
    const char *name;
    void (*begin)(struct worker *worker); /* before the threads start */
    void (*work)(struct worker *worker);  /* the life of a thread: until stopping() */
    void (*look)(const tri_stats *stats); /* now and then; or NULL */
    void (*end)(struct worker *worker);   /* after they are gone; looks at everything there is */
};

/* What the options change. A program's main may set other defaults before it calls stress_main. */
extern unsigned stress_threads;
extern enum stress_signal {
    SIGNAL_ON,
    SIGNAL_OFF,     /* tri_config.signal == -1 */
    SIGNAL_BY_SEED, /* off for one seed in four */
} stress_signal;

int stress_main(int argc, char **argv, const struct stress *program);

/* A thread that ends the program if there is none to be had; waiting for it, in TRI_BLOCKING. */
void stress_start(pthread_t *thread, void *(*function)(void *), void *argument);
void stress_join(pthread_t thread);

#endif
