/* SPDX-License-Identifier: MIT */
/* fork, in each stage of a cycle and at any other moment: the child can allocate, collect, make
 * threads, fork again and end; what was reachable is there, in both processes.
 *
 * The world: a table of lists, each of which says in each node which slot it belongs to. Threads go
 * on replacing them, by one store each, so every slot holds a whole list at any moment.
 * See: docs/threads.md "fork". */
#include <pthread.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>

#include "capture.h"
#include "collected.h"
#include "coroutine.h"
#include "forked.h"
#include "random.h"
#include "sanitized.h"
#include "suite.h"

#include "base/atomic.h"
#include "base/tsan.h"
#include "collector/cycle.h"
#include "mutator/registry.h"

extern char **environ;

#define SLOTS 400
#define LENGTH 12
#define WORKERS 3

typedef struct node {
    struct node *next;
    uintptr_t key;
    uintptr_t place;
} node;
TRI_TYPE(node, next);

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

typedef struct table {
    node *lists[SLOTS];
} table;
TRI_TYPE(table, lists);

TRI_ROOT static table *world;

static uint64_t seed;

#ifdef TRI__TSAN
enum { CHILDREN_HAVE_THREADS = 0 }; /* TSan refuses */
#else
enum { CHILDREN_HAVE_THREADS = 1 };
#endif

/* ---- lists ---- */

static node *list_of(uintptr_t key)
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

static bool is_list_of(const node *list, uintptr_t key)
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

static bool is_whole(void)
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
static __attribute__((noinline)) void make_garbage(struct random *random)
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

static void make_world(void)
{
    tri_store(&world, tri_new(table));
    for (size_t slot = 0; slot < SLOTS; slot++)
        tri_store(&world->lists[slot], list_of(slot));
}

/* ---- threads beside ---- */

static uint32_t stop; /* atomic */
static pthread_t workers[WORKERS], sleeper, collector;

static void *work(void *number)
{
    struct random random = random_of(seed, 100 + (uintptr_t)number);
    node *mine = list_of(7);

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
    while (tri__load_relaxed(&stop) == 0)
        tri_collect();
    return NULL;
}

static void start_threads(void)
{
    tri__store_relaxed(&stop, 0);
    for (uintptr_t i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_create(&workers[i], NULL, work, (void *)i), 0);
    ck_assert_int_eq(pthread_create(&sleeper, NULL, sleep_on, NULL), 0);
    ck_assert_int_eq(pthread_create(&collector, NULL, collect_on, NULL), 0);
}

static void join_threads(void)
{
    tri__store_relaxed(&stop, 1);
    TRI_BLOCKING {
        for (unsigned i = 0; i < WORKERS; i++)
            pthread_join(workers[i], NULL);
        pthread_join(sleeper, NULL);
        pthread_join(collector, NULL);
    }
}

static void start_world(void)
{
    start_quiet();
    make_world();
    start_threads();
}

/* The parent is as before: cycles end, and nothing is lost. */
static void end_world(void)
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

static uint64_t threads_here(void)
{
    tri_stats stats = TRI_STATS_INIT;

    child_assert(tri_stats_get(&stats) == 0);
    return stats.threads;
}

static void live_on(struct random *random)
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

static void live_and_fork(void *argument);

/* A child of a child: forked before the heap was used, while it was put in order, or later. */
static void fork_again(struct random *random)
{
    struct random next = random_of(random_next(random), 5);

    child_assert(run_child(live_and_fork, &next) == 0);
}

static void live_and_fork(void *argument)
{
    struct random *random = argument;

    tri__cycle_at_stage = NULL;
    child_assert(threads_here() <= 1);
    if (random_below(random, 4) == 0)
        fork_again(random);
    if (random_below(random, 2) == 0)
        with_threads(random);
    live_on(random);
    if (random_below(random, 4) == 0)
        fork_again(random);
}

/* For children that hold nothing. */
static void begin_again(struct random *random)
{
    tri_shutdown();
    child_assert(tri_init(NULL) == 0);
    make_world();
    live_on(random);
}

/* ---- in each stage ---- */

/* The coordinator waits at the wanted stage until the test has forked. */
static enum tri__cycle_stage wanted;
static uint32_t arrived, go; /* atomic */

