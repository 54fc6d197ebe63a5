/* SPDX-License-Identifier: MIT */
/* stress/handoff.c: producers and consumers. Threads hand parcels to each other in every way that
 * docs/handoff.md calls right, forget them at once, and what arrives is looked at, with what it
 * carries. See stress/driver.h for how it is called.
 *
 * The shadow: each way gives its parcels numbers, and they must arrive in that order, none twice.
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "stress/driver.h"
#include "stress/parcel.h"

#define LANES 6u
#define ROOM 64u

/* A ring between whoever has the one lock and whoever has the other: what passes between them is
 * seen by the indices alone. */
struct lane {
    pthread_mutex_t giving, taking;
    uint64_t given, taken; /* atomic: release -> acquire on the other side */
};

/* Where the slots of a lane are: an array in the heap, malloc'd memory that is a root, malloc'd
 * memory of handles, which is none. */
enum kind { IN_HEAP, IN_ROOT, IN_HANDLES, KINDS };

static struct lane lanes[KINDS][LANES];
TRI_ROOT static parcel **heap_rings[LANES];
static parcel **root_rings[LANES];
static tri_handle **handle_rings[LANES];

TRI_ROOT static parcel *mailboxes[LANES];

/* ---- lanes ---- */

static bool has_room(const struct lane *lane)
{
    return lane->given - __atomic_load_n(&lane->taken, __ATOMIC_ACQUIRE) < ROOM;
}

static bool has_parcel(const struct lane *lane)
{
    return lane->taken != __atomic_load_n(&lane->given, __ATOMIC_ACQUIRE);
}

static void step(uint64_t *index)
{
    __atomic_store_n(index, *index + 1, __ATOMIC_RELEASE);
}

/* A number that tells lanes apart, too. */
static uint64_t way_of(const struct lane *lane, uint64_t number)
{
    return (uint64_t)(uintptr_t)lane ^ number << 48 ^ number;
}

static void put_by_store(struct worker *worker, struct lane *lane, parcel **ring)
{
    tri_store(&ring[lane->given % ROOM], parcel_new(worker, way_of(lane, lane->given)));
}

static void take_by_load(struct worker *worker, struct lane *lane, parcel **ring)
{
    parcel *mine = ring[lane->taken % ROOM];

    if (chance(worker, 50))
        tri_store(&ring[lane->taken % ROOM], NULL);
    else
        tri_memclr(&ring[lane->taken % ROOM], sizeof *ring);
    if (chance(worker, 20))
        tri_safepoint();
    parcel_check(worker, mine, way_of(lane, lane->taken), "a ring");
}

static void put_handle(struct worker *worker, struct lane *lane, tri_handle **ring)
{
    tri_handle *handle = tri_handle_new(parcel_new(worker, way_of(lane, lane->given)));

    if (handle == NULL)
        give_up("no handle");
    ring[lane->given % ROOM] = handle;
}

static void take_handle(struct worker *worker, struct lane *lane, tri_handle **ring)
{
    tri_handle *handle = ring[lane->taken % ROOM];
    parcel *mine = tri_handle_get(handle);

    tri_handle_free(handle);
    parcel_check(worker, mine, way_of(lane, lane->taken), "a handle");
}

static void give(struct worker *worker, enum kind kind, size_t i)
{
    struct lane *lane = &lanes[kind][i];

    worker_begins(worker, "give");
    lock_enter(&lane->giving);
    for (uint64_t left = 1 + below(worker, ROOM); left > 0 && has_room(lane); left--) {
        if (kind == IN_HANDLES)
            put_handle(worker, lane, handle_rings[i]);
        else
            put_by_store(worker, lane, kind == IN_HEAP ? heap_rings[i] : root_rings[i]);
        step(&lane->given);
    }
    pthread_mutex_unlock(&lane->giving);
    scrub_stack();
}

static void take(struct worker *worker, enum kind kind, size_t i)
{
    struct lane *lane = &lanes[kind][i];

    worker_begins(worker, "take");
    lock_enter(&lane->taking);
    for (uint64_t left = 1 + below(worker, ROOM); left > 0 && has_parcel(lane); left--) {
        if (kind == IN_HANDLES)
            take_handle(worker, lane, handle_rings[i]);
        else
            take_by_load(worker, lane, kind == IN_HEAP ? heap_rings[i] : root_rings[i]);
        step(&lane->taken);
    }
    pthread_mutex_unlock(&lane->taking);
}

