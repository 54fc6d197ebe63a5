/* SPDX-License-Identifier: MIT */
/* How threads end: with destructors that use the heap, in whatever round; cancelled, asleep or not;
 * inside TRI_BLOCKING. See: docs/threads.md "Life and death". */
#include <check.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "collected.h"
#include "lives.h"
#include "suite.h"

#include "base/tsan.h"

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

        start_thread(&thread, end_with_destructors, (void *)(i % WAYS));
        join(thread);
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
        join(thread);
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
        join(thread);
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
    {detach_and_use_too_late,
     "in the last of 4 rounds, when the thread had been detached for good"},
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
        start_thread(&threads[i], function, (void *)i);
    TRI_BLOCKING
        nap((long)random_below(&random, 3000000));
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(pthread_cancel(threads[i]), 0);
        ck_assert_ptr_eq(join(threads[i]), PTHREAD_CANCELED);
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

        start_thread(&thread, exit_in_blocks, NULL);
        ck_assert_ptr_eq(join(thread), (void *)(uintptr_t)4711);
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
    start_cycles();
    for (uint32_t i = 1; i <= 5; i++) {
        pthread_t thread, again;

        start_thread(&thread, use_everything, NULL);
        ck_assert_ptr_eq(join(thread), PTHREAD_CANCELED);
        ck_assert_uint_eq(tri__load_relaxed(&came_to_the_end), i);
        ck_assert_int_eq(tri_thread_create(&again, NULL, end_with_destructors, NULL), 0);
        join(again);
    }
    end_cycles();
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("thread_end");
    TCase *tests = tcase_create("thread_end");

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
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
