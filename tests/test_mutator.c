/* SPDX-License-Identifier: MIT */
/* Threads: attaching, detaching, how they end, what tri_thread_create() hands over, and rules whose
 * breach is fatal. TRI_BLOCKING: tests/test_blocking.c. */
#include <check.h>
#include <stdlib.h>

#include "capture.h"
#include "collected.h"
#include "heap/resolve.h"
#include "phase.h"
#include "suite.h"
#include "threads.h"

typedef struct node {
    struct node *next;
    uintptr_t key;
} node;
TRI_TYPE(node, next);

#define MAGIC 0x7265616c6c7921ul

/* ---- attaching ---- */

static bool is_attached(void)
{
    return tri__self != &tri__unattached;
}

static void first_use(int how)
{
    static node *slot;
    switch (how) {
    case 0:
        ck_assert_int_eq(tri_thread_attach(), 0);
        break;
    case 1:
        ck_assert_ptr_nonnull(tri_new(node));
        break;
    case 2:
        ck_assert_ptr_nonnull(tri_alloc_bytes(3));
        break;
    case 3:
        tri_store(&slot, NULL);
        break;
    case 4:
        ck_assert_ptr_nonnull(tri_handle_new(NULL));
        break;
    case 5:
        tri_memclr(&slot, sizeof slot);
        break;
    default:
        tri_collect();
    }
}
#define USES 7

static void *attach_by_use(void *how)
{
    static node root;

    ck_assert(!is_attached());
    tri_safepoint();
    ck_assert_ptr_null(tri_object_base(&how));
    TRI_BLOCKING
        ck_assert(!is_attached());
    ck_assert_int_eq(tri_root_add(&root, &tri_type_node, 1), 0); /* it leaves again */
    ck_assert_int_eq(tri_root_remove(&root), 0);
    ck_assert(!is_attached());
    first_use((int)(intptr_t)how);
    ck_assert(is_attached());
    ck_assert_uint_eq(attached_threads(), 2);
    tri_thread_detach();
    ck_assert(!is_attached());
    ck_assert_uint_eq(attached_threads(), 1);
    first_use((int)(intptr_t)how == 4 ? 1 : (int)(intptr_t)how); /* a root is added once */
    ck_assert(is_attached());
    return NULL; /* the end detaches */
}

START_TEST(the_first_use_attaches)
{
    pthread_t thread;
    start_quiet();
    ck_assert(is_attached());
    ck_assert_uint_eq(attached_threads(), 1);
    start_thread(&thread, attach_by_use, (void *)(intptr_t)_i);
    join(thread);
    ck_assert_uint_eq(attached_threads(), 1);
    tri_shutdown();
    ck_assert(!is_attached());
}
END_TEST

static void *attach_nested(void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(tri_thread_attach(), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert(is_attached());
        tri_thread_detach();
    }
    ck_assert(!is_attached());
    tri_new(node);
    ck_assert_int_eq(tri_thread_attach(), 0); /* some library does so, and undoes it */
    tri_thread_detach();
    ck_assert(is_attached());
    tri_thread_detach();
    ck_assert(!is_attached());
    return NULL;
}

START_TEST(attaches_nest)
{
    pthread_t thread;
    start_quiet();
    start_thread(&thread, attach_nested, NULL);
    join(thread);
    ck_assert_uint_eq(attached_threads(), 1);
    tri_shutdown();
}
END_TEST

static pthread_key_t key;

static void use_heap_at_the_end(void *again)
{
    node *p = tri_new(node);
    ck_assert_ptr_nonnull(p);
    if (again == (void *)1)
        ck_assert_int_eq(pthread_setspecific(key, (void *)2), 0);
}

static void *end_late(void *unused)
{
    (void)unused;
    tri_new(node);
    ck_assert_int_eq(pthread_setspecific(key, (void *)1), 0);
    return NULL;
}

/* Destructors of the program's that run after ours. */
START_TEST(the_heap_is_used_while_a_thread_ends)
{
    pthread_t thread;
    start_quiet();
    ck_assert_int_eq(pthread_key_create(&key, use_heap_at_the_end), 0);
    start_thread(&thread, end_late, NULL);
    join(thread);
    ck_assert_uint_eq(attached_threads(), 1);
    tri_collect();
    tri_shutdown();
}
END_TEST

static void *join_phase(void *phase)
{
    struct tri__ref ref;

    ck_assert(tri__resolve((uintptr_t)tri_new(node), &ref));
    ck_assert_uint_eq(tri__self->barrier, (uintptr_t)phase);
    ck_assert_int_eq(tri__load_acquire(ref.colour) == TRI__BLACK,
                     (uintptr_t)phase == TRI__BARRIER_SCANNED); /* [inv.alloc.black] */
    return NULL;
}

START_TEST(new_threads_join_the_phase)
{
    pthread_t thread;
    start_quiet();
    if (_i != TRI__BARRIER_IDLE)
        begin_mark((enum tri__barrier_state)_i);
    start_thread(&thread, join_phase, (void *)(intptr_t)_i);
    join(thread);
    tri_shutdown();
}
END_TEST

static node *left_behind;

static void *shade_and_leave(void *unused)
{
    static node *slot;
    (void)unused;
    left_behind = tri_new(node);
    tri_store(&slot, left_behind);
    return NULL;
}

/* What a thread has shaded outlives it. */
START_TEST(leaving_during_a_mark)
{
    pthread_t thread;
    start_quiet();
    begin_mark(TRI__BARRIER_SCANNED);
    start_thread(&thread, shade_and_leave, NULL);
    join(thread);
    ck_assert(is_shaded(left_behind));
    tri_shutdown();
}
END_TEST

/* ---- threads that end ---- */