static void wait_at_stage(enum tri__cycle_stage stage)
{
    if (stage != wanted || tri__load_acquire(&go) != 0)
        return;
    tri__store_release(&arrived, 1);
    while (tri__load_acquire(&go) == 0)
        nap(100000);
}

enum forker { ATTACHED, UNATTACHED, BLOCKING, COROUTINE, FORKERS };

struct order {
    struct random random;
    int status;
};

static void fork_here(struct order *order)
{
    node *mine = list_of(13);
    pid_t child = fork();

    if (child == 0) {
        child_assert(is_list_of(mine, 13));
        live_and_fork(&order->random);
        child_assert(is_list_of(mine, 13));
        _exit(0);
    }
    tri__store_release(&go, 1);
    TRI_BLOCKING
        order->status = end_of_child(child);
    if (!is_list_of(mine, 13))
        order->status = -2;
}

static void *fork_unattached(void *argument)
{
    struct order *order = argument;
    pid_t child = fork();

    if (child == 0) {
        child_assert(threads_here() == 0);
        live_and_fork(&order->random);
        if (random_below(&order->random, 2) == 0)
            begin_again(&order->random);
        _exit(0);
    }
    tri__store_release(&go, 1);
    order->status = end_of_child(child);
    return NULL;
}

static void fork_blocking(struct order *order)
{
    node *mine = list_of(15);
    pid_t child = -1;

    TRI_BLOCKING {
        child = fork();
        if (child != 0) {
            tri__store_release(&go, 1);
            order->status = end_of_child(child);
        } else {
            nap(1000000);
        }
    }
    if (child != 0)
        return;
    child_assert(is_list_of(mine, 15));
    live_and_fork(&order->random);
    child_assert(is_list_of(mine, 15));
    _exit(0);
}

static void fork_in_coroutine(struct coroutine *self)
{
    node *mine = list_of(17);

    fork_here(self->argument);
    ck_assert(is_list_of(mine, 17));
}

static void keep_a_list(struct coroutine *self)
{
    node *mine = list_of(19);

    coroutine_yield(self);
    if (!is_list_of(mine, 19))
        *(int *)self->argument = 1;
}

static void run_order(enum forker forker, struct order *order)
{
    pthread_t thread;
    struct coroutine *coroutine;

    switch (forker) {
    case ATTACHED:
        fork_here(order);
        break;
    case UNATTACHED:
        ck_assert_int_eq(pthread_create(&thread, NULL, fork_unattached, order), 0);
        TRI_BLOCKING
            pthread_join(thread, NULL);
        break;
    case BLOCKING:
        fork_blocking(order);
        break;
    default:
        coroutine = coroutine_new(fork_in_coroutine, order);
        coroutine_resume(coroutine);
        coroutine_free(coroutine);
    }
}

START_TEST(in_each_stage)
{
    struct order order = {random_of(seed, (uint64_t)_i), -1};

    wanted = (enum tri__cycle_stage)(_i / FORKERS);
    tri__cycle_at_stage = wait_at_stage;
    start_world();
    while (tri__load_acquire(&arrived) == 0)
        TRI_BLOCKING
            nap(100000);
    run_order((enum forker)(_i % FORKERS), &order);
    ck_assert_int_eq(order.status, 0);
    end_world();
}
END_TEST

/* ---- at any moment ---- */

static uint32_t failures; /* atomic */

static void *fork_on(void *number)
{
    struct random random = random_of(seed, 1000 + (uintptr_t)number);
    bool attached = (uintptr_t)number % 2 == 0;

    for (int i = 0; i < (IS_SANITIZED ? 4 : 10); i++) {
        struct order order = {random_of(random_next(&random), 1), -1};

        nap((long)random_below(&random, 3000000));
        if (attached)
            fork_here(&order);
        else
            fork_unattached(&order);
        tri__fetch_add_relaxed(&failures, order.status != 0);
    }
    return NULL;
}

START_TEST(storms)
{
    pthread_t forkers[3];

    start_world();
    tri_set_gc_percent(20);
    for (uintptr_t i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&forkers[i], NULL, fork_on, (void *)i), 0);
    for (unsigned i = 0; i < 3; i++)
        TRI_BLOCKING
            pthread_join(forkers[i], NULL);
    ck_assert_uint_eq(failures, 0);
    end_world();
}
END_TEST

