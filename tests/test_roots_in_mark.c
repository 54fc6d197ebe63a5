/* SPDX-License-Identifier: MIT */
/* Roots that come, change and go while a mark is running: ranges, the variables of libraries that
 * are closed, handles; by a thread that runs, one that is inside TRI_BLOCKING, and one without a
 * barrier. Markers have been there already, or come too late: what such a root holds is shaded. */
#include <check.h>

#include "mutator/roots.h" /* before a type that is called slot */

#include "collected.h"
#include "phase.h"
#include "rooted.h"
#include "suite.h"
#include "threads.h"

#include "base/os.h"
#include "base/rcu_shim.h"

static slot slots[2];

/* When it becomes a root, and when it ceases to be one. */
START_TEST(ranges_that_change_during_a_mark)
{
    node *p, *q;
    start_quiet();
    ck_assert_int_eq(tri_root_add(&slots[0], &tri_type_slot, 1), 0);
    p = node_new(1);
    q = node_new(2);
    tri_store(&slots[0].last, p);
    slots[1].first = q;
    begin_mark((enum tri__barrier_state)_i);
    ck_assert_int_eq(tri_root_add(&slots[1], &tri_type_slot, 1), 0);
    ck_assert(is_shaded(q));
    ck_assert_int_eq(tri_root_remove(&slots[0]), 0);
    ck_assert(is_shaded(p));
}
END_TEST

/* The TRI_ROOT variables of a library that is closed. They are not the program's: those stay. */
static void **module_words;

static void map_module(void)
{
    module_words = tri__os_map(4 * sizeof *module_words);
    ck_assert_ptr_nonnull(module_words);
}

static node *open_module(void)
{
    node *p = node_new(1);
    map_module();
    tri__module_add(module_words, module_words + 4);
    tri_store(&module_words[2], (void *)p);
    return p;
}

START_TEST(a_module_goes_during_a_mark)
{
    node *p;
    start_quiet();
    p = open_module();
    begin_mark((enum tri__barrier_state)_i);
    tri__module_remove(module_words);
    ck_assert(is_shaded(p));
    tri__module_remove(module_words); /* another file of the module */
    ck_assert(!is_shaded(p));
}
END_TEST

/* The calling thread is asleep. */
static void begin_mark_beside(enum tri__barrier_state barrier)
{
    struct tri__handshake_report report;

    tri__handshake(TRI__REQUEST_ARM, &report);
    if (barrier != TRI__BARRIER_SCANNED)
        return;
    tri__handshake_settle(&report);
    tri__handshake(TRI__REQUEST_SCAN, &report);
}

/* The thread has gone to sleep before the mark began: its barrier is not on yet. */
START_TEST(ranges_change_inside_blocking)
{
    const struct shaded *shaded;
    node *p, *q;
    start_quiet();
    ck_assert_int_eq(tri_root_add(&slots[0], &tri_type_slot, 1), 0);
    p = node_new(1);
    q = node_new(2);
    tri_store(&slots[0].last, p);
    slots[1].first = q;
    tri__buffers_open();
    TRI_BLOCKING {
        begin_mark_beside((enum tri__barrier_state)_i);
        ck_assert_int_eq(tri_root_add(&slots[1], &tri_type_slot, 1), 0);
        ck_assert_int_eq(tri_root_remove(&slots[0]), 0);
        ck_assert_uint_eq(tri__mutator_self()->state, TRI__BLOCKED);
    }
    shaded = take_shaded();
    ck_assert(is_among(shaded, q));
    ck_assert(is_among(shaded, p));
    ck_assert_int_eq(tri__self->barrier, _i);
}
END_TEST

static void *be_a_guest(void *start)
{
    TRI_BLOCKING {
        ck_assert_int_eq(tri_root_add(&slots[0], &tri_type_slot, 1), 0);
        ck_assert_ptr_null(tri__mutator_self());
        ck_assert_int_eq(tri_root_remove(&slots[0]), 0);
        tri__module_remove(start);
        tri_stack_unregister(tri_stack_register(slots, sizeof slots));
        ck_assert_ptr_null(tri__mutator_self());
    }
    return NULL;
}

/* Blocks begin and end as if there were no heap. */
START_TEST(guests_leave)
{
    pthread_t thread;
    node *p;
    start_quiet();
    p = open_module();
    begin_mark(TRI__BARRIER_SCANNED);
    start_thread(&thread, be_a_guest, module_words);
    join(thread);
    ck_assert(is_shaded(p));
}
END_TEST

