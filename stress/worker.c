/* SPDX-License-Identifier: MIT */
/* stress/worker.c: numbers, clocks and the gate. */
#include "stress/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint32_t stress_stop, stress_hurry;
uint64_t stress_seed;
const char *stress_name = "stress";
uint32_t gate_owner;

static unsigned last_number; /* atomic */
static uint64_t all_checked; /* atomic */
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_opens = PTHREAD_COND_INITIALIZER;

void worker_init(struct worker *worker)
{
    memset(worker, 0, sizeof *worker);
    worker->number = __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED);
    worker->random = random_of(stress_seed, worker->number);
    worker->act = "start";
}

void worker_end(struct worker *worker)
{
    __atomic_fetch_add(&all_checked, worker->checked, __ATOMIC_RELAXED);
}

uint64_t workers_checked(void)
{
    return __atomic_load_n(&all_checked, __ATOMIC_RELAXED);
}

uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void sleep_ns(uint64_t ns)
{
    struct timespec time = {.tv_sec = (time_t)(ns / 1000000000u),
                            .tv_nsec = (long)(ns % 1000000000u)};

    TRI_BLOCKING
        nanosleep(&time, NULL);
}

void worker_check_heap(void)
{
    int defects = tri_heap_check();

    if (defects == 0)
        return;
    fprintf(stderr, "%s: FAILED: seed %" PRIu64 ": tri_heap_check() says %d\n", stress_name,
            stress_seed, defects);
    abort();
}

void pause_shortly(void)
{
    struct timespec time = {.tv_nsec = 20000};

    nanosleep(&time, NULL);
}

void give_up(const char *what)
{
    fprintf(stderr, "%s: %s (seed %" PRIu64 ")\n", stress_name, what, stress_seed);
    _Exit(2);
}

__attribute__((noinline)) void scrub_stack(void)
{
    volatile char dead[2048];

    memset((char *)dead, 0, sizeof dead);
    __asm__ volatile("" ::"r"(dead) : "memory");
}

__attribute__((noinline)) void grow_stack(void)
{
    volatile char room[64 << 10];

    memset((char *)room, 0, sizeof room);
    __asm__ volatile("" ::"r"(room) : "memory");
}

void gate_wait(void)
{
    TRI_BLOCKING {
        pthread_mutex_lock(&gate_lock);
        while (gate_is_closed())
            pthread_cond_wait(&gate_opens, &gate_lock);
        pthread_mutex_unlock(&gate_lock);
    }
}

bool gate_close(struct worker *worker)
{
    uint32_t nobody = 0;

    return __atomic_compare_exchange_n(&gate_owner, &nobody, worker->number, false,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void gate_open(void)
{
    pthread_mutex_lock(&gate_lock);
    __atomic_store_n(&gate_owner, 0, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&gate_opens);
    pthread_mutex_unlock(&gate_lock);
}