static void *come_and_go(void *unused)
{
    (void)unused;
    list_of(3);
    return NULL;
}

/* Threads that attach, detach, and first read under RCU at the moment of the fork. */
static void *make_short_threads(void *unused)
{
    (void)unused;
    while (tri__load_relaxed(&stop) == 0) {
        pthread_t threads[8];

        for (unsigned i = 0; i < 8; i++)
            if (pthread_create(&threads[i], NULL, come_and_go, NULL) != 0)
                abort();
        for (unsigned i = 0; i < 8; i++)
            pthread_join(threads[i], NULL);
    }
    return NULL;
}

START_TEST(beside_threads_that_come_and_go)
{
    pthread_t maker;
    struct random random = random_of(seed, 77);

    start_world();
    ck_assert_int_eq(pthread_create(&maker, NULL, make_short_threads, NULL), 0);
    for (int i = 0; i < (IS_SANITIZED ? 4 : 15); i++) {
        struct order order = {random_of(random_next(&random), 2), -1};

        fork_here(&order);
        ck_assert_int_eq(order.status, 0);
    }
    tri__store_relaxed(&stop, 1);
    TRI_BLOCKING
        pthread_join(maker, NULL);
    end_world();
}
END_TEST

/* ---- what is left of others ---- */

static int broken;

static void look_at_stacks(void *argument)
{
    struct coroutine *left = argument;

    live_on(&(struct random){1});
    coroutine_resume(left);
    child_assert(left->ended && broken == 0);
    coroutine_free(left);
}

START_TEST(stacks_that_nobody_was_on_are_kept)
{
    struct coroutine *left;

    start_world();
    left = coroutine_new(keep_a_list, &broken);
    coroutine_resume(left);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(run_child(look_at_stacks, left), 0);
    coroutine_resume(left);
    ck_assert_int_eq(broken, 0);
    coroutine_free(left);
    end_world();
}
END_TEST

static uint32_t on_it, may_leave; /* atomic */
static struct coroutine *taken;

static void stay(struct coroutine *self)
{
    (void)self;
    tri__store_release(&on_it, 1);
    TRI_BLOCKING
        while (tri__load_acquire(&may_leave) == 0)
            nap(1000000);
}

static void *run_coroutine(void *unused)
{
    (void)unused;
    coroutine_resume(taken);
    return NULL;
}

static void use_again(void *unused)
{
    (void)unused;
    coroutine_free(taken); /* fatal, if a thread were on it */
    live_on(&(struct random){2});
}

START_TEST(a_stack_with_a_dead_thread_is_empty)
{
    pthread_t thread;

    start_quiet();
    make_world();
    taken = coroutine_new(stay, NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_coroutine, NULL), 0);
    while (tri__load_acquire(&on_it) == 0)
        TRI_BLOCKING
            nap(100000);
    ck_assert_int_eq(run_child(use_again, NULL), 0);
    tri__store_release(&may_leave, 1);
    TRI_BLOCKING
        pthread_join(thread, NULL);
    coroutine_free(taken);
    tri_shutdown();
}
END_TEST

/* Pages, descriptors and blocks of dead threads are used again: generation after generation, no
 * more memory is taken. */
static void measure_generations(void *unused)
{
    struct random random = {3};
    size_t pages = 0;

    (void)unused;
    for (int i = 0; i < 30; i++) {
        pid_t child = fork();

        child_assert(child >= 0);
        if (child != 0) {
            int status = end_of_child(child);

            _exit(status < 0 ? 98 : status);
        }
        live_on(&random);
        child_assert(threads_here() == 1);
        if (i == 10)
            pages = tri__page_heap_used(&tri__heap.pages);
    }
    collect();
    collect();
    child_assert(tri__page_heap_used(&tri__heap.pages) <= pages + pages / 2);
}

START_TEST(generations_do_not_grow)
{
    start_world();
    ck_assert_int_eq(run_child(measure_generations, NULL), 0);
    end_world();
}
END_TEST

static tri_type built;
static const tri_type_field built_field = {.offset = 0, .count = 1};

static void end_of_type(void *unused)
{
    (void)unused;
    for (int i = 0; i < 4; i++)
        collect();
    child_assert(tri_type_retired(&built));
}

