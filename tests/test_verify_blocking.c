/* SPDX-License-Identifier: MIT */
/* TRICOLOR_VERIFY=blocking: uses of the heap inside TRI_BLOCKING and stores into freed arenas are
 * named; and nothing else changes. Signal handlers: tests/test_verify_pages.sh, with the shared
 * library. See: [inv.verify.watched], docs/verify-blocking.md. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "collected.h"
#include "sanitized.h"
#include "suite.h"
#include "verified.h"

#include "base/atomic.h"
#include "collector/cycle.h"
#include "mutator/mutator.h"

TRI_ROOT static link_t *root;

static tri_handle *handle;
static tri_arena *arena;
static link_t *in_arena;

/* ---- inside TRI_BLOCKING ---- */

static link_t *other;

static void use_new(void)
{
    tri_new(link_t);
}
static void use_array(void)
{
    tri_new_array(link_t, 3);
}
static void use_bytes(void)
{
    tri_alloc_bytes(30);
}
static void use_strdup(void)
{
    tri_strdup("x");
}
static void use_grow(void)
{
    tri_grow(NULL, &tri_type_link_t, 0, 3);
}
static void use_store(void)
{
    tri_store(&root->next, other);
}
static void use_exchange(void)
{
    tri_exchange(&root->next, other);
}
static void use_compare(void)
{
    link_t *expected = NULL;

    tri_compare_exchange(&root->next, &expected, other);
}
static void use_memmove(void)
{
    tri_memmove(root, other, sizeof *root);
}
static void use_memclr(void)
{
    tri_memclr(root, sizeof *root);
}
static void use_copy(void)
{
    tri_copy_array(root, other, &tri_type_link_t, 1);
}
static void use_pre_write(void)
{
    tri_bulk_barrier_pre_write(root, other, sizeof *root);
}
static void use_handle_new(void)
{
    tri_handle_new(other);
}
static void use_handle_get(void)
{
    tri_handle_get(handle);
}
static void use_handle_set(void)
{
    tri_handle_set(handle, other);
}
static void use_handle_free(void)
{
    tri_handle_free(handle);
}
static void use_arena_new(void)
{
    tri_arena_new();
}
static void use_arena_alloc(void)
{
    tri_arena_alloc(arena, &tri_type_link_t);
}
static void use_arena_free(void)
{
    tri_arena_free(arena);
}
static void use_free(void)
{
    tri_free(other);
}
static void use_collect(void)
{
    tri_collect();
}

static const struct use {
    void (*use)(void);
    const char *name;
} uses[] = {
    {use_new, "tri_new or tri_alloc"},
    {use_array, "tri_alloc_array"},
    {use_bytes, "tri_alloc_bytes"},
    {use_strdup, "tri_strdup"},
    {use_grow, "tri_grow"},
    {use_store, "tri_store"},
    {use_exchange, "tri_exchange"},
    {use_compare, "tri_compare_exchange"},
    {use_memmove, "tri_memmove"},
    {use_memclr, "tri_memclr"},
    {use_copy, "tri_copy_array"},
    {use_pre_write, "tri_bulk_barrier_pre_write"},
    {use_handle_new, "tri_handle_new"},
    {use_handle_get, "tri_handle_get"},
    {use_handle_set, "tri_handle_set"},
    {use_handle_free, "tri_handle_free"},
    {use_arena_new, "tri_arena_new"},
    {use_arena_alloc, "tri_arena_alloc"},
    {use_arena_free, "tri_arena_free"},
    {use_free, "tri_free"},
    {use_collect, "tri_collect"},
};
enum { USES = sizeof uses / sizeof uses[0] };

static const struct use *use;

/* Each call has been made before, outside of the block: runs have room. */
static void make_world(void)
{
    tri_store(&root, tri_new(link_t));
    tri_store(&root->next, NULL);
    handle = tri_handle_new(tri_alloc_bytes(30));
    other = tri_handle_get(tri_handle_new(tri_new(link_t)));
    arena = tri_arena_new();
    in_arena = tri_arena_alloc(arena, &tri_type_link_t);
    tri_new_array(link_t, 3);
}

static void run_wrong(void)
{
    start_verified("blocking");
    make_world();
    TRI_BLOCKING
        use->use();
}

static void check_named(const struct captured *captured)
{
    char expected[100];

    snprintf(expected, sizeof expected, "tricolor: %s() inside TRI_BLOCKING, called from ",
             use->name);
    ck_assert_msg(captured_aborted(captured), "%s", captured->text);
    ck_assert_msg(strstr(captured->text, expected) == captured->text, "%s", captured->text);
}

START_TEST(uses_in_blocking_are_named)
{
    struct captured captured;

    use = &uses[_i];
    captured = capture_child(run_wrong);
    check_named(&captured);
}
END_TEST

/* ---- in several threads at once ---- */

#define WRONG_THREADS 8
#define WRONG_RUNS 10

static uint32_t all_at_once; /* atomic */

static void *use_at_once(void *wrong)
{
    tri_thread_attach();
    TRI_BLOCKING {
        while (tri__load_relaxed(&all_at_once) == 0)
            continue;
        ((const struct use *)wrong)->use();
    }
    return NULL;
}

static void run_several_wrong(void)
{
    pthread_t threads[WRONG_THREADS];

    start_verified("blocking");
    make_world();
    for (int i = 0; i < WRONG_THREADS; i++)
        if (pthread_create(&threads[i], NULL, use_at_once, (void *)&uses[i % USES]) != 0)
            abort();
    usleep(1000);
    tri__store_relaxed(&all_at_once, 1);
    TRI_BLOCKING
        for (;;)
            pause();
}

