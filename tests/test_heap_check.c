/* SPDX-License-Identifier: MIT */
/* tests/test_heap_check.c: tri_heap_check() finds nothing wrong with a heap that is right, whatever
 * other threads do. What it does find: tests/test_heap_defects.c. */
#include "suite.h"

#include <pthread.h>

#include <tricolor.h>

#include "base/os.h"
#include "forked.h"
#include "full_heap.h"
#include "heap/check.h"
#include "mutator/mutator.h"
#include "random.h"

START_TEST(finds_nothing_in_a_heap_that_is_right)
{
    tri_arena *arena;

    ck_assert_int_eq(tri_init(NULL), 0);
    expect_none();
    fill_list();
    expect_none();
    tri_collect();
    expect_none();
    arena = tri_arena_new();
    for (int i = 0; i < 20000; i++) {
        ck_assert_ptr_nonnull(tri_arena_alloc(arena, &tri_type_ptr));
        ck_assert_ptr_nonnull(tri_arena_alloc(arena, &tri_type_node));
    }
    expect_none();
    tri_arena_free(arena);
    expect_none();
    list = NULL;
    tri_collect();
    tri_collect();
    expect_none();
    stop();
}
END_TEST

static void *allocate(void *unused)
{
    (void)unused;
    for (int i = 0; i < 300; i++) {
        node *head = NULL;

        for (int k = 0; k < 300; k++) {
            node *fresh = tri_new(node);

            tri_init_store(&fresh->next, head);
            head = fresh;
        }
        tri_alloc_bytes((size_t)(i % 60) * 1000);
        tri_store(&list, head);
    }
    return NULL;
}

/* With delays where a thread has a span in its hands that it has popped to sweep it, and where the
 * check has found a span that must stay one [inv.check.frozen]. While stores are watched no barrier
 * is idle. */
