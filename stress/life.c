/* SPDX-License-Identifier: MIT */
/* stress/life.c: threads that come and go in every way there is, and processes that fork at any
 * moment, over lists of which each node says where it belongs.
 *
 * What a thread does: replaces lists; starts storms of short threads, which end by returning,
 * detaching, pthread_exit(), cancellation, inside TRI_BLOCKING and outside, with destructors that use
 * the heap; forks children that check all lists, allocate, collect, and sometimes fork again.
 * In the end nothing of the threads may be left. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "stress/driver.h"
#include "tests/forked.h"
#include "tests/sanitized.h"

/* In percent. TSan has no threads in children, and loses count of locks in a thread that is cancelled
 * while it sleeps; in ASan's children malloc keeps the locks that other threads had. */
enum { FORKS = IS_SANITIZED ? 0 : 5, CANCELS = HAS_TSAN ? 0 : 30 };

#define SLOTS 256
#define LENGTH 10
#define STORM_MOST 12u

typedef struct link {
    struct link *next;
    uintptr_t slot, place;
} link_t;
TRI_TYPE(link_t, next);

TRI_ROOT static link_t *lists[SLOTS];

static pthread_key_t key;
static uint64_t storms, children; /* atomic */

/* ---- lists ---- */

static link_t *list_of(uintptr_t slot)
{
    link_t *list = NULL;

    for (uintptr_t i = 0; i < LENGTH; i++) {
        link_t *fresh = tri_new(link_t);

        if (fresh == NULL)
            give_up("out of memory");
        fresh->slot = slot;
        fresh->place = i;
        tri_init_store(&fresh->next, list);
        list = fresh;
    }
    return list;
}

static void check_list(const link_t *list, uintptr_t slot)
{
    uintptr_t place = LENGTH;

    for (; list != NULL && list->slot == slot && list->place == place - 1; list = list->next)
        place--;
    if (list == NULL && place == 0)
        return;
    fprintf(stderr, "%s: seed %llu: pid %d: list %zu was lost\n", stress_name,
            (unsigned long long)stress_seed, (int)getpid(), (size_t)slot);
    abort();
}

static void replace(struct worker *worker)
{
    size_t slot = below(worker, SLOTS);

    check_list(__atomic_load_n(&lists[slot], __ATOMIC_ACQUIRE), slot);
    tri_store_release(&lists[slot], list_of(slot));
    worker->checked += LENGTH;
}

static void check_all(void)
{
    for (size_t slot = 0; slot < SLOTS; slot++)
        check_list(__atomic_load_n(&lists[slot], __ATOMIC_ACQUIRE), slot);
}

static void make_garbage(struct worker *worker)
{
    if (chance(worker, 5))
        tri_new_ptrs(4000 + below(worker, 20000));
    else if (chance(worker, 30))
        tri_alloc_bytes(1 + below(worker, 4000));
    else
        list_of(SLOTS);
}

/* ---- short lives ---- */

static void use_in_destructor(void *value)
{
    link_t *mine = list_of(SLOTS + 1);

    (void)value;
    tri_store_release(&lists[0], list_of(0));
    check_list(mine, SLOTS + 1);
}

static void end_in_block(void)
{
    TRI_BLOCKING
        TRI_BLOCKING
            pthread_exit(NULL);
}

static void *live(void *unused)
{
    struct worker worker;
    link_t *mine = list_of(SLOTS + 2);
    uint64_t rounds;

    worker_init(&worker);
    worker.act = "live shortly";
    if (chance(&worker, 50))
        pthread_setspecific(key, &key);
    for (rounds = below(&worker, 60); rounds > 0; rounds--) {
        replace(&worker);
        pthread_testcancel();
        if (chance(&worker, 10))
            TRI_BLOCKING
                nap((long)below(&worker, 200000)); /* a cancellation point */
    }
    check_list(mine, SLOTS + 2);
    worker_end(&worker);
    if (chance(&worker, 20))
        tri_thread_detach();
    else if (chance(&worker, 20))
        end_in_block();
    return unused;
}

static void storm(struct worker *worker)
{
    pthread_t threads[STORM_MOST];
    size_t count = 1 + below(worker, STORM_MOST);

    for (size_t i = 0; i < count; i++)
        stress_start(&threads[i], live, NULL);
    for (size_t i = 0; i < count; i++)
        if (chance(worker, CANCELS))
            pthread_cancel(threads[i]);
    for (size_t i = 0; i < count; i++)
        stress_join(threads[i]);
    __atomic_fetch_add(&storms, 1, __ATOMIC_RELAXED);
}

/* ---- forks ---- */

static void fork_once(struct worker *worker);

static void live_as_child(void *argument)
{
    struct worker *worker = argument;
    link_t *mine = list_of(SLOTS + 3);

    for (int i = 0; i < 30; i++) {
        replace(worker);
        make_garbage(worker);
    }
    if (chance(worker, 20))
        fork_once(worker);
    if (chance(worker, 50))
        storm(worker);
    tri_collect();
    make_garbage(worker);
    if (chance(worker, 30))
        tri_collect();
    check_all();
    check_list(mine, SLOTS + 3);
}

static void fork_once(struct worker *worker)
{
    link_t *mine = list_of(SLOTS + 4);
    int status = run_child(live_as_child, worker);

    if (status != 0) {
        fprintf(stderr, "%s: seed %llu: a child ended with %d\n", stress_name,
                (unsigned long long)stress_seed, status);
        abort();
    }
    check_list(mine, SLOTS + 4);
    __atomic_fetch_add(&children, 1, __ATOMIC_RELAXED);
}

/* ---- the program ---- */

static void begin(struct worker *worker)
{
    (void)worker;
    if (pthread_key_create(&key, use_in_destructor) != 0)
        give_up("no key");
    for (size_t slot = 0; slot < SLOTS; slot++)
        tri_store(&lists[slot], list_of(slot));
}

static void work(struct worker *worker)
{
    while (!stopping()) {
        worker->act = "replace";
        for (uint64_t left = 1 + below(worker, 200); left > 0; left--) {
            replace(worker);
            make_garbage(worker);
        }
        if (gate_is_closed())
            gate_wait();
        worker->act = "storm";
        if (chance(worker, 20))
            storm(worker);
        worker->act = "fork";
        if (chance(worker, FORKS))
            fork_once(worker);
    }
}

static size_t tasks(void)
{
    DIR *directory = opendir("/proc/self/task");
    size_t count = 0;

    if (directory == NULL)
        give_up("no /proc");
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count - 2; /* without . and .. */
}

/* The main thread, and at most the collector's: coordinator, courier, three markers, tri-rcu, and
 * the one that a stress program has for collecting. */
static void end(struct worker *worker)
{
    tri_stats stats = TRI_STATS_INIT;

    check_all();
    worker->checked += SLOTS * LENGTH;
    tri_stats_get(&stats);
    printf("%llu storms, %llu children\n",
           (unsigned long long)__atomic_load_n(&storms, __ATOMIC_RELAXED),
           (unsigned long long)__atomic_load_n(&children, __ATOMIC_RELAXED));
    for (int i = 0; i < 1000 && tasks() > 8; i++)
        nap(1000000);
    if (stats.threads > 2 || tasks() > 8) {
        fprintf(stderr, "%s: %llu threads are attached, and there are %zu\n", stress_name,
                (unsigned long long)stats.threads, tasks());
        abort();
    }
}

int main(int argc, char **argv)
{
    static const struct stress program = {"life", begin, work, NULL, end};

    return stress_main(argc, argv, &program);
}