START_TEST(a_module_goes_inside_blocking)
{
    node *p;
    start_quiet();
    p = open_module();
    tri__buffers_open();
    TRI_BLOCKING {
        TRI_BLOCKING {
            begin_mark_beside((enum tri__barrier_state)_i);
            tri__module_remove(module_words);
            ck_assert_uint_eq(tri__mutator_self()->state, TRI__BLOCKED);
        }
    }
    ck_assert(is_shaded(p));
    ck_assert_int_eq(tri__self->barrier, _i);
}
END_TEST

static void *remove_module(void *start)
{
    tri__module_remove(start);
    return NULL;
}

START_TEST(a_thread_without_a_barrier_closes_a_module)
{
    pthread_t thread;
    node *p;
    start_quiet();
    p = open_module();
    begin_mark((enum tri__barrier_state)_i);
    start_thread(&thread, remove_module, module_words);
    join(thread);
    ck_assert(is_shaded(p));
}
END_TEST

/* Libraries are loaded before tri_init(), and unloaded after tri_shutdown(), too. */
START_TEST(modules_come_and_go_without_a_heap)
{
    map_module();
    tri__module_add(module_words, module_words + 4);
    tri__module_remove(module_words);
    start_quiet();
    tri__module_add(module_words, module_words + 4);
    tri_shutdown();
    tri__module_remove(module_words);
    ck_assert_ptr_null(tri__mutator_self());
}
END_TEST

static uint32_t is_sought; /* atomic */

static void *seek_module(void *unused)
{
    const void *at = NULL;

    do
        at = tri__roots_next_module(at);
    while (at != NULL && at != (const void *)module_words);
    tri__store_relaxed(&is_sought, at != NULL);
    return unused;
}

/* As exit() looks for them, and dlclose() frees the table; nothing but its lock orders both, so
 * ThreadSanitizer sees who looks without it [inv.exit.modules]. */
START_TEST(a_module_is_sought_beside_who_closes_it)
{
    pthread_t thread;

    start_quiet();
    open_module();
    start_thread(&thread, seek_module, NULL);
    while (tri__load_relaxed(&is_sought) == 0)
        tri__os_yield();
    tri__module_remove(module_words);
    tri__rcu_barrier();
    join(thread);
    tri_shutdown();
}
END_TEST

START_TEST(handles_that_change_during_a_mark)
{
    tri_handle *old, *fresh;
    node *p, *q, *r;
    start_quiet();
    p = node_new(1);
    q = node_new(2);
    r = node_new(3);
    old = tri_handle_new(p);
    begin_mark((enum tri__barrier_state)_i);
    fresh = tri_handle_new(q);
    ck_assert(is_shaded(q));
    tri_handle_set(fresh, r);
    {
        const struct shaded *shaded = take_shaded();
        ck_assert_uint_eq(shaded->count, 2);
        ck_assert_uint_eq(shaded->entries[0], (uintptr_t)q);
        ck_assert_uint_eq(shaded->entries[1], (uintptr_t)r);
    }
    ck_assert_ptr_eq(tri_handle_get(old), p);
    tri_handle_free(old);
    ck_assert(is_shaded(p));
    tri_handle_free(fresh);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("roots in mark");
    TCase *mark = tcase_create("mark");

    tcase_add_loop_test(mark, ranges_that_change_during_a_mark, 1, TRI__BARRIER_SCANNED + 1);
    tcase_add_loop_test(mark, a_module_goes_during_a_mark, 1, TRI__BARRIER_SCANNED + 1);
    tcase_add_loop_test(mark, a_module_goes_inside_blocking, 1, TRI__BARRIER_SCANNED + 1);
    tcase_add_loop_test(mark, ranges_change_inside_blocking, 1, TRI__BARRIER_SCANNED + 1);
    tcase_add_test(mark, guests_leave);
    tcase_add_loop_test(mark, a_thread_without_a_barrier_closes_a_module, 1,
                        TRI__BARRIER_SCANNED + 1);
    tcase_add_test(mark, modules_come_and_go_without_a_heap);
    tcase_add_test(mark, a_module_is_sought_beside_who_closes_it);
    tcase_add_loop_test(mark, handles_that_change_during_a_mark, 1, TRI__BARRIER_SCANNED + 1);
    suite_add_tcase(suite, mark);
    return run_suite(suite);
}
