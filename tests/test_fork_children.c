/* SPDX-License-Identifier: MIT */
/* Children of fork and what they find: stacks, pages, types, arenas, roots of the parent; and their
 * own ways to go on, or to end.
 * See: docs/threads.md "fork". */
#include <pthread.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>

#include "capture.h"
#include "collected.h"
#include "coroutine.h"
#include "fork_world.h"
#include "suite.h"

#include "base/atomic.h"
#include "collector/cycle.h"
#include "mutator/registry.h"

/* ---- what is left of others ---- */

static void keep_a_list(struct coroutine *self)
{
    node *mine = list_of(19);

    coroutine_yield(self);
    if (!is_list_of(mine, 19))
        *(int *)self->argument = 1;
}

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
        if (CHILDREN_HAVE_MALLOC)
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

static void add_children_with_threads(TCase *tests)
{
    tcase_add_test(tests, stacks_that_nobody_was_on_are_kept);
    tcase_add_test(tests, a_stack_with_a_dead_thread_is_empty);
    tcase_add_test(tests, generations_do_not_grow);
    tcase_add_test(tests, retired_types);
    tcase_add_test(tests, freed_arenas);
    tcase_add_test(tests, roots_and_handles);
    tcase_add_test(tests, another_thread_is_first);
    tcase_add_test(tests, without_a_heap);
    tcase_add_test(tests, in_the_oom_handler);
    tcase_add_test(tests, shutdown_in_a_child);
}

int main(int argc, char **argv)
{
    Suite *suite = suite_create("fork_children");
    TCase *tests = tcase_create("children");

    seed = random_start(argc, argv);
    tcase_set_timeout(tests, 90);
    if (CHILDREN_HAVE_THREADS)
        add_children_with_threads(tests);
    tcase_add_test(tests, children_that_end_soon);
    tcase_add_test(tests, spawn_and_vfork);
    tcase_add_test(tests, the_collector_must_not);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
