/* SPDX-License-Identifier: MIT */
/* stress/graph.c: threads that change a shared graph and graphs of their own while cycles run back
 * to back. See stress/driver.h for how it is called. */
#include "stress/acts.h"
#include "stress/driver.h"

#define SLEEPERS 2u
/* When the heap is larger the world grows no more. */
#define WORLD_BYTES (((uint64_t)16 << 20) / SLOWDOWN)

static struct worker sleepers[SLEEPERS];

static void burst(struct worker *worker)
{
    for (uint64_t left = 100 + below(worker, 1000); left > 0 && !stopping(); left--) {
        gate_pass();
        act_mutate(worker);
        pattern_offer(worker);
    }
}

static void work(struct worker *worker)
{
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
}

static void *sleep_mostly(void *argument)
{
    crowd_sleeper(argument);
    worker_end(argument);
    return NULL;
}

static void begin(struct worker *worker)
{
    world_init(worker);
    for (unsigned i = 0; i < SLEEPERS; i++) {
        worker_init(&sleepers[i]);
        stress_start(&sleepers[i].thread, sleep_mostly, &sleepers[i]);
    }
}

static void look(const tri_stats *stats)
{
    __atomic_store_n(&world_is_full, stats->live_bytes > WORLD_BYTES, __ATOMIC_RELAXED);
}

static void end(struct worker *worker)
{
    for (unsigned i = 0; i < SLEEPERS; i++)
        stress_join(sleepers[i].thread);
    tri_collect();
    world_end(worker);
}

int main(int argc, char **argv)
{
    static const struct stress graph = {"graph", begin, work, look, end};

    return stress_main(argc, argv, &graph);
}