START_TEST(checks_beside_threads_that_allocate)
{
    static const char *const modes[] = {NULL,
                                        "chaos=1:sweep-span+retract+check",
                                        "chaos=2:publish+check",
                                        "barrier,layout",
                                        "clobber",
                                        "blocking"};
    tri_config config = TRI_CONFIG_INIT;
    pthread_t threads[2];

    config.verify = modes[_i];
    ck_assert_int_eq(tri_init(&config), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(tri_thread_create(&threads[i], NULL, allocate, NULL), 0);
    for (int i = 0; i < 20; i++) {
        expect_none();
        if (i % 2 == 0)
            tri_collect();
    }
    TRI_BLOCKING
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
    expect_none();
    stop();
}
END_TEST

TRI_ROOT static void *grown[64];

/* The heap has to grow for it, and then the thread is gone. */
static void *grow(void *slot)
{
    tri_store((void **)slot, tri_alloc_bytes(20 << 20));
    return NULL;
}

/* With delays where the check has just seen how large the heap is [inv.check.alone]. */
START_TEST(threads_end_beside_a_check)
{
    tri_config config = TRI_CONFIG_INIT;
    pthread_t thread;

    config.gc_percent = -1;
    config.verify = "chaos=3:check";
    ck_assert_int_eq(tri_init(&config), 0);
    for (size_t i = 0; i < 64; i++) {
        ck_assert_int_eq(tri_thread_create(&thread, NULL, grow, &grown[i]), 0);
        expect_none();
        TRI_BLOCKING
            pthread_join(thread, NULL);
    }
    stop();
}
END_TEST

/* A thread comes when the check has found that there is none but its own, and takes a span off a list
 * that was looked at [inv.check.alone]. */
START_TEST(a_span_moves_beside_the_check)
{
    struct tri__check check = {.alone = true};

    start_full();
    tri_collect();
    check.swept = tri__phase.cache.side;
    ck_assert_int_eq(tri__check_begin(&check), 0);
    tri__check_lists(&check);
    ck_assert_uint_eq(check.defects, 0);
    tri_store(&list, tri_new(node));
    ck_assert_uint_ne(check.places[tri__page_of(span_of(list)->base)], 0);
    tri__check_cache(&check, &tri__mutator_self()->writer.cache);
    ck_assert_msg(check.defects == 0, "%u defects: %s", check.defects, check.lines[0]);
    ck_assert_uint_eq(check.moved_spans, 1); /* no defect unless sums count */
    tri__check_end(&check);
    stop();
}
END_TEST

static uint32_t in_hand; /* atomic */

/* In the middle of giving a span back (tri__span_retract), with no safepoint until it is over; it
 * takes far longer than it usually does, and then the span stays after all. */
static void *free_slowly(void *unused)
{
    size_t page = tri__page_of(long_span()->base);

    (void)unused;
    tri__window_open();
    tri__store_relaxed(&tri__heap.page_class[page], TRI__NO_SPAN);
    tri__store_release(&in_hand, 1);
    tri__os_sleep(UINT64_C(200000000));
    tri__store_release(&tri__heap.page_class[page], TRI__LARGE_SPAN);
    tri__window_close();
    return NULL;
}

/* The check asks all threads before it begins, and waits for that one. */
START_TEST(a_thread_with_a_span_in_hand_is_waited_for)
{
    pthread_t thread;

    start_full();
    ck_assert_int_eq(tri_thread_create(&thread, NULL, free_slowly, NULL), 0);
    while (tri__load_acquire(&in_hand) == 0)
        tri__os_yield();
    expect_none();
    TRI_BLOCKING
        pthread_join(thread, NULL);
    stop();
}
END_TEST

typedef struct first {
    void *pointer;
    long number;
} first;
TRI_TYPE(first, pointer);

typedef struct second {
    long number;
    void *pointer;
} second;
TRI_TYPE(second, pointer);

#define CHILDREN 150

static uint32_t is_over; /* atomic */

/* Slots of one size that get other layouts than they had. */
static void *lay_out(void *unused)
{
    struct random random = random_of(1, 0);

    while (tri__load_relaxed(&is_over) == 0)
        tri_alloc_array(random_below(&random, 2) != 0 ? &tri_type_first : &tri_type_second, 2);
    return unused;
}

static void check_as_child(void *unused)
{
    (void)unused;
    child_assert(tri_heap_check() == 0);
}

/* A fork stops other threads anywhere, in the middle of a layout as well. */
START_TEST(what_a_fork_has_stopped_is_no_defect)
{
    tri_config config = TRI_CONFIG_INIT;
    pthread_t thread;

    if (IS_SANITIZED)
        return; /* children that start threads hang */
    config.verify = "layout";
    config.gc_percent = 10;
    ck_assert_int_eq(tri_init(&config), 0);
    ck_assert_int_eq(tri_thread_create(&thread, NULL, lay_out, NULL), 0);
    for (int i = 0; i < CHILDREN; i++)
        ck_assert_int_eq(run_child(check_as_child, NULL), 0);
    tri__store_relaxed(&is_over, 1);
    TRI_BLOCKING
        pthread_join(thread, NULL);
    stop();
}
END_TEST

static void *check_too(void *unused)
{
    (void)unused;
    for (int i = 0; i < 10; i++)
        expect_none();
    return NULL;
}

static struct tri__span *half_entered; /* its first page is not */

static void enter_the_first_page(void)
{
    size_t page = tri__page_of(half_entered->base);

    tri__heap.page_span[page] = half_entered;
    tri__store_release(&tri__heap.page_class[page], half_entered->span_class);
}

/* A span is entered by another thread just as the walk over the page table has passed its first
 * page. */
START_TEST(a_span_is_entered_beside_the_walk)
{
    struct tri__check check = {.quiet = enter_the_first_page};

    start_full();
    half_entered = span_of(large);
    ck_assert_int_eq(tri__check_begin(&check), 0);
    tri__check_page_table(&check);
    ck_assert_uint_eq(check.defects, 0);
    tri__store_relaxed(&tri__heap.page_class[tri__page_of(half_entered->base)], TRI__NO_SPAN);
    tri__heap.page_span[tri__page_of(half_entered->base)] = NULL;
    tri__check_page_table(&check);
    ck_assert_msg(check.defects == 0, "%u defects: %s", check.defects, check.lines[0]);
    tri__check_end(&check);
}
END_TEST

START_TEST(several_threads_may_check_at_a_time)
{
    pthread_t thread;

    ck_assert_int_eq(tri_init(NULL), 0);
    fill_list();
    ck_assert_int_eq(tri_thread_create(&thread, NULL, check_too, NULL), 0);
    check_too(NULL);
    TRI_BLOCKING
        pthread_join(thread, NULL);
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heap_check");
    TCase *right = tcase_create("right");

    tcase_set_timeout(right, 120);
    tcase_add_test(right, finds_nothing_in_a_heap_that_is_right);
    tcase_add_loop_test(right, checks_beside_threads_that_allocate, 0, 6);
    tcase_add_test(right, threads_end_beside_a_check);
    tcase_add_test(right, a_span_moves_beside_the_check);
    tcase_add_test(right, a_span_is_entered_beside_the_walk);
    tcase_add_test(right, a_thread_with_a_span_in_hand_is_waited_for);
    tcase_add_test(right, what_a_fork_has_stopped_is_no_defect);
    tcase_add_test(right, several_threads_may_check_at_a_time);
    suite_add_tcase(suite, right);
    return run_suite(suite);
}
