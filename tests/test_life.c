/* SPDX-License-Identifier: MIT */
/* Threads' lives: how they come, how they end, in whatever order and by whatever force; that nothing
 * of them is left. See: docs/threads.md "Life and death". */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "capture.h"
#include "collected.h"
#include "forked.h"
#include "random.h"
#include "sanitized.h"
#include "suite.h"

#include "base/atomic.h"
#include "base/rcu_shim.h"
#include "base/tsan.h"
#include "mutator/registry.h"

#define SLOTS 64
#define LENGTH 8

typedef struct node {
    struct node *next;
    uintptr_t key;
} node;
TRI_TYPE(node, next);

TRI_ROOT static node *lists[SLOTS];

static uint64_t seed;
static uint32_t stop; /* atomic */

static node *list_of(uintptr_t key)
{
    node *list = NULL;

    for (int i = 0; i < LENGTH; i++) {
        node *fresh = tri_new(node);

        if (fresh == NULL)
            abort();
        fresh->key = key;
        tri_init_store(&fresh->next, list);
        list = fresh;
    }
    return list;
}

static bool is_list_of(const node *list, uintptr_t key)
{
    int length = 0;

    for (; list != NULL && list->key == key; list = list->next)
        length++;
    return list == NULL && length == LENGTH;
}

static void fill_lists(void)
{
    for (size_t i = 0; i < SLOTS; i++)
        tri_store(&lists[i], list_of(i));
}

static bool is_whole(void)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (!is_list_of(__atomic_load_n(&lists[i], __ATOMIC_ACQUIRE), i))
            return false;
    return true;
}

static void store_somewhere(struct random *random)
{
    size_t slot = random_below(random, SLOTS);

    tri_store_release(&lists[slot], list_of(slot));
}

/* ---- cycles beside ---- */

static pthread_t collector;

static void *collect_on(void *unused)
{
    (void)unused;
    while (tri__load_relaxed(&stop) == 0)
        tri_collect();
    return NULL;
}

static void start_cycles(void)
{
    start_quiet();
    fill_lists();
    ck_assert_int_eq(pthread_create(&collector, NULL, collect_on, NULL), 0);
}

static void join(pthread_t thread, void **result)
{
    TRI_BLOCKING
        pthread_join(thread, result);
}

static void end_cycles(void)
{
    tri__store_relaxed(&stop, 1);
    join(collector, NULL);
    ck_assert(is_whole());
    ck_assert_uint_eq(tri__registry_size(), 1);
    collect();
    ck_assert(is_whole());
    tri_shutdown();
}

/* ---- what a process has ---- */

static size_t entries_of(const char *path)
{
    DIR *directory = opendir(path);
    size_t count = 0;

    ck_assert_ptr_nonnull(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static size_t free_keys(void)
{
    static pthread_key_t keys[2000];
    size_t count = 0;

    while (count < 2000 && pthread_key_create(&keys[count], NULL) == 0)
        count++;
    for (size_t i = 0; i < count; i++)
        pthread_key_delete(keys[i]);
    return count;
}

struct holdings {
    size_t threads, files, keys, resident, heap;
};

static struct holdings holdings_now(void)
{
    tri_stats stats = TRI_STATS_INIT;

    tri__rcu_barrier(); /* blocks of threads that have ended */
    tri_stats_get(&stats);
    return (struct holdings){entries_of("/proc/self/task"), entries_of("/proc/self/fd"),
                             free_keys(), stats.resident_bytes, stats.mapped_bytes};
}

/* A thread that was joined may be in the list of tasks for a moment. */
static void check_holdings(const struct holdings *before)
{
    struct holdings now = holdings_now();

    for (int i = 0; i < 1000 && now.threads != before->threads; i++) {
        nap(1000000);
        now = holdings_now();
    }
    ck_assert_uint_eq(now.threads, before->threads);
    ck_assert_uint_eq(now.files, before->files);
    ck_assert_uint_eq(now.keys, before->keys);
    if (!IS_SANITIZED) /* how large the heap gets, is up to when cycles come */
        ck_assert_uint_le(now.resident,
                          before->resident + (now.heap - before->heap) + ((size_t)24 << 20));
}

/* ---- destructors ---- */

static pthread_key_t early, late; /* made before tri_init(), and after */
static int rounds_wanted;
static __thread int early_rounds, late_rounds;
static uint32_t destroyed; /* atomic */

static void use_in_destructor(void)
{
    node *list = list_of(3);

    tri_store_release(&lists[5], list_of(5));
    tri_safepoint();
    if (!is_list_of(list, 3))
        abort();
    tri__fetch_add_relaxed(&destroyed, 1);
}

static void destroy_early(void *value)
{
    use_in_destructor();
    if (++early_rounds < rounds_wanted)
        pthread_setspecific(early, value);
}

static void destroy_late(void *value)
{
    use_in_destructor();
    if (++late_rounds < rounds_wanted)
        pthread_setspecific(late, value);
}

static void make_key(pthread_key_t *key, void (*destroy)(void *))
{
    if (pthread_key_create(key, destroy) != 0)
        abort();
}

enum { EARLY_KEY = 1, LATE_KEY = 2, USES = 4, DETACHES = 8, WAYS = 16 };

static void *end_with_destructors(void *argument)
{
    uintptr_t way = (uintptr_t)argument;

    if ((way & EARLY_KEY) != 0)
        pthread_setspecific(early, &early);
    if ((way & LATE_KEY) != 0)
        pthread_setspecific(late, &late);
    if ((way & USES) != 0)
        list_of(1);
    if ((way & USES) != 0 && (way & DETACHES) != 0)
        tri_thread_detach();
    return NULL;
}

START_TEST(destructors_use_the_heap)
{
    enum { TIMES = 10 };
    uint32_t wanted = 0;

    rounds_wanted = _i;
    make_key(&early, destroy_early);
    start_cycles();
    make_key(&late, destroy_late);
    for (uintptr_t i = 0; i < TIMES * WAYS; i++) {
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, end_with_destructors, (void *)(i % WAYS)), 0);
        join(thread, NULL);
        wanted += (uint32_t)(_i * ((int)(i & 1) + (int)(i >> 1 & 1)));
    }
    ck_assert_uint_eq(destroyed, wanted);
    end_cycles();
}
END_TEST

