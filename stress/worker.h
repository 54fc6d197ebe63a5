/* SPDX-License-Identifier: MIT */
/* stress/worker.h: what every thread of the stress program has, and what all of them share.
 *
 * Threads: a worker belongs to the thread that runs it. */
#ifndef TRI__STRESS_WORKER_H
#define TRI__STRESS_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <tricolor.h>

#include "base/tsan.h"
#include "tests/random.h"

/* ThreadSanitizer makes the marker, above all, many times slower: then there is less to mark, and
 * more time. */
#ifdef TRI__TSAN
#define DEFAULT_SECONDS 6.0
#define SLOWDOWN 4u
#else
#define DEFAULT_SECONDS 3.0
#define SLOWDOWN 1u
#endif

struct worker {
    pthread_t thread;
    unsigned number; /* of the thread; never used twice */
    struct random random;
    uint64_t serial;  /* of the last object it has made */
    uint64_t checked; /* objects it has looked at */
    const char *act;  /* what it is doing, for messages */
    uint64_t begun;   /* atomic: acts; see worker_begins() */
};

/* Makes the worker the next one. Any thread. */
void worker_init(struct worker *worker);
void worker_end(struct worker *worker); /* its counts go into the sum */
uint64_t workers_checked(void);

static inline uint64_t below(struct worker *worker, uint64_t limit)
{
    return random_below(&worker->random, limit);
}

static inline bool chance(struct worker *worker, unsigned percent)
{
    return below(worker, 100) < percent;
}

/* Says that the worker has come to its next act. Whoever has said so once is watched: guard.h. */
static inline void worker_begins(struct worker *worker, const char *act)
{
    __atomic_store_n(&worker->act, act, __ATOMIC_RELAXED);
    __atomic_store_n(&worker->begun, worker->begun + 1, __ATOMIC_RELAXED);
}

/* Time to end. */
extern uint32_t stress_stop; /* atomic */
/* const after main has begun */
extern uint64_t stress_seed;
extern const char *stress_name;

static inline bool stopping(void)
{
    return __atomic_load_n(&stress_stop, __ATOMIC_RELAXED) != 0;
}

/* Cycles run back to back; at other times only those that the heap's growth asks for. */
extern uint32_t stress_hurry; /* atomic */

static inline bool hurrying(void)
{
    return __atomic_load_n(&stress_hurry, __ATOMIC_RELAXED) != 0;
}

uint64_t now_ns(void);
void sleep_ns(uint64_t ns); /* in TRI_BLOCKING */
void pause_shortly(void);   /* leaves the processor to others, answers no requests meanwhile */

/* Ends the program: it cannot go on for a reason that is not the collector's fault. */
_Noreturn void give_up(const char *what);

/* The heap's structure is right, or the program ends. */
void worker_check_heap(void);

/* Overwrites the stack below the caller, where dead frames still hold pointers: a scan that happens
 * to include them would keep what is to be kept by other means. */
void scrub_stack(void);

/* For the main thread under Valgrind, which takes a handler that may run on an alternate stack for one
 * that does, and does not let the stack grow for it. */
void grow_stack(void);

/* --- the gate: times at which one thread alone runs, all others being in TRI_BLOCKING --------- */

extern uint32_t gate_owner; /* atomic: 0: open */

static inline bool gate_is_closed(void)
{
    return __atomic_load_n(&gate_owner, __ATOMIC_RELAXED) != 0;
}

void gate_wait(void);

/* Every thread calls this between two acts, holding no lock. */
static inline void gate_pass(void)
{
    if (gate_is_closed())
        gate_wait();
}

bool gate_close(struct worker *worker); /* false: another one has */
void gate_open(void);

#endif