static void use_type(void *unused)
{
    (void)unused;
    child_assert(!tri_type_retired(&built));
    collect();
    child_assert(!tri_type_retired(&built));
    child_assert(is_list_of(*(node **)(void *)world->lists[0], 21));
    tri_store(&world->lists[0], NULL);
    end_of_type(NULL);
}

static __attribute__((noinline)) void make_built(void)
{
    void **object = tri_alloc(&built);

    tri_store((node **)(void *)object, list_of(21));
    tri_store(&world->lists[0], (node *)(void *)object);
}

/* [inv.type.retire]: the mark that would have met the type is off. */
START_TEST(retired_types)
{
    tri_type_desc desc = {.name = "built", .size = 600, .fields = &built_field, .field_count = 1};

    start_quiet();
    make_world();
    ck_assert_int_eq(tri_type_build(&built, &desc), 0);
    make_built();
    ck_assert_int_eq(tri_type_retire(&built), 0);
    collect();
    ck_assert_int_eq(run_child(use_type, NULL), 0);
    collect();
    ck_assert(!tri_type_retired(&built));
    tri_shutdown();
}
END_TEST

static void *arena_value;

static void use_freed_arena(void)
{
    *(volatile char *)arena_value = 1;
}

static void see_quarantine(void *unused)
{
    tri_stats stats = TRI_STATS_INIT;

    (void)unused;
    live_on(&(struct random){4});
    tri_stats_get(&stats);
    child_assert(stats.arena_waiting_bytes == 0);
}

static void fault_in_child(void *unused)
{
    (void)unused;
    live_on(&(struct random){6});
    use_freed_arena();
}

START_TEST(freed_arenas)
{
    tri_arena *arena;

    start_quiet();
    make_world();
    arena = tri_arena_new();
    arena_value = tri_arena_alloc(arena, &tri_type_node);
    tri_store(&world->lists[1], arena_value); /* keeps it in quarantine */
    tri_arena_free(arena);
    ck_assert_int_eq(run_child(fault_in_child, NULL), -1);
    tri_store(&world->lists[1], list_of(1));
    arena_value = NULL;
    ck_assert_int_eq(run_child(see_quarantine, NULL), 0);
    tri_shutdown();
}
END_TEST

static void change_roots(void *unused)
{
    static node *more[3];

    (void)unused;
    child_assert(tri_root_add(more, &tri_type_node, 1) == 0);
    child_assert(tri_root_remove(more) == 0); /* waits for a grace period */
    for (int i = 0; i < 20; i++) {
        tri_handle *handle = tri_handle_new(list_of(23));

        collect();
        child_assert(is_list_of(tri_handle_get(handle), 23));
        tri_handle_free(handle);
    }
}

START_TEST(roots_and_handles)
{
    start_world();
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(run_child(change_roots, NULL), 0);
    end_world();
}
END_TEST

/* ---- the child's other ways ---- */

static void *use_first(void *random)
{
    live_on(random);
    return NULL;
}

/* The heap is first used by a thread that the child has started, while the forking one holds what
 * nobody else knows and uses nothing. */
static void let_another_be_first(void *unused)
{
    node *mine = list_of(25);
    struct random random = {5};
    pthread_t thread;
    pid_t child = fork();

    (void)unused;
    child_assert(child >= 0);
    if (child != 0)
        _exit(end_of_child(child));
    child_assert(pthread_create(&thread, NULL, use_first, &random) == 0);
    TRI_BLOCKING
        pthread_join(thread, NULL);
    child_assert(is_list_of(mine, 25));
    child_assert(is_whole());
}

START_TEST(another_thread_is_first)
{
    start_world();
    ck_assert_int_eq(run_child(let_another_be_first, NULL), 0);
    end_world();
}
END_TEST

static void exec_at_once(void *unused)
{
    (void)unused;
    execl("/bin/true", "true", (char *)NULL);
    _exit(97);
}

static void just_exit(void *unused)
{
    (void)unused;
    exit(0); /* with all that atexit has */
}

START_TEST(children_that_end_soon)
{
    start_world();
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(run_child(exec_at_once, NULL), 0);
        ck_assert_int_eq(run_child(just_exit, NULL), 0);
    }
    end_world();
}
END_TEST