static void use_too_late(void)
{
    pthread_t thread;

    rounds_wanted = PTHREAD_DESTRUCTOR_ITERATIONS;
    start_quiet();
    make_key(&late, destroy_late);
    if (pthread_create(&thread, NULL, end_with_destructors, (void *)(LATE_KEY | USES)) == 0)
        join(thread, NULL);
}

START_TEST(the_last_round_is_too_late)
{
    struct captured captured = capture_child(use_too_late);

    ck_assert_msg(captured_aborted(&captured), "%s", captured.text);
    ck_assert_ptr_nonnull(strstr(captured.text, "in the last of 4 rounds"));
}
END_TEST

/* Uses the heap in the last round that there is, and in no other. */
static void destroy_once(void *value)
{
    if (++late_rounds == PTHREAD_DESTRUCTOR_ITERATIONS)
        use_in_destructor();
    else
        pthread_setspecific(late, value);
}

static void use_once_too_late(uintptr_t way, int signal)
{
    tri_config config = TRI_CONFIG_INIT;
    pthread_t thread;

    config.signal = signal;
    config.stall_ms = 200;
    if (tri_init(&config) != 0)
        abort();
    make_key(&late, destroy_once);
    if (pthread_create(&thread, NULL, end_with_destructors, (void *)(LATE_KEY | way)) == 0)
        join(thread, NULL);
    tri_collect();
}

static void use_again_too_late(void)
{
    use_once_too_late(USES, 0);
}

static void detach_and_use_too_late(void)
{
    use_once_too_late(USES | DETACHES, 0);
}

static void use_first_too_late(void)
{
    use_once_too_late(0, 0);
}

static void use_first_too_late_without_a_signal(void)
{
    use_once_too_late(0, -1);
}

static const struct {
    void (*act)(void);
    const char *message;
} too_late[] = {
    {use_again_too_late, "in the last of 4 rounds, when the thread had been detached for good"},
    {detach_and_use_too_late, "in the last of 4 rounds, when the thread had been detached for good"},
    {use_first_too_late, "has ended while it was attached"},
    {use_first_too_late_without_a_signal, "has ended while it was attached"},
};

START_TEST(nobody_detaches_after_the_last_round)
{
    struct captured captured = capture_child(too_late[_i].act);

    ck_assert_msg(captured_aborted(&captured), "%d: %s", _i, captured.text);
    ck_assert_msg(strstr(captured.text, too_late[_i].message) != NULL, "%d: %s", _i, captured.text);
}
END_TEST

/* ---- cancellation ---- */

static void *store_on(void *number)
{
    struct random random = random_of(seed, (uintptr_t)number);

    pthread_setspecific(early, &early);
    pthread_setspecific(late, &late);
    for (;;) {
        store_somewhere(&random);
        pthread_testcancel();
    }
    return NULL;
}

static int pipe_ends[2];

static void *read_on(void *unused)
{
    node *mine = list_of(11);
    char byte;

    (void)unused;
    pthread_setspecific(early, &early);
    pthread_setspecific(late, &late);
    for (;;) {
        TRI_BLOCKING
            if (read(pipe_ends[0], &byte, 1) != 1)
                break;
        if (!is_list_of(mine, 11))
            abort();
    }
    return NULL;
}

