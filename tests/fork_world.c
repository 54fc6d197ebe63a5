/* SPDX-License-Identifier: MIT */
/* tests/fork_world.c: see fork_world.h. */
#include "fork_world.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "collected.h"
#include "suite.h"

#include "base/atomic.h"
#include "collector/cycle.h"

enum { WORKERS = 3, BESIDE = WORKERS + 2 };

TRI_TYPE(node, next);
TRI_TYPE(table, lists);

/* With a footer. */
typedef struct wide {
    node *first;
    uintptr_t keys[80];
    node *last;
} wide;
TRI_TYPE(wide, first, last);

/* Typed spans, when it is hot beside nodes. */
typedef struct hot {
    uintptr_t key;
    node *only;
    uintptr_t rest;
} hot;
TRI_TYPE(hot, only);

TRI_ROOT table *world;
uint64_t seed;
uint32_t stop;

/* ---- lists ---- */

node *list_of(uintptr_t key)
{
    node *list = NULL;

    for (uintptr_t i = 0; i < LENGTH; i++) {
        node *fresh = tri_new(node);

        if (fresh == NULL)
            abort();
        fresh->key = key;
        fresh->place = i;
        tri_init_store(&fresh->next, list);
        list = fresh;
    }
    return list;
}

bool is_list_of(const node *list, uintptr_t key)
{
    uintptr_t place = LENGTH;

    for (; list != NULL; list = list->next)
        if (list->key != key || list->place != --place)
            return false;
    return place == 0;
}

static node *load_slot(size_t slot)
{
    return __atomic_load_n(&world->lists[slot], __ATOMIC_ACQUIRE);
}

bool is_whole(void)
{
    for (size_t slot = 0; slot < SLOTS; slot++)
        if (!is_list_of(load_slot(slot), slot))
            return false;
    return true;
}

static void replace(struct random *random)
{
    size_t slot = random_below(random, SLOTS);

    tri_store_release(&world->lists[slot], list_of(slot));
}

/* Of all kinds and sizes. Through hot types, footers, large objects and arenas. */
__attribute__((noinline)) void make_garbage(struct random *random)
{
    switch (random_below(random, 32) == 0 ? 3 : random_below(random, 12)) {
    case 0: {
        wide *fresh = tri_new(wide);

        tri_init_store(&fresh->first, list_of(1));
        break;
    }
    case 1:
        memset(tri_alloc_bytes(1 + random_below(random, 3000)), 0x5a, 1);
        break;
    case 2:
        tri_new_ptrs(5000 + random_below(random, 20000));
        break;
    case 3: { /* rarely: each chunk in quarantine is a mapping */
        tri_arena *arena = tri_arena_new();

        for (int i = 0; i < 50; i++) {
            node *value = tri_arena_alloc(arena, &tri_type_node);

            tri_init_store(&value->next, list_of(2));
        }
        tri_arena_free(arena);
        break;
    }
    default:
        for (int i = 0; i < 40; i++) {
            hot *fresh = tri_new(hot);

            tri_init_store(&fresh->only, tri_new(node));
        }
    }
}

void make_world(void)
{
    tri_store(&world, tri_new(table));
    for (size_t slot = 0; slot < SLOTS; slot++)
        tri_store(&world->lists[slot], list_of(slot));
}

/* ---- threads beside ---- */

static pthread_t beside[BESIDE];
static uint32_t count_beside;
static uint32_t began; /* atomic: so many use the heap */

static void *work(void *unused)
{
    node *mine = list_of(7);
    struct random random = random_of(seed, 100 + tri__fetch_add_relaxed(&began, 1));

    (void)unused;
    while (tri__load_relaxed(&stop) == 0) {
        replace(&random);
        make_garbage(&random);
        if (!is_list_of(mine, 7))
            abort();
    }
    return NULL;
}

static void *sleep_on(void *unused)
{
    node *mine = list_of(9);

    (void)unused;
    tri__fetch_add_relaxed(&began, 1);
    while (tri__load_relaxed(&stop) == 0) {
        TRI_BLOCKING
            nap(3000000);
        if (!is_list_of(mine, 9))
            abort();
    }
    return NULL;
}

static void *collect_on(void *unused)
{
    (void)unused;
    tri_thread_attach();
    tri__fetch_add_relaxed(&began, 1);
    while (tri__load_relaxed(&stop) == 0)
        tri_collect();
    tri_thread_detach();
    return NULL;
}

static void start_beside(void *(*function)(void *))
{
    ck_assert_int_eq(pthread_create(&beside[count_beside], NULL, function, NULL), 0);
    count_beside++;
    while (tri__load_relaxed(&began) != count_beside)
        TRI_BLOCKING
            nap(100000);
}

static void start_threads(void)
{
    for (int i = 0; i < WORKERS; i++)
        start_beside(work);
    start_beside(sleep_on);
    start_beside(collect_on);
}

static void join_threads(void)
{
    tri__store_relaxed(&stop, 1);
    for (unsigned i = 0; i < BESIDE; i++)
        TRI_BLOCKING
            pthread_join(beside[i], NULL);
}

void start_world(void)
{
    start_quiet();
    make_world();
    start_threads();
}

/* The parent is as before: cycles end, and nothing is lost. */
void end_world(void)
{
    tri_stats before = TRI_STATS_INIT, after = TRI_STATS_INIT;

    tri_stats_get(&before);
    collect();
    ck_assert(is_whole());
    tri_stats_get(&after);
    ck_assert_uint_gt(after.cycles, before.cycles);
    join_threads();
    ck_assert(is_whole());
    tri_shutdown();
}

/* ---- what children do ---- */

uint64_t threads_here(void)
{
    tri_stats stats = TRI_STATS_INIT;

    child_assert(tri_stats_get(&stats) == 0);
    return stats.threads;
}

void live_on(struct random *random)
{
    node *mine = list_of(11);

    for (int i = 0; i < 60; i++) {
        replace(random);
        make_garbage(random);
    }
    child_assert(is_whole());
    if (CHILDREN_HAVE_THREADS) {
        collect();
        child_assert(is_whole());
        for (int i = 0; i < 30; i++)
            make_garbage(random);
        collect();
        child_assert(tri_heap_check() == 0);
    }
    child_assert(is_whole() && is_list_of(mine, 11));
}

static void *live_in_thread(void *random)
{
    live_on(random);
    return NULL;
}

static void with_threads(struct random *random)
{
    pthread_t threads[2];
    struct random own[2];

    if (!CHILDREN_HAVE_THREADS)
        return;
    for (unsigned i = 0; i < 2; i++) {
        own[i] = random_of(random_next(random), i);
        child_assert(pthread_create(&threads[i], NULL, live_in_thread, &own[i]) == 0);
    }
    for (unsigned i = 0; i < 2; i++)
        TRI_BLOCKING
            pthread_join(threads[i], NULL);
    child_assert(is_whole());
}

/* A child of a child: forked before the heap was used, while it was put in order, or later. */
static void fork_again(struct random *random)
{
    struct random next = random_of(random_next(random), 5);

    child_assert(run_child(live_and_fork, &next) == 0);
}

void live_and_fork(void *argument)
{
    struct random *random = argument;

    tri__cycle_at_stage = NULL;
    child_assert(threads_here() <= 1 && is_whole());
    if (!CHILDREN_HAVE_MALLOC)
        return;
    if (random_below(random, 4) == 0)
        fork_again(random);
    if (random_below(random, 2) == 0)
        with_threads(random);
    live_on(random);
    if (random_below(random, 4) == 0)
        fork_again(random);
}
