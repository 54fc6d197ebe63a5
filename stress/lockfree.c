/* SPDX-License-Identifier: MIT */
/* stress/lockfree.c: stacks and queues without locks, as a garbage collector makes them simple:
 * plain loads, compare-and-swap, no counters against reuse, no hazard pointers. A node that another
 * thread has still in its hands cannot become another one. See stress/driver.h for how it is
 * called.
 *
 * The shadow: what was put in is what comes out, by sums over all; of a queue, what one thread has
 * put in comes out in that order, as far as another one sees it. */
#include <stdio.h>
#include <stdlib.h>

#include "stress/driver.h"
#include "stress/parcel.h"

#define STACKS 4u
#define QUEUES 4u
#define WORKERS_MOST 512u
#define LENGTH_MOST (4000u / SLOWDOWN)

/* atomic */
struct sums {
    uint64_t count, sum, mixed;
};

typedef struct queue {
    parcel *first; /* has been taken; the one behind it is the next */
    parcel *last;  /* or the one before it, for a moment */
} queue;

TRI_ROOT static parcel *stacks[STACKS];
TRI_ROOT static queue queues[QUEUES];

static struct sums stack_in[STACKS], stack_out[STACKS], queue_in[QUEUES], queue_out[QUEUES];

/* The last number of each worker that this thread has taken from each queue. */
static __thread uint64_t seen[QUEUES][WORKERS_MOST];

static void add(struct sums *sums, uint64_t id)
{
    __atomic_fetch_add(&sums->count, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&sums->sum, id, __ATOMIC_RELAXED);
    __atomic_fetch_xor(&sums->mixed, mix(id), __ATOMIC_RELAXED);
}

/* As good as known: others are counting. */
static bool is_full(const struct sums *in, const struct sums *out)
{
    return __atomic_load_n(&in->count, __ATOMIC_RELAXED) >
           __atomic_load_n(&out->count, __ATOMIC_RELAXED) + LENGTH_MOST;
}

static void check_sums(const struct sums *in, const struct sums *out, const char *what)
{
    if (in->count == out->count && in->sum == out->sum && in->mixed == out->mixed)
        return;
    fprintf(stderr,
            "%s: LOST: seed %" PRIu64 ": %" PRIu64 " went into a %s, %" PRIu64 " came out%s\n",
            stress_name, stress_seed, in->count, what, out->count,
            in->count == out->count ? ", but others" : "");
    exit(1);
}

/* ---- stacks ---- */

static void push(struct worker *worker, size_t i)
{
    parcel *fresh = parcel_new(worker, i), *top;

    add(&stack_in[i], fresh->id);
    top = __atomic_load_n(&stacks[i], __ATOMIC_RELAXED);
    tri_init_store(&fresh->next, top);
    while (!tri_compare_exchange(&stacks[i], &top, fresh))
        tri_store(&fresh->next, top);
}

static parcel *pop(size_t i)
{
    parcel *top = __atomic_load_n(&stacks[i], __ATOMIC_ACQUIRE);

    while (top != NULL && !tri_compare_exchange(&stacks[i], &top, top->next))
        continue;
    return top;
}

static bool pop_one(struct worker *worker, size_t i)
{
    parcel *top = pop(i);

    if (top == NULL)
        return false;
    parcel_check(worker, top, i, "a stack");
    add(&stack_out[i], top->id);
    return true;
}

/* All at once; then they belong to this thread alone. */
static void pop_all(struct worker *worker, size_t i)
{
    parcel *at = tri_exchange(&stacks[i], NULL);

    for (; at != NULL; at = at->next) {
        parcel_check(worker, at, i, "what was a stack");
        add(&stack_out[i], at->id);
    }
}