static void *exit_in_blocks(void *unused)
{
    (void)unused;
    list_of(2);
    pthread_setspecific(early, &early);
    pthread_setspecific(late, &late);
    TRI_BLOCKING {
        TRI_BLOCKING
            pthread_exit((void *)(uintptr_t)4711);
    }
    return NULL;
}

static void cancel_some(void *(*function)(void *), size_t count)
{
    pthread_t threads[16];
    struct random random = random_of(seed, count);

    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, function, (void *)i), 0);
    TRI_BLOCKING
        nap((long)random_below(&random, 3000000));
    for (size_t i = 0; i < count; i++) {
        void *result;

        ck_assert_int_eq(pthread_cancel(threads[i]), 0);
        join(threads[i], &result);
        ck_assert_ptr_eq(result, PTHREAD_CANCELED);
    }
}

START_TEST(cancelled_threads)
{
    struct holdings before;

    rounds_wanted = 1;
    make_key(&early, destroy_early);
    start_cycles();
    make_key(&late, destroy_late);
    ck_assert_int_eq(pipe(pipe_ends), 0);
    for (int i = 0; i < 3; i++) { /* malloc keeps what it has */
        cancel_some(store_on, 6);
        cancel_some(read_on, 6);
    }
    before = holdings_now();
    for (int i = 0; i < (IS_SANITIZED ? 3 : 20); i++) {
        cancel_some(store_on, 6);
        cancel_some(read_on, 6);
    }
    check_holdings(&before);
    end_cycles();
}
END_TEST

START_TEST(threads_that_exit_in_blocks)
{
    rounds_wanted = 2;
    make_key(&early, destroy_early);
    start_cycles();
    make_key(&late, destroy_late);
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        void *result;

        ck_assert_int_eq(pthread_create(&thread, NULL, exit_in_blocks, NULL), 0);
        join(thread, &result);
        ck_assert_ptr_eq(result, (void *)(uintptr_t)4711);
    }
    end_cycles();
}
END_TEST

static uint32_t came_to_the_end; /* atomic */

/* Whoever comes to its end has met no cancellation point. */
static void *use_everything(void *unused)
{
    static node *range[2];
    tri_arena *arena;

    (void)unused;
    pthread_cancel(pthread_self());
    for (int i = 0; i < 200; i++)
        list_of(1);
    tri_new_ptrs(100000);
    tri_alloc_bytes(1000000);
    if (tri_root_add(range, &tri_type_node, 1) != 0 || tri_root_remove(range) != 0)
        abort();
    arena = tri_arena_new();
    tri_arena_alloc(arena, &tri_type_node);
    tri_arena_free(arena);
    tri_handle_free(tri_handle_new(list_of(4)));
    for (int i = 0; i < 3; i++)
        tri_collect();
    TRI_BLOCKING
        tri__load_relaxed(&stop);
    tri__rcu_barrier();
    for (int i = 0; i < 2000; i++)
        tri_safepoint();
    tri__fetch_add_relaxed(&came_to_the_end, 1);
    pthread_testcancel();
    abort();
}

START_TEST(no_cancellation_point_in_the_library)
{
    pthread_t thread;
    void *result;

    start_cycles();
    for (uint32_t i = 1; i <= 5; i++) {
        pthread_t again;

        ck_assert_int_eq(pthread_create(&thread, NULL, use_everything, NULL), 0);
        join(thread, &result);
        ck_assert_ptr_eq(result, PTHREAD_CANCELED);
        ck_assert_uint_eq(tri__load_relaxed(&came_to_the_end), i);
        ck_assert_int_eq(tri_thread_create(&again, NULL, end_with_destructors, NULL), 0);
        join(again, NULL);
    }
    end_cycles();
}
END_TEST

/* ---- storms ---- */

static void *live_shortly(void *number)
{
    struct random random = random_of(seed, (uintptr_t)number);

    store_somewhere(&random);
    if ((uintptr_t)number % 3 == 0)
        tri_thread_detach();
    return NULL;
}

static void run_together(size_t first, size_t count)
{
    pthread_t threads[500];
    pthread_attr_t small;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, (size_t)128 << 10);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&threads[i], &small, live_shortly, (void *)(first + i)), 0);
    for (size_t i = 0; i < count; i++)
        join(threads[i], NULL);
    pthread_attr_destroy(&small);
}

START_TEST(storms_leave_nothing)
{
    size_t all = IS_SANITIZED ? 600 : 10000, together = IS_SANITIZED ? 60 : 500;
    struct holdings before;

    start_cycles();
    run_together(0, together); /* libc keeps some stacks, and malloc some arenas */
    before = holdings_now();
    for (size_t first = 0; first < all; first += together)
        run_together(first, together);
    check_holdings(&before);
    end_cycles();
}
END_TEST