/* ---- mailboxes ---- */

static void exchange(struct worker *worker, size_t i)
{
    parcel *mine = NULL;

    worker_begins(worker, "mailbox");
    for (uint64_t left = 1 + below(worker, 20); left > 0; left--) {
        if (chance(worker, 60))
            mine = tri_exchange(&mailboxes[i], parcel_new(worker, i));
        else
            mine = tri_exchange(&mailboxes[i], NULL);
        if (chance(worker, 30))
            tri_safepoint();
        if (mine != NULL)
            parcel_check(worker, mine, i, "a mailbox");
    }
}

/* ---- jobs ---- */

struct job {
    parcel *what;
    uint64_t number;
    sem_t done;
};

static void *do_job(void *argument)
{
    struct job *job = argument;
    struct worker worker;

    worker_init(&worker);
    worker.act = "job";
    parcel_check(&worker, job->what, job->number, "another thread's stack");
    worker_end(&worker);
    sem_post(&job->done);
    return NULL;
}

/* The giver holds on to it until the job is done. */
static void give_job(struct worker *worker)
{
    struct job job = {.number = below(worker, 1000)};
    pthread_t thread;

    worker_begins(worker, "job");
    job.what = parcel_new(worker, job.number);
    sem_init(&job.done, 0, 0);
    stress_start(&thread, do_job, &job);
    TRI_BLOCKING
        while (sem_wait(&job.done) != 0)
            continue;
    stress_join(thread);
    sem_destroy(&job.done);
}

static void *do_argument(void *argument)
{
    struct worker worker;

    worker_init(&worker);
    worker.act = "argument";
    for (int i = 0; i < 3; i++) {
        parcel_new(&worker, 0);
        parcel_check(&worker, argument, 1, "the argument of a thread");
    }
    worker_end(&worker);
    return NULL;
}

__attribute__((noinline)) static void start_with_parcel(struct worker *worker, pthread_t *thread)
{
    if (tri_thread_create(thread, NULL, do_argument, parcel_new(worker, 1)) != 0)
        give_up("no thread");
}

/* Nobody but the new thread has it. */
static void give_argument(struct worker *worker)
{
    pthread_t thread;

    worker_begins(worker, "argument");
    start_with_parcel(worker, &thread);
    scrub_stack();
    stress_join(thread);
}

/* ---- the program ---- */

static void lane_init(struct lane *lane)
{
    pthread_mutex_init(&lane->giving, NULL);
    pthread_mutex_init(&lane->taking, NULL);
}

static void begin(struct worker *worker)
{
    (void)worker;
    for (size_t i = 0; i < LANES; i++) {
        for (enum kind kind = IN_HEAP; kind < KINDS; kind++)
            lane_init(&lanes[kind][i]);
        tri_store(&heap_rings[i], (parcel **)tri_new_ptrs(ROOM));
        root_rings[i] = calloc(ROOM, sizeof *root_rings[i]);
        handle_rings[i] = calloc(ROOM, sizeof *handle_rings[i]);
        if (heap_rings[i] == NULL || root_rings[i] == NULL || handle_rings[i] == NULL ||
            tri_root_add(root_rings[i], &tri_type_ptr, ROOM) != 0)
            give_up("out of memory");
    }
}

static void work(struct worker *worker)
{
    while (!stopping()) {
        unsigned kind = (unsigned)below(worker, 100);
        size_t i = below(worker, LANES);

        if (kind < 40)
            give(worker, kind % KINDS, i);
        else if (kind < 80)
            take(worker, kind % KINDS, i);
        else if (kind < 96)
            exchange(worker, i);
        else if (kind < 98)
            give_job(worker);
        else
            give_argument(worker);
    }
}

/* What nobody has taken yet. */
static void end(struct worker *worker)
{
    for (size_t i = 0; i < LANES; i++) {
        for (enum kind kind = IN_HEAP; kind < KINDS; kind++)
            while (has_parcel(&lanes[kind][i]))
                take(worker, kind, i);
        if (mailboxes[i] != NULL)
            parcel_check(worker, mailboxes[i], i, "a mailbox");
        tri_root_remove(root_rings[i]);
        free(root_rings[i]);
        free(handle_rings[i]);
    }
}

int main(int argc, char **argv)
{
    static const struct stress handoff = {"handoff", begin, work, NULL, end};

    return stress_main(argc, argv, &handoff);
}
