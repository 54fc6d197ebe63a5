/* SPDX-License-Identifier: MIT */
/* paths: runs one path of the library so many times, for instruction counts. bench/paths counts the
 * instructions of the function that it names, by callgrind, and divides by what this prints.
 *
 *     paths PATH COUNT
 *
 * Prints how often the path was taken. Linked with the library's objects: it asks for what the
 * library hides. It must build with older trees of the library, too. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tricolor.h>

#include "collector/cycle.h"

typedef struct node {
    struct node *next;
    long number;
} node;
TRI_TYPE(node, next);

#define POINTERS 64

TRI_ROOT static node *kept;
TRI_ROOT static void **from, **to;

/* In older trees it is declared by collector/cycle.h. */
void tri__cycle_request(void);

/* ---- what is counted ---- */

__attribute__((noinline)) void path_stores(node **slot, node *value, size_t count);
__attribute__((noinline)) void path_stores(node **slot, node *value, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        tri_store(slot, value);
        __asm__ volatile("" ::: "memory");
    }
}

__attribute__((noinline)) void path_allocations(size_t count);
__attribute__((noinline)) void path_allocations(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        node *fresh = tri_new(node);

        __asm__ volatile("" : : "r"(fresh) : "memory");
    }
}

__attribute__((noinline)) void path_safepoints(size_t count);
__attribute__((noinline)) void path_safepoints(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        tri_safepoint();
        __asm__ volatile("" ::: "memory");
    }
}

__attribute__((noinline)) void path_bulk(size_t count);
__attribute__((noinline)) void path_bulk(size_t count)
{
    for (size_t i = 0; i < count; i++)
        tri_bulk_barrier_pre_write(to, from, POINTERS * sizeof(void *));
}

/* ---- how it comes there ---- */

static size_t slots_left(void)
{
    const struct tri__run *run = tri__run_of(&tri_type_node);

    return run->tag == tri_type_node.run_tag ? (run->end - run->current) / sizeof(node) : 0;
}

/* Within runs; what takes a new run is not counted. */
static size_t allocations(size_t count)
{
    size_t taken = 0;

    while (taken < count) {
        size_t left = slots_left();

        if (left == 0)
            tri_new(node);
        path_allocations(left);
        taken += left;
    }
    return taken;
}

static size_t refills(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        tri_new(node);
        while (slots_left() != 0)
            tri_new(node);
    }
    return count;
}

static size_t stores(size_t count)
{
    path_stores(&kept->next, kept, count);
    return count;
}

static size_t safepoints(size_t count)
{
    path_safepoints(count);
    return count;
}

static size_t bulk(size_t count)
{
    path_bulk(count);
    return count;
}

/* ---- while a mark runs ---- */

static uint32_t marking, done; /* atomic */

static void wait_in_mark(enum tri__cycle_stage stage)
{
    if (stage != TRI__STAGE_MARK)
        return;
    __atomic_store_n(&marking, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) == 0)
        sched_yield();
}

static size_t in_mark(size_t (*path)(size_t), size_t count)
{
    tri__cycle_at_stage = wait_in_mark;
    tri__cycle_request();
    while (__atomic_load_n(&marking, __ATOMIC_ACQUIRE) == 0) {
        tri_safepoint();
        sched_yield();
    }
    count = path(count);
    __atomic_store_n(&done, 1, __ATOMIC_RELEASE);
    return count;
}

static size_t stores_in_mark(size_t count)
{
    return in_mark(stores, count);
}

static size_t bulk_in_mark(size_t count)
{
    return in_mark(bulk, count);
}

static tri_stats now(void)
{
    tri_stats stats = TRI_STATS_INIT;

    tri_stats_get(&stats);
    return stats;
}

/* Each by this thread, which is the only one. */
static size_t answers(size_t count)
{
    uint64_t before = now().handshakes;

    for (size_t i = 0; i < count; i++) {
        uint64_t cycles = now().cycles;

        tri__cycle_request();
        while (now().cycles == cycles) {
            tri_safepoint();
            sched_yield();
        }
    }
    return now().handshakes - before;
}

static const struct {
    const char *name;
    size_t (*run)(size_t count);
} paths[] = {
    {"store", stores},
    {"allocation", allocations},
    {"safepoint", safepoints},
    {"bulk", bulk},
    {"refill", refills},
    {"store-in-mark", stores_in_mark},
    {"bulk-in-mark", bulk_in_mark},
    {"answer", answers},
};

int main(int argc, char **argv)
{
    tri_config config = TRI_CONFIG_INIT;

    config.gc_percent = -1;
    config.markers = 1;
    if (argc != 3 || tri_init(&config) != 0)
        return 2;
    tri_store(&kept, tri_new(node));
    tri_store(&from, tri_new_ptrs(POINTERS));
    tri_store(&to, tri_new_ptrs(POINTERS));
    for (int i = 0; i < POINTERS; i++) {
        tri_store(&from[i], kept);
        tri_store(&to[i], kept);
    }
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (strcmp(paths[i].name, argv[1]) == 0)
            printf("%zu\n", paths[i].run(strtoul(argv[2], NULL, 10)));
    tri_collect();
    return 0;
}
