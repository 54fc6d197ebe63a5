/* SPDX-License-Identifier: MIT */
/* stress/crowd.c: threads that attach, detach, hand things to each other, and sleep. */
#include "stress/acts.h"

#define CROWD_MOST 12u

/* --- a thread whose argument nobody else holds ------------------------------------------------ */

static void *take_argument(void *argument)
{
    struct worker worker;
    slot value = *(slot *)argument;

    worker_init(&worker);
    worker.act = "take argument";
    check_slot(&worker, value, "the argument of a thread");
    for (int i = 0; i < 50; i++)
        act_mutate(&worker);
    scrub_stack();
    check_slot(&worker, value, "the argument of a thread, later");
    worker_end(&worker);
    return argument;
}

/* noinline, so that no frame of the caller holds what it makes. */
__attribute__((noinline)) static pthread_t start_with_argument(struct worker *worker)
{
    slot value = leaf_new(worker), *box = tri_new(slot);
    pthread_t thread;

    if (box == NULL)
        give_up("out of memory");
    tri_init_store(&box->p, value.p);
    box->want = value.want;
    if (tri_thread_create(&thread, NULL, take_argument, box) != 0)
        give_up("no thread");
    return thread;
}

static void argument(struct worker *worker)
{
    pthread_t threads[CROWD_MOST];
    size_t count = 1 + below(worker, 3);

    for (size_t i = 0; i < count; i++)
        threads[i] = start_with_argument(worker);
    scrub_stack();
    for (size_t i = 0; i < count; i++)
        TRI_BLOCKING
            pthread_join(threads[i], NULL);
}

/* --- a storm of short lives ------------------------------------------------------------------- */

static void *live_shortly(void *unused)
{
    struct worker worker;

    worker_init(&worker);
    for (int i = 0; i < 3; i++) {
        bool attached = chance(&worker, 50);

        if (attached && tri_thread_attach() != 0)
            give_up("no memory to attach");
        for (uint64_t left = below(&worker, 100); left > 0; left--)
            act_mutate(&worker);
        act_own(&worker);
        if (attached)
            tri_thread_detach(); /* its next use of the heap attaches it again */
    }
    worker_end(&worker);
    return unused;
}

static void storm(struct worker *worker)
{
    pthread_t threads[CROWD_MOST];
    size_t count = 2 + below(worker, CROWD_MOST - 2);

    for (size_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, live_shortly, NULL) != 0)
            give_up("no thread");
    for (size_t i = 0; i < count; i++)
        TRI_BLOCKING
            pthread_join(threads[i], NULL);
}

void act_crowd(struct worker *worker)
{
    worker->act = "crowd";
    if (chance(worker, 60))
        argument(worker);
    else
        storm(worker);
}

/* --- sleepers --------------------------------------------------------------------------------- */

void crowd_sleeper(struct worker *worker)
{
    while (!stopping()) {
        node *own = node_new(worker, 1 + below(worker, 40));
        struct place place = place_of(own);

        worker->act = "sleep";
        for (size_t i = 0; i < own->count; i++)
            fill_slot(&place, i, leaf_new(worker));
        for (int naps = 0; naps < 3; naps++) {
            scrub_stack();
            sleep_ns(below(worker, 20000000));
            gate_pass();
            for (size_t i = 0; i < place.count; i++)
                check_slot(worker, get_slot(&place, i), "what a sleeper holds");
        }
    }
}