START_TEST(libraries_that_come_and_go)
{
    struct holdings before = {0};

    for (int i = 0; i < 20; i++) {
        start_quiet();
        fill_lists();
        collect();
        if (i == 5)
            before = holdings_now();
        tri_shutdown();
    }
    start_quiet();
    check_holdings(&before);
    tri_shutdown();
}
END_TEST

/* ---- before main, and after it: this program once more ---- */

static const char *role(void)
{
    return getenv("TRI_LIFE_ROLE");
}

static bool has_role(const char *name)
{
    return role() != NULL && strcmp(role(), name) == 0;
}

/* Nothing of Check's is there. */
static void start_alone(void)
{
    tri_config config = TRI_CONFIG_INIT;

    config.gc_percent = -1;
    if (tri_init(&config) != 0)
        _exit(10);
}

__attribute__((constructor)) static void before_main(void)
{
    if (!has_role("early"))
        return;
    start_alone();
    fill_lists();
}

__attribute__((destructor)) static void after_main(void)
{
    if (!has_role("early"))
        return;
    tri_store(&lists[1], list_of(1));
    tri_collect();
    if (!is_whole())
        _exit(9);
    tri_shutdown();
}

static void *work_on(void *number)
{
    struct random random = random_of(seed, (uintptr_t)number);

    for (;;)
        store_somewhere(&random);
    return NULL;
}

static int main_of_role(void)
{
    pthread_t thread;

    if (has_role("early")) {
        tri_collect();
        return is_whole() ? 5 : 8;
    }
    start_alone();
    fill_lists();
    tri_set_gc_percent(10);
    for (uintptr_t i = 0; i < 3; i++)
        if (pthread_create(&thread, NULL, work_on, (void *)i) != 0)
            return 7;
    nap(3000000);
    return 5;
}

static char own_path[4096];

static void run_again(void *name)
{
    setenv("TRI_LIFE_ROLE", name, 1);
    execl(own_path, own_path, (char *)NULL);
    _exit(96);
}

static char early_role[] = "early", returns_role[] = "returns";

START_TEST(constructors_and_destructors)
{
    ck_assert_int_eq(run_child(run_again, early_role), 5);
}
END_TEST

START_TEST(main_returns_while_others_run)
{
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(run_child(run_again, returns_role), 5);
}
END_TEST

/* ---- shutdown ---- */

static uint32_t attached; /* atomic */

static void *stay(void *unused)
{
    (void)unused;
    list_of(1);
    tri__store_relaxed(&attached, 1);
    for (;;)
        TRI_BLOCKING
            nap(1000000);
    return NULL;
}

static void shut_down_too_early(void)
{
    pthread_t thread;

    start_quiet();
    if (pthread_create(&thread, NULL, stay, NULL) != 0)
        _exit(1);
    while (tri__load_relaxed(&attached) == 0)
        tri_safepoint();
    tri_shutdown();
}

START_TEST(shutdown_with_others_attached)
{
    struct captured captured = capture_child(shut_down_too_early);

    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "tri_shutdown() while 1 other thread is attached"));
    ck_assert_ptr_nonnull(strstr(captured.text, "(tid "));
}
END_TEST

static int main_of_tests(int argc, char **argv)
{
    Suite *suite = suite_create("life");
    TCase *tests = tcase_create("life");

    if (readlink("/proc/self/exe", own_path, sizeof own_path - 1) < 0)
        return EXIT_FAILURE;
    seed = random_start(argc, argv);
    tcase_set_timeout(tests, 60);
#ifdef TRI__TSAN /* takes its own leave of a thread in the last rounds */
    tcase_add_loop_test(tests, destructors_use_the_heap, 1, 2);
    (void)the_last_round_is_too_late;
    (void)nobody_detaches_after_the_last_round;
#else
    tcase_add_loop_test(tests, destructors_use_the_heap, 1, PTHREAD_DESTRUCTOR_ITERATIONS);
    tcase_add_test(tests, the_last_round_is_too_late);
    tcase_add_loop_test(tests, nobody_detaches_after_the_last_round, 0,
                        sizeof too_late / sizeof too_late[0]);
#endif
    tcase_add_test(tests, cancelled_threads);
    tcase_add_test(tests, threads_that_exit_in_blocks);
    tcase_add_test(tests, no_cancellation_point_in_the_library);
    tcase_add_test(tests, storms_leave_nothing);
    tcase_add_test(tests, libraries_that_come_and_go);
    tcase_add_test(tests, constructors_and_destructors);
    tcase_add_test(tests, main_returns_while_others_run);
    tcase_add_test(tests, shutdown_with_others_attached);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

int main(int argc, char **argv)
{
    return role() != NULL ? main_of_role() : main_of_tests(argc, argv);
}
