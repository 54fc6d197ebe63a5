/* SPDX-License-Identifier: MIT */
/* stress/servers.c: threads as servers have them, all at once: they compute without safepoints,
 * sleep in system calls, come and go, fork, run coroutines, load shared objects, handle signals;
 * and nothing of that stops a cycle, loses an object, hangs, or leaves anything behind.
 *
 * Each thread does one act after the other, at random; between them it changes the table that all
 * of them share. See stress/driver.h for how the program is called; without --signal one seed in
 * four runs without a signal. Status 1 also says that something was left in the end. */
#include "stress/servers.h"

#include <stdio.h>
#include <unistd.h>

#define THREADS 8u

static void act_altogether(struct worker *worker);

static const struct act {
    const char *name;
    void (*act)(struct worker *worker);
    unsigned weight;
} acts[] = {
    {"spin", act_spin, 8},
    {"sleep", act_sleep, 10},
    {"take", act_take, 8},
    {"storm", act_storm, 8},
    {"fork", act_fork, 3},
    {"spawn", act_spawn, 1},
    {"coroutines", act_coroutines, 16},
    {"recursion", act_recursion, 5},
    {"alloca", act_alloca, 5},
    {"ranges", act_ranges, 8},
    {"arena", act_arena, 8},
    {"handle", act_handle, 6},
    {"roots of a module", act_roots_module, 5},
    {"types of a module", act_types_module, 5},
    {"alternate stack", act_altogether, 4},
};
enum { ACTS = sizeof acts / sizeof acts[0], WEIGHTS = 100 };

/* For ASan, if there is one: modules have one name for what they say of themselves. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_odr_violation=0";
}

void servers_fail(struct worker *worker, const char *what)
{
    fflush(stdout);
    fprintf(stderr, "%s: FAILED: seed %" PRIu64 ", pid %d, thread %u (%s): %s\n", stress_name,
            stress_seed, (int)getpid(), worker->number, worker->act, what);
    _exit(1);
}

static const struct act *any_act(struct worker *worker)
{
    unsigned at = (unsigned)below(worker, WEIGHTS);
    const struct act *act = acts;

    for (; at >= act->weight; act++)
        at -= act->weight;
    return act;
}

/* Some acts on end with an alternate stack; not one within the other, for their stacks would end
 * before theirs. */
static void some_acts(struct worker *worker)
{
    for (uint64_t left = 1 + below(worker, 4); left > 0; left--) {
        const struct act *act = any_act(worker);

        if (act->act != act_altogether)
            act->act(worker);
    }
}

static void act_altogether(struct worker *worker)
{
    act_alternate(worker, some_acts);
}

/* ---- the program ---- */

static void begin(struct worker *worker)
{
    holdings_remember();
    modules_init();
    table_init(worker);
    sleep_init(worker);
    signals_init(worker);
    life_init();
    stacks_init(worker);
}

static void work(struct worker *worker)
{
    signals_enter();
    while (!stopping()) {
        const struct act *act = any_act(worker);

        worker_begins(worker, "change");
        for (uint64_t left = below(worker, 100); left > 0; left--)
            table_change(worker);
        worker_begins(worker, act->name);
        act->act(worker);
    }
    signals_leave();
}

static void end(struct worker *worker)
{
    worker->act = "end";
    signals_end();
    sleep_end();
    table_check(worker);
    stacks_end();
    table_clear();
    life_end(worker);
    holdings_compare(worker);
}

int main(int argc, char **argv)
{
    static const struct stress servers = {"servers", begin, work, NULL, end};

    stress_threads = THREADS;
    stress_signal = SIGNAL_BY_SEED;
    return stress_main(argc, argv, &servers);
}