/* The first one may be without a processor for long, now and then. */
START_TEST(one_of_several_at_once_has_a_name)
{
    int named = 0;

    for (int i = 0; i < WRONG_RUNS; i++) {
        struct captured captured = capture_child(run_several_wrong);

        ck_assert_msg(captured_aborted(&captured), "%s", captured.text);
        named += strstr(captured.text, "called from ") != NULL &&
                 strstr(captured.text, "called from 0x") == NULL;
    }
    ck_assert_int_gt(named, WRONG_RUNS / 2);
}
END_TEST

/* The collector has brought the sleeping thread into the mark: its barrier is on. */
static uint32_t marking; /* atomic */

static void hold_mark(enum tri__cycle_stage stage)
{
    if (stage != TRI__STAGE_VERDICT)
        return;
    tri__store_release(&marking, 1);
    for (;;)
        pause();
}

static void *ask_for_cycle(void *unused)
{
    tri_collect();
    return unused;
}

static void run_wrong_in_mark(void)
{
    pthread_t thread;

    start_verified("blocking");
    make_world();
    tri__cycle_at_stage = hold_mark;
    if (pthread_create(&thread, NULL, ask_for_cycle, NULL) != 0)
        abort();
    TRI_BLOCKING {
        while (tri__load_acquire(&marking) == 0)
            usleep(1000);
        use->use();
    }
}

START_TEST(uses_in_blocking_are_named_in_a_mark)
{
    struct captured captured;

    use = &uses[_i];
    captured = capture_child(run_wrong_in_mark);
    check_named(&captured);
}
END_TEST

/* ---- freed arenas ---- */

static void run_freed_arena(void)
{
    start_verified("blocking");
    make_world();
    tri_arena_free(arena);
    tri_store(&in_arena->next, other);
}

START_TEST(stores_into_freed_arenas_are_named)
{
    struct captured captured = capture_child(run_freed_arena);

    ck_assert_msg(captured_aborted(&captured), "%s", captured.text);
    ck_assert_msg(strstr(captured.text, "tri_store(), called from ") != NULL, "%s", captured.text);
    ck_assert_msg(strstr(captured.text, "into arena 1 after tri_arena_free(): ") != NULL, "%s",
                  captured.text);
    ck_assert_msg(strstr(captured.text, " is byte 8 of the arena's memory") != NULL, "%s",
                  captured.text);
}
END_TEST

/* ---- how it is seen ---- */

static void expect(bool is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static void expect_barrier(uint8_t at_rest)
{
    expect(tri__self->barrier == at_rest, "the barrier of a thread that was attached");
    tri_collect();
    expect(tri__self->barrier == at_rest, "the barrier after a cycle");
    TRI_BLOCKING
        expect(tri__self->barrier == at_rest, "the barrier inside TRI_BLOCKING");
}

/* A type with runs of its own. */
static void expect_slow_runs(bool slow)
{
    bool fast = false;

    for (int i = 0; i < 10000; i++)
        tri_store(&root, tri_new(link_t));
    for (unsigned i = 0; i < TRI__RUNS; i++) {
        const struct tri__run *run = &tri__self->runs[i];

        expect(!slow || run->tag == NULL || run->tag == run, "a run has a tag");
        fast |= run->tag == &tri_type_link_t;
    }
    expect(slow || fast, "no run has a tag");
}

static void run_watched(void)
{
    start_verified("blocking");
    expect_barrier(TRI__BARRIER_WATCHED);
    expect_slow_runs(true);
    tri_shutdown();
    start_verified("off");
    expect_barrier(TRI__BARRIER_IDLE);
    expect_slow_runs(false);
    tri_shutdown();
    start_verified("clobber");
    expect_barrier(TRI__BARRIER_WATCHED);
    expect_slow_runs(false);
    tri_shutdown();
    _exit(0);
}

START_TEST(inline_paths_find_nothing_while_uses_are_watched)
{
    struct captured captured = capture_child(run_watched);

    ck_assert_msg(captured_exited(&captured, 0), "%s", captured.text);
}
END_TEST

/* ---- correct programs ---- */

static void sleep_correctly(void)
{
    pid_t child;

    start_verified("blocking,clobber");
    make_world();
    for (int i = 0; i < 5; i++) {
        TRI_BLOCKING
            TRI_BLOCKING
                usleep(1000);
        TRI_BLOCKING
            tri__safepoint_slow(); /* as tri_safepoint() if a handshake has left its request */
        tri_store(&root->next, tri_new(link_t));
        tri_collect();
    }
    child = fork();
    if (child == 0) {
        tri_store(&root->next, tri_new(link_t));
        if (!HAS_TSAN) /* which lets no child start a thread */
            tri_collect();
        _exit(0);
    }
    TRI_BLOCKING {
        int status = 1;

        if (waitpid(child, &status, 0) != child || status != 0)
            abort();
    }
    tri_arena_free(arena);
    tri_handle_free(handle);
    tri_shutdown();
    _exit(0);
}

START_TEST(correct_programs_pass_in_silence)
{
    expect_silence(sleep_correctly);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verify blocking");
    TCase *tests = tcase_create("verify blocking");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, uses_in_blocking_are_named, 0, USES);
    tcase_add_test(tests, one_of_several_at_once_has_a_name);
    tcase_add_loop_test(tests, uses_in_blocking_are_named_in_a_mark, 0, USES);
    tcase_add_test(tests, stores_into_freed_arenas_are_named);
    tcase_add_test(tests, inline_paths_find_nothing_while_uses_are_watched);
    tcase_add_test(tests, correct_programs_pass_in_silence);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