static void *short_main(void *argument)
{
    node *first = argument;
    ck_assert_uint_eq(first->key, MAGIC);
    for (int i = 0; i < 50; i++) {
        node *fresh = tri_new(node);
        tri_store(&fresh->next, first->next);
        tri_store(&first->next, fresh);
    }
    return first->next == NULL ? "nothing was stored" : NULL;
}

static void *storm_main(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++) {
        node *argument = tri_new(node);
        pthread_t thread;
        argument->key = MAGIC;
        ck_assert_int_eq(tri_thread_create(&thread, NULL, short_main, argument), 0);
        ck_assert_ptr_null(join(thread));
    }
    return NULL;
}

START_TEST(storms_of_short_threads)
{
    pthread_t threads[3];
    start_quiet();
    for (int i = 0; i < 3; i++)
        start_thread(&threads[i], storm_main, NULL);
    for (int i = 0; i < 60; i++)
        tri_collect();
    for (int i = 0; i < 3; i++)
        join(threads[i]);
    ck_assert_uint_eq(attached_threads(), 1);
    tri_shutdown();
}
END_TEST

/* ---- the argument of a new thread ---- */

#define CREATED 60

static void *check_argument(void *argument)
{
    node *mine = argument;
    if (tri_object_base(mine) != mine || mine->key != MAGIC)
        return "the argument was freed";
    for (int i = 0; i < 100; i++)
        tri_new(node);
    return mine->key == MAGIC ? NULL : "the argument was overwritten";
}

static __attribute__((noinline)) void create(pthread_t *thread)
{
    node *argument = tri_new(node);
    argument->key = MAGIC;
    ck_assert_int_eq(tri_thread_create(thread, NULL, check_argument, argument), 0);
}

START_TEST(the_argument_of_a_new_thread_lives)
{
    pthread_t threads[CREATED];
    start_quiet();
    for (int i = 0; i < CREATED; i++) {
        create(&threads[i]);
        clear_stack();
        if (i % 4 == 3)
            tri_collect();
        for (int k = 0; k < 500; k++)
            tri_new(node);
    }
    for (int i = 0; i < CREATED; i++)
        join_without_error(threads[i]);
    tri_shutdown();
}
END_TEST

static __attribute__((noinline)) void fail_to_create(struct hidden *seen, const pthread_attr_t *how)
{
    pthread_t thread;
    node *argument = tri_new(node);
    *seen = hide(argument);
    ck_assert_int_ne(tri_thread_create(&thread, how, check_argument, argument), 0);
}

/* The argument is let go again. */
START_TEST(a_thread_that_cannot_be_created)
{
    static struct hidden seen[200];
    pthread_attr_t attributes;
    start_quiet();
    ck_assert_int_eq(pthread_attr_init(&attributes), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&attributes, (size_t)1 << 46), 0);
    for (int i = 0; i < 200; i++)
        fail_to_create(&seen[i], &attributes);
    collect();
    ck_assert_uint_le(count_objects(seen, 200), 10);
    pthread_attr_destroy(&attributes);
}
END_TEST

/* ---- broken rules ---- */

static void detach_unattached(void)
{
    start_quiet();
    tri_thread_detach();
    tri_thread_detach();
}

static void detach_inside_a_block(void)
{
    start_quiet();
    TRI_BLOCKING
        tri_thread_detach();
}

static void end_without_begin(void)
{
    start_quiet();
    tri_blocking_end();
}

static void attach_inside_a_block(void)
{
    start_quiet();
    tri_thread_detach();
    TRI_BLOCKING
        tri_new(node);
}

static void allocate_inside_a_block(void)
{
    start_quiet();
    TRI_BLOCKING
        for (int i = 0; i < 100000; i++)
            tri_alloc_bytes(100);
}

static void attach_too_early(void)
{
    tri_thread_attach();
}

static const struct {
    void (*act)(void);
    const char *message;
} rules[] = {
    {detach_unattached, "tri_thread_detach() in a thread that is not attached"},
    {detach_inside_a_block, "tri_thread_detach() inside TRI_BLOCKING"},
    {end_without_begin, "the end of TRI_BLOCKING without its beginning"},
    {attach_inside_a_block, "the end of TRI_BLOCKING without its beginning"},
    {allocate_inside_a_block, "the heap was used inside TRI_BLOCKING"},
    {attach_too_early, "tri_thread_attach() before tri_init()"},
};
#define RULES ((int)(sizeof rules / sizeof rules[0]))

START_TEST(broken_rules_are_fatal)
{
    struct captured captured = capture_child(rules[_i].act);
    ck_assert_msg(captured_aborted(&captured), "rule %d", _i);
    ck_assert_msg(strstr(captured.text, rules[_i].message) != NULL, "rule %d: %s", _i,
                  captured.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutator");
    TCase *attach = tcase_create("attach"), *end = tcase_create("end");
    TCase *broken = tcase_create("rules");

    tcase_add_loop_test(attach, the_first_use_attaches, 0, USES);
    tcase_add_test(attach, attaches_nest);
    tcase_add_test(attach, the_heap_is_used_while_a_thread_ends);
    tcase_add_loop_test(attach, new_threads_join_the_phase, 0, TRI__BARRIER_SCANNED + 1);
    tcase_add_test(attach, leaving_during_a_mark);
    tcase_set_timeout(attach, 20);
    suite_add_tcase(suite, attach);

    tcase_add_test(end, storms_of_short_threads);
    tcase_add_test(end, the_argument_of_a_new_thread_lives);
    tcase_add_test(end, a_thread_that_cannot_be_created);
    tcase_set_timeout(end, 30);
    suite_add_tcase(suite, end);

    tcase_add_loop_test(broken, broken_rules_are_fatal, 0, RULES);
    suite_add_tcase(suite, broken);
    return run_suite(suite);
}
