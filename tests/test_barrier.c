/* SPDX-License-Identifier: MIT */
/* Stores of one word: what they store and return, and what they shade, in each phase. */
#include <check.h>
#include <stdlib.h>

#include "base/os.h"
#include "collected.h"
#include "heap/resolve.h"
#include "phase.h"
#include "suite.h"

typedef struct node {
    struct node *left, *right;
    uintptr_t tagged;
    long rest;
} node;
TRI_TYPE(node, left, right, tagged);

static const uint8_t phases[] = {TRI__BARRIER_IDLE, TRI__BARRIER_UNSCANNED, TRI__BARRIER_SCANNED};
#define PHASES ((int)(sizeof phases / sizeof phases[0]))

static node *holder, *a, *b;

/* The phase of test _i, with three objects that are there. */
static void start_in(int i)
{
    start_quiet();
    if (phases[i] != TRI__BARRIER_IDLE)
        begin_mark(phases[i]);
    holder = tri_new(node);
    a = tri_new(node);
    b = tri_new(node);
    forget_shaded();
}

/* These two, in this order, and nothing else; nothing at all while idle. NULLs are not shaded. */
static void check_shaded(const void *old, const void *new)
{
    const struct shaded *shaded = take_shaded();
    uintptr_t expected[2];
    size_t count = 0;
    if (tri__self->barrier != TRI__BARRIER_IDLE) {
        if (old != NULL)
            expected[count++] = (uintptr_t)old;
        if (new != NULL)
            expected[count++] = (uintptr_t)new;
    }
    ck_assert_uint_eq(shaded->count, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_uint_eq(shaded->entries[i], expected[i]);
}

START_TEST(store)
{
    start_in(_i);
    tri_store(&holder->left, a);
    ck_assert_ptr_eq(holder->left, a);
    check_shaded(NULL, a);
    tri_store(&holder->left, b);
    ck_assert_ptr_eq(holder->left, b);
    check_shaded(a, b);
    tri_store(&holder->left, NULL);
    ck_assert_ptr_null(holder->left);
    check_shaded(b, NULL);
    tri_store(&holder->left, NULL);
    check_shaded(NULL, NULL);
}
END_TEST

START_TEST(store_release)
{
    start_in(_i);
    tri_store_release(&holder->right, a);
    ck_assert_ptr_eq(holder->right, a);
    check_shaded(NULL, a);
    tri_store_release(&holder->right, b);
    check_shaded(a, b);
    ck_assert_ptr_null(holder->left);
}
END_TEST

/* Integers that hold a tagged pointer; the entries are as they are stored. */
START_TEST(store_of_an_integer)
{
    start_in(_i);
    tri_store(&holder->tagged, (uintptr_t)a | 3);
    ck_assert_uint_eq(holder->tagged, (uintptr_t)a | 3);
    check_shaded(NULL, (char *)a + 3);
    tri_store(&holder->tagged, 0u);
    ck_assert_uint_eq(holder->tagged, 0);
    check_shaded((char *)a + 3, NULL);
}
END_TEST

START_TEST(init_store)
{
    start_in(_i);
    tri_init_store(&holder->left, a);
    tri_init_store(&holder->tagged, (uintptr_t)b);
    ck_assert_ptr_eq(holder->left, a);
    ck_assert_uint_eq(holder->tagged, (uintptr_t)b);
    ck_assert_uint_eq(take_shaded()->count, 0);
}
END_TEST

START_TEST(exchange)
{
    start_in(_i);
    ck_assert_ptr_null(tri_exchange(&holder->left, a));
    ck_assert_ptr_eq(holder->left, a);
    check_shaded(NULL, a);
    ck_assert_ptr_eq(tri_exchange(&holder->left, b), a);
    ck_assert_ptr_eq(holder->left, b);
    check_shaded(a, b);
    ck_assert_ptr_eq(tri_exchange(&holder->left, NULL), b);
    check_shaded(b, NULL);
    ck_assert_uint_eq(tri_exchange(&holder->tagged, (uintptr_t)a + 1), 0);
    check_shaded(NULL, (char *)a + 1);
    ck_assert_uint_eq(tri_exchange(&holder->tagged, 0u), (uintptr_t)a + 1);
}
END_TEST

START_TEST(compare_exchange)
{
    node *expected = NULL;
    start_in(_i);
    ck_assert(tri_compare_exchange(&holder->left, &expected, a));
    ck_assert_ptr_null(expected);
    ck_assert_ptr_eq(holder->left, a);
    check_shaded(NULL, a);
    ck_assert(!tri_compare_exchange(&holder->left, &expected, b));
    ck_assert_ptr_eq(expected, a);
    ck_assert_ptr_eq(holder->left, a);
    check_shaded(NULL, NULL); /* nothing was stored */
    ck_assert(tri_compare_exchange(&holder->left, &expected, b));
    ck_assert_ptr_eq(expected, a);
    ck_assert_ptr_eq(holder->left, b);
    check_shaded(a, b);
    expected = b;
    ck_assert(tri_compare_exchange(&holder->left, &expected, NULL));
    check_shaded(b, NULL);
}
END_TEST

/* Macros use each argument once. */
START_TEST(arguments_are_evaluated_once)
{
    node *values[2], *none = NULL;
    int i = 0, k = 0;
    start_in(_i);
    values[0] = a;
    values[1] = b;
    node **slots[] = {&holder->left, &holder->right, &a->left, &a->right, &b->left, &b->right};
    tri_store(slots[i++], values[k++ % 2]);
    tri_store_release(slots[i++], values[k++ % 2]);
    tri_init_store(slots[i++], values[k++ % 2]);
    ck_assert_ptr_null(tri_exchange(slots[i++], values[k++ % 2]));
    ck_assert(tri_compare_exchange(slots[i++], &none, values[k++ % 2]));
    ck_assert_int_eq(i, 5);
    ck_assert_int_eq(k, 5);
    ck_assert_ptr_eq(holder->left, a);
    ck_assert_ptr_eq(holder->right, b);
    ck_assert_ptr_eq(a->left, a);
    ck_assert_ptr_eq(a->right, b);
    ck_assert_ptr_eq(b->left, a);
}
END_TEST

/* More than a buffer holds: what was given away comes first. */
START_TEST(many_stores)
{
    size_t n = 3 * TRI__BUFFER_ENTRIES + 10;
    const struct shaded *shaded;
    uintptr_t sum = 0, expected = 0;
    start_in(PHASES - 1);
    for (size_t i = 1; i <= n; i++) {
        tri_store(&holder->tagged, i * 8);
        expected += i * 8 + (i - 1) * 8;
    }
    shaded = take_shaded();
    ck_assert_uint_eq(shaded->count, 2 * n - 1);
    for (size_t i = 0; i < shaded->count; i++)
        sum += shaded->entries[i];
    ck_assert_uint_eq(sum, expected);
}
END_TEST

/* Born white until the own stack is scanned, black from then on. */
START_TEST(colour_of_new_objects)
{
    struct tri__ref ref;
    start_in(_i);
    for (int i = 0; i < 500; i++) {
        void *p = i % 100 == 99 ? tri_alloc_bytes(50000) : tri_alloc_bytes((size_t)i);
        ck_assert(tri__resolve((uintptr_t)p, &ref));
        ck_assert_uint_eq(*ref.colour,
                          phases[_i] == TRI__BARRIER_SCANNED ? TRI__BLACK : TRI__WHITE);
    }
}
END_TEST

START_TEST(after_the_mark)
{
    start_in(PHASES - 1);
    tri_store(&holder->left, a);
    end_mark();
    holder = tri_new(node);
    a = tri_new(node);
    tri_store(&holder->left, a);
    ck_assert_ptr_eq(holder->left, a);
    check_shaded(NULL, NULL);
}
END_TEST

/* ---- threads that have not used the heap ---- */

static node *shared;
static node *(*first_use)(void);

static node *use_store(void)
{
    tri_store(&shared->left, a);
    return shared->left;
}

static node *use_store_release(void)
{
    tri_store_release(&shared->left, a);
    return shared->left;
}

static node *use_exchange(void)
{
    return tri_exchange(&shared->left, a) == NULL ? shared->left : NULL;
}

static node *use_compare_exchange(void)
{
    node *expected = NULL;
    return tri_compare_exchange(&shared->left, &expected, a) ? shared->left : NULL;
}

static node *use_memcpy(void)
{
    tri_memcpy(&shared->left, &a, sizeof a);
    return shared->left;
}

static uint32_t shades; /* of a; a thread that attaches shades what is on its stack, too */

static void count_entry(uintptr_t value, void *count)
{
    *(uint32_t *)count += value == (uintptr_t)a;
}

static void *first_use_main(void *unused)
{
    node *stored = first_use();
    (void)unused;
    ck_assert_ptr_nonnull(tri__mutator_self());
    ck_assert_uint_eq(tri__registry_size(), 2);
    shades = 0;
    tri__buffer_drain_writer(own_writer(), count_entry, &shades);
    return stored;
}

static node *(*const uses[])(void) = {use_store, use_store_release, use_exchange,
                                      use_compare_exchange, use_memcpy};
#define USES ((int)(sizeof uses / sizeof uses[0]))

START_TEST(the_first_store_attaches)
{
    pthread_t thread;
    void *stored;
    start_in(_i / USES);
    first_use = uses[_i % USES];
    shared = holder;
    ck_assert_int_eq(pthread_create(&thread, NULL, first_use_main, NULL), 0);
    TRI_BLOCKING
        ck_assert_int_eq(pthread_join(thread, &stored), 0);
    ck_assert_ptr_eq(stored, a);
    ck_assert_ptr_eq(holder->left, a);
    ck_assert(phases[_i / USES] == TRI__BARRIER_IDLE ? shades == 0 : shades >= 1);
    ck_assert_uint_eq(tri__registry_size(), 1);
    tri_shutdown();
}
END_TEST

/* ---- what was written before ---- */

static int written; /* not atomic */

static void *giver_main(void *unused)
{
    written = 1;
    first_use();
    return unused;
}

/* Each of them releases, in each phase, for who loads the slot with acquire. On x86-64
 * ThreadSanitizer sees it when one does not. */
START_TEST(what_was_written_before_is_handed_over)
{
    static node *(*const gives[])(void) = {use_store_release, use_exchange, use_compare_exchange};
    pthread_t thread;
    start_in(_i % PHASES);
    first_use = gives[_i / PHASES];
    shared = holder;
    ck_assert_int_eq(pthread_create(&thread, NULL, giver_main, NULL), 0);
    while (__atomic_load_n(&shared->left, __ATOMIC_ACQUIRE) == NULL)
        tri__os_yield();
    ck_assert_int_eq(written, 1);
    TRI_BLOCKING
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    tri_shutdown();
}
END_TEST

/* ---- two threads at one slot ---- */

#define TURNS 20000

static void *exchanger_main(void *unused)
{
    uintptr_t sum = 0;
    (void)unused;
    for (uintptr_t i = 1; i <= TURNS; i++)
        sum += tri_exchange(&holder->tagged, i * 8);
    return (void *)sum;
}

static void *incrementer_main(void *unused)
{
    (void)unused;
    for (int i = 0; i < TURNS; i++) {
        uintptr_t seen = __atomic_load_n(&a->tagged, __ATOMIC_RELAXED);
        while (!tri_compare_exchange(&a->tagged, &seen, seen + 8))
            continue;
    }
    return NULL;
}

static uintptr_t join_sum(pthread_t thread)
{
    void *sum;
    TRI_BLOCKING
        ck_assert_int_eq(pthread_join(thread, &sum), 0);
    return (uintptr_t)sum;
}

/* What one exchange has stored another one gets, once. */
START_TEST(exchanges_are_atomic)
{
    pthread_t threads[2];
    uintptr_t sum = 0;
    start_in(_i);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, exchanger_main, NULL), 0);
    for (int i = 0; i < 2; i++)
        sum += join_sum(threads[i]);
    ck_assert_uint_eq(sum + holder->tagged, 8ul * TURNS * (TURNS + 1));
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, incrementer_main, NULL), 0);
    for (int i = 0; i < 2; i++)
        join_sum(threads[i]);
    ck_assert_uint_eq(a->tagged, 16ul * TURNS);
    tri_shutdown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("barrier");
    TCase *stores = tcase_create("stores"), *threads = tcase_create("threads");

    tcase_add_loop_test(stores, store, 0, PHASES);
    tcase_add_loop_test(stores, store_release, 0, PHASES);
    tcase_add_loop_test(stores, store_of_an_integer, 0, PHASES);
    tcase_add_loop_test(stores, init_store, 0, PHASES);
    tcase_add_loop_test(stores, exchange, 0, PHASES);
    tcase_add_loop_test(stores, compare_exchange, 0, PHASES);
    tcase_add_loop_test(stores, arguments_are_evaluated_once, 0, PHASES);
    tcase_add_loop_test(stores, colour_of_new_objects, 0, PHASES);
    tcase_add_test(stores, many_stores);
    tcase_add_test(stores, after_the_mark);
    suite_add_tcase(suite, stores);

    tcase_add_loop_test(threads, the_first_store_attaches, 0, PHASES * USES);
    tcase_add_loop_test(threads, what_was_written_before_is_handed_over, 0, 3 * PHASES);
    tcase_add_loop_test(threads, exchanges_are_atomic, 0, PHASES);
    tcase_set_timeout(threads, 20);
    suite_add_tcase(suite, threads);
    return run_suite(suite);
}