static void act_stack(struct worker *worker)
{
    size_t i = below(worker, STACKS);

    worker_begins(worker, "stack");
    for (uint64_t left = below(worker, 40); left > 0 && !is_full(&stack_in[i], &stack_out[i]);
         left--)
        push(worker, i);
    for (uint64_t left = below(worker, 40); left > 0 && pop_one(worker, i); left--)
        continue;
    if (chance(worker, 5))
        pop_all(worker, i);
}

/* ---- queues ---- */

static parcel *next_of(const parcel *at)
{
    return __atomic_load_n(&at->next, __ATOMIC_ACQUIRE);
}

/* One that was taken leads to itself, so that it keeps nothing alive that comes after it. */
static void put(struct worker *worker, size_t i)
{
    parcel *fresh = parcel_new(worker, QUEUES + i), *last, *next;

    add(&queue_in[i], fresh->id);
    for (;;) {
        last = __atomic_load_n(&queues[i].last, __ATOMIC_ACQUIRE);
        next = next_of(last);
        if (next == last)
            continue;
        if (next != NULL)
            tri_compare_exchange(&queues[i].last, &last, next);
        else if (tri_compare_exchange(&last->next, &next, fresh))
            break;
    }
    tri_compare_exchange(&queues[i].last, &last, fresh);
}

static parcel *take(size_t i)
{
    for (;;) {
        parcel *first = __atomic_load_n(&queues[i].first, __ATOMIC_ACQUIRE);
        parcel *last = __atomic_load_n(&queues[i].last, __ATOMIC_ACQUIRE), *next = next_of(first);

        if (next == NULL)
            return NULL;
        if (next == first)
            continue;
        if (first == last)
            tri_compare_exchange(&queues[i].last, &last, next);
        else if (tri_compare_exchange(&queues[i].first, &first, next)) {
            tri_store_release(&first->next, first);
            return next;
        }
    }
}

static void check_order(struct worker *worker, const parcel *at, size_t i)
{
    uint64_t from = at->id >> 36, *before = &seen[i][from % WORKERS_MOST];

    if (at->id <= *before && *before >> 36 == from)
        lost(worker, (slot){(void *)(uintptr_t)at, want_of(TOKEN, at->id)}, "a queue",
             "it after %" PRIx64, *before);
    *before = at->id;
}

static bool take_one(struct worker *worker, size_t i)
{
    parcel *at = take(i);

    if (at == NULL)
        return false;
    parcel_check(worker, at, QUEUES + i, "a queue");
    check_order(worker, at, i);
    add(&queue_out[i], at->id);
    return true;
}

static void act_queue(struct worker *worker)
{
    size_t i = below(worker, QUEUES);

    worker_begins(worker, "queue");
    for (uint64_t left = below(worker, 40); left > 0 && !is_full(&queue_in[i], &queue_out[i]);
         left--)
        put(worker, i);
    for (uint64_t left = below(worker, 40); left > 0 && take_one(worker, i); left--)
        continue;
}

/* ---- the program ---- */

static void begin(struct worker *worker)
{
    for (size_t i = 0; i < QUEUES; i++) {
        parcel *first = parcel_new(worker, QUEUES + i);

        tri_store(&queues[i].first, first);
        tri_store(&queues[i].last, first);
    }
}

static void work(struct worker *worker)
{
    while (!stopping()) {
        if (chance(worker, 50))
            act_stack(worker);
        else
            act_queue(worker);
        if (chance(worker, 5))
            scrub_stack();
    }
}

static void end(struct worker *worker)
{
    for (size_t i = 0; i < STACKS; i++) {
        while (pop_one(worker, i))
            continue;
        check_sums(&stack_in[i], &stack_out[i], "stack");
    }
    for (size_t i = 0; i < QUEUES; i++) {
        while (take_one(worker, i))
            continue;
        check_sums(&queue_in[i], &queue_out[i], "queue");
    }
}

int main(int argc, char **argv)
{
    static const struct stress lockfree = {"lockfree", begin, work, NULL, end};

    return stress_main(argc, argv, &lockfree);
}