START_TEST(spawn_and_vfork)
{
    char name[] = "true", *arguments[] = {name, NULL};

    start_world();
    for (int i = 0; i < 4; i++) {
        pid_t child;

        ck_assert_int_eq(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ), 0);
        ck_assert_int_eq(end_of_child(child), 0);
        ck_assert_int_eq(system("exit 0"), 0);
        child = vfork();
        if (child == 0) {
            execv("/bin/true", arguments);
            _exit(97);
        }
        ck_assert_int_eq(end_of_child(child), 0);
    }
    end_world();
}
END_TEST

static void use_a_heap(void *unused)
{
    (void)unused;
    child_assert(tri_init(NULL) == 0);
    make_world();
    live_on(&(struct random){8});
    tri_shutdown();
}

START_TEST(without_a_heap)
{
    ck_assert_int_eq(run_child(use_a_heap, NULL), 0);
    start_quiet();
    tri_shutdown();
    ck_assert_int_eq(run_child(use_a_heap, NULL), 0);
    ck_assert_int_eq(run_child(just_exit, NULL), 0);
    use_a_heap(NULL);
}
END_TEST

static void just_shut_down(void *unused)
{
    (void)unused;
    tri_shutdown();
}

START_TEST(shutdown_in_a_child)
{
    start_world();
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(run_child(just_shut_down, NULL), 0);
    end_world();
}
END_TEST

static pid_t child_of_handler = -1;

static bool fork_for_memory(size_t bytes, void *unused)
{
    (void)bytes, (void)unused;
    tri_store(&world, tri_new(table));
    child_of_handler = fork();
    if (child_of_handler == 0)
        tri_set_memory_limit((size_t)1 << 30);
    return child_of_handler == 0;
}

/* The oom handler runs in the middle of an allocation, which goes on in both processes. */
START_TEST(in_the_oom_handler)
{
    tri_config config = TRI_CONFIG_INIT;
    void *object;

    config.memory_limit = (size_t)64 << 20;
    config.oom = fork_for_memory;
    ck_assert_int_eq(tri_init(&config), 0);
    make_world();
    object = tri_alloc_bytes((size_t)100 << 20);
    if (child_of_handler == 0) {
        child_assert(object != NULL);
        make_world();
        live_on(&(struct random){9});
        _exit(0);
    }
    ck_assert_ptr_null(object);
    ck_assert_int_eq(end_of_child(child_of_handler), 0);
    tri_shutdown();
}
END_TEST

static void fork_on_collector(enum tri__cycle_stage stage)
{
    if (stage == TRI__STAGE_MARK)
        fork();
}

static void let_collector_fork(void)
{
    start_quiet();
    tri__cycle_at_stage = fork_on_collector;
    tri_collect();
}

START_TEST(the_collector_must_not)
{
    struct captured captured = capture_child(let_collector_fork);

    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "fork() on a thread of the collector"));
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("fork");
    TCase *stages = tcase_create("stages"), *moments = tcase_create("moments"),
          *others = tcase_create("others");

    seed = random_start(argc, argv);
    tcase_set_timeout(stages, 90);
    tcase_add_loop_test(stages, in_each_stage, 0, TRI__STAGES *FORKERS);
    tcase_set_timeout(moments, 180);
    tcase_add_test(moments, storms);
    tcase_add_test(moments, beside_threads_that_come_and_go);
    tcase_set_timeout(others, 90);
    if (CHILDREN_HAVE_THREADS) {
        tcase_add_test(others, stacks_that_nobody_was_on_are_kept);
        tcase_add_test(others, a_stack_with_a_dead_thread_is_empty);
        tcase_add_test(others, generations_do_not_grow);
        tcase_add_test(others, retired_types);
        tcase_add_test(others, freed_arenas);
        tcase_add_test(others, roots_and_handles);
        tcase_add_test(others, another_thread_is_first);
        tcase_add_test(others, without_a_heap);
        tcase_add_test(others, in_the_oom_handler);
        tcase_add_test(others, shutdown_in_a_child);
    }
    tcase_add_test(others, children_that_end_soon);
    tcase_add_test(others, spawn_and_vfork);
    tcase_add_test(others, the_collector_must_not);
    suite_add_tcase(suite, stages);
    suite_add_tcase(suite, moments);
    suite_add_tcase(suite, others);
    return run_suite(suite);
}
