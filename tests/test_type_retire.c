/* SPDX-License-Identifier: MIT */
/* Hot types that were made at run time: they get spans of their own, and none ends before its last
 * span has gone, wherever that is: in threads' caches, on lists, or full of objects. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "capture.h"
#include "collected.h"
#include "heap/object.h"
#include "hot.h"
#include "layout/oracle.h"
#include "layout/type_build.h"
#include "suite.h"

/* With pointers in the first word and the last two, at least. */
static void build(tri_type *type, size_t bytes)
{
    const tri_type_field fields[] = {{.count = 1}, {.offset = bytes - 16, .count = 2}};
    tri_type_desc desc = {.name = "built", .size = bytes, .fields = fields, .field_count = 2};

    ck_assert_int_eq(tri_type_build(type, &desc), 0);
}

static tri_type *new_type(size_t bytes)
{
    tri_type *type = malloc(sizeof *type);

    ck_assert_ptr_nonnull(type);
    build(type, bytes);
    return type;
}

static void *checked(void *p)
{
    ck_assert_ptr_nonnull(p);
    return p;
}

/* An object in a span of the type's own. */
static __attribute__((noinline)) void *new_typed(const tri_type *type)
{
    void *p;

    warm_among_threads(type);
    p = checked(tri_alloc(type));
    ck_assert(is_typed(p));
    return p;
}

/* ---- as good as declared ones ---- */

static const size_t sizes[] = {16, 40, 48, 512, 520, 1024, 2048, 5000, 16384, 32760, 32768};
#define SIZES ((int)(sizeof sizes / sizeof *sizes))

static void check_object(const tri_type *type, const void *p)
{
    uintptr_t base = (uintptr_t)p;
    struct tri__ref ref;

    ck_assert(is_typed(p) && tri__resolve(base, &ref));
    ck_assert_uint_eq(tri_object_size(p), type->slot_size);
    ck_assert_ptr_eq(tri_object_type(p), type);
    ck_assert(is_zero(p, type->slot_size));
    ck_assert_uint_eq(tri__layout_oracle_compare(tri__type_pointers_of_ref(&ref), type, base, base,
                                                 base + type->size),
                      0);
}

START_TEST(built_types_have_slots_of_their_own)
{
    tri_type *type = new_type(sizes[_i]);

    start_quiet();
    ck_assert(tri__typed_is_able(type));
    ck_assert_ptr_eq(type->run_tag, type);
    ck_assert_uint_eq((uintptr_t)type->cache % 64, 0);
    warm_among_threads(type);
    for (size_t i = 0; i < 3 * typed_span_bytes(type) / type->size; i++)
        check_object(type, checked(tri_alloc(type)));
    ck_assert_int_eq(tri_type_retire(type), 0);
    tri_shutdown();
    ck_assert(tri_type_retired(type));
    free(type);
}
END_TEST

START_TEST(built_types_get_hot)
{
    tri_type *types[] = {new_type(sizes[_i]), new_type(sizes[_i])};

    start_quiet();
    check_types_in_turn(types[0], types[1]);
    tri_shutdown();
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(tri_type_retire(types[i]), 0);
        free(types[i]);
    }
}
END_TEST

START_TEST(leaf_and_flexible_types_have_none)
{
    const tri_type_desc leaf = {.size = 48}, flexible = {.size = 48, .tail = &tri_type_ptr};
    tri_type type;

    ck_assert_int_eq(tri_type_build(&type, &leaf), 0);
    ck_assert(!tri__typed_is_able(&type));
    ck_assert_uint_eq(type.extras, 0);
    ck_assert_int_eq(tri_type_retire(&type), 0);
    ck_assert_int_eq(tri_type_build(&type, &flexible), 0);
    ck_assert(!tri__typed_is_able(&type));
    ck_assert_uint_eq(type.extras, 0);
    ck_assert_int_eq(tri_type_retire(&type), 0);
}
END_TEST

/* ---- the end of hot ones ---- */

START_TEST(retiring_takes_the_index_at_once)
{
    tri_type *type = new_type(64), *next = new_type(64);

    start_quiet();
    warm_among_threads(type);
    ck_assert_uint_eq(tri__typed_run(type), TRI__SPAN_CLASSES);
    ck_assert_int_eq(tri_type_retire(type), 0);
    ck_assert_uint_eq(tri__typed_run(type), 0);
    warm_among_threads(next);
    ck_assert_uint_eq(tri__typed_run(next), TRI__SPAN_CLASSES);
    ck_assert(is_gone_soon(type));
    ck_assert_uint_eq(type->extras, 0);
    free(type);
    tri_shutdown();
    ck_assert_int_eq(tri_type_retire(next), 0);
    ck_assert(tri_type_retired(next));
    free(next);
}
END_TEST

static __attribute__((noinline)) tri_handle *keep_typed(const tri_type *type)
{
    return checked(tri_handle_new(new_typed(type)));
}

/* Also a small one: its span names the type, though its page has the mask. */
START_TEST(a_typed_object_keeps_its_type)
{
    tri_type *type = new_type(sizes[_i]);
    tri_handle *handle;

    start_quiet();
    handle = keep_typed(type);
    ck_assert_int_eq(tri_type_retire(type), 0);
    ck_assert(!is_gone_soon(type));
    ck_assert_uint_ge(tri__typed_spans(type), 1);
    ck_assert_ptr_eq(tri_object_type(tri_handle_get(handle)), type);
    tri_handle_free(handle);
    ck_assert(is_gone_soon(type));
    memset(type, 0xa5, sizeof *type);
    free(type);
    collect();
    tri_shutdown();
}
END_TEST

/* No longer than any other type whose objects are all dead. */
START_TEST(an_empty_run_costs_no_cycle)
{
    tri_type *type = new_type(64);

    start_quiet();
    warm_among_threads(type);
    ck_assert(tri__cache_refill(&tri__mutator_self()->writer.cache, tri__typed_run(type), type));
    ck_assert_uint_eq(tri__typed_spans(type), 1);
    check_end_after_a_whole_cycle(type);
    free(type);
    tri_shutdown();
}
END_TEST

START_TEST(types_outlive_a_heap)
{
    tri_type *type = new_type(64);

    for (int round = 0; round < 3; round++) {
        start_quiet();
        ck_assert(new_typed(type) != NULL);
        tri_shutdown();
        ck_assert_uint_eq(tri__typed_spans(type), 0);
        ck_assert_uint_eq(tri__typed_run(type), 0);
    }
    ck_assert_int_eq(tri_type_retire(type), 0);
    ck_assert(tri_type_retired(type));
    free(type);
}
END_TEST

START_TEST(shutdown_ends_hot_types)
{
    tri_type *type = new_type(64), *other = new_type(1024);

    start_quiet();
    ck_assert(keep_typed(type) != NULL && keep_typed(other) != NULL);
    ck_assert_int_eq(tri_type_retire(type), 0);
    collect();
    ck_assert_int_eq(tri_type_retire(other), 0);
    tri_shutdown();
    ck_assert(tri_type_retired(type) && tri_type_retired(other));
    free(type);
    free(other);
}
END_TEST

static __attribute__((noinline)) void check_objects(const tri_type *type)
{
    warm_among_threads(type);
    for (int i = 0; i < 10; i++)
        check_object(type, checked(tri_alloc(type)));
}

/* What an earlier type has left, heat, is of no harm to another one at the same address. */
START_TEST(an_address_is_used_again)
{
    tri_type *type = malloc(sizeof *type);

    start_quiet();
    for (int round = 0; round < 2 * SIZES; round++) {
        build(type, sizes[round % SIZES]);
        check_objects(type);
        ck_assert_int_eq(tri_type_retire(type), 0);
        ck_assert(is_gone_soon(type));
    }
    free(type);
    tri_shutdown();
}
END_TEST

/* ---- threads ---- */

#define HOLDERS 4

static struct {
    tri_type *type;
    pthread_barrier_t hot, retired;
    uint32_t stop;
} holding;

/* Has a run of the type, and keeps it: running, asleep, or leaving at some time of a cycle. */
static void *hold_a_run(void *number)
{
    const struct tri__cache *cache = &tri__mutator_self()->writer.cache;

    ck_assert(new_typed(holding.type) != NULL);
    ck_assert_ptr_nonnull(cache->spans[tri__typed_run(holding.type)]);
    clear_stack();
    TRI_BLOCKING
        pthread_barrier_wait(&holding.hot);
    TRI_BLOCKING
        pthread_barrier_wait(&holding.retired);
    if ((uintptr_t)number % 2 == 0)
        TRI_BLOCKING
            while (tri__load_relaxed(&holding.stop) == 0)
                usleep(100);
    else
        for (unsigned i = 0; i < 20000 && tri__load_relaxed(&holding.stop) == 0; i++)
            tri_safepoint();
    return NULL;
}

static void start_holders(pthread_t *threads)
{
    holding.type = new_type(64);
    tri__store_relaxed(&holding.stop, 0);
    ck_assert_int_eq(pthread_barrier_init(&holding.hot, NULL, HOLDERS + 1), 0);
    ck_assert_int_eq(pthread_barrier_init(&holding.retired, NULL, HOLDERS + 1), 0);
    for (uintptr_t i = 0; i < HOLDERS; i++)
        ck_assert_int_eq(tri_thread_create(&threads[i], NULL, hold_a_run, (void *)i), 0);
    TRI_BLOCKING
        pthread_barrier_wait(&holding.hot);
}

static void join_holders(pthread_t *threads)
{
    tri__store_relaxed(&holding.stop, 1);
    TRI_BLOCKING
        for (int i = 0; i < HOLDERS; i++)
            pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&holding.hot);
    pthread_barrier_destroy(&holding.retired);
}

/* Each thread has a span in its cache that names the type, when it is retired and when the cycles
 * begin. */
START_TEST(runs_in_caches_keep_a_type)
{
    pthread_t threads[HOLDERS];

    start_quiet();
    for (int round = 0; round < 20; round++) {
        start_holders(threads);
        ck_assert_uint_ge(tri__typed_spans(holding.type), HOLDERS);
        ck_assert_int_eq(tri_type_retire(holding.type), 0);
        ck_assert_uint_ge(tri__typed_spans(holding.type), HOLDERS);
        TRI_BLOCKING
            pthread_barrier_wait(&holding.retired);
        collect();
        ck_assert(!tri_type_retired(holding.type));
        ck_assert(is_gone_soon(holding.type));
        memset(holding.type, 0xa5, sizeof *holding.type);
        free(holding.type);
        collect();
        join_holders(threads);
    }
    tri_shutdown();
}
END_TEST

/* They have left, with slots in their runs, before anybody collects. */
START_TEST(threads_that_leave_take_no_type_along)
{
    pthread_t threads[HOLDERS];

    start_quiet();
    start_holders(threads);
    ck_assert_int_eq(tri_type_retire(holding.type), 0);
    TRI_BLOCKING
        pthread_barrier_wait(&holding.retired);
    join_holders(threads);
    ck_assert(is_gone_soon(holding.type));
    free(holding.type);
    tri_shutdown();
}
END_TEST

/* Each thread makes types, allocates of them until they are hot, keeps some of the objects for a
 * while and retires the types, far more of them than there are indices, while cycles run. */
#define MAKERS 4
#define AT_ONCE 24
#define GIVEN_BACK 40 /* by each thread before it ends: together more than there are indices */

static tri_type made[MAKERS][AT_ONCE];
static uint32_t makers_left;

static __attribute__((noinline)) void fill(void **kept, const tri_type *type)
{
    size_t bytes = type->size, count = 2 * typed_span_bytes(type) / bytes + 8;

    warm_among_threads(type);
    for (size_t i = 0; i < count; i++) {
        void **p = checked(tri_alloc(type));

        ck_assert(p[0] == NULL && p[bytes / TRI_WORD - 1] == NULL);
        tri_init_store(&p[bytes / TRI_WORD - 1], kept[i % 16]);
        tri_store(&kept[i % 16], (void *)(i % 40 < 16 ? NULL : p));
    }
}

static void *make_types(void *mine)
{
    tri_type *types = mine;
    void **kept = checked(tri_new_ptrs(16));
    unsigned given_back = 0;

    for (size_t round = 0; given_back < GIVEN_BACK; round++) {
        tri_type *type = &types[round % AT_ONCE];

        if (type->size != 0 && !tri_type_retired(type)) {
            tri_safepoint();
            continue;
        }
        given_back += type->size != 0;
        build(type, sizes[round % 6]);
        fill(kept, type);
        if (round % 3 == 0)
            tri_memclr(kept, 16 * sizeof *kept);
        ck_assert_int_eq(tri_type_retire(type), 0);
        clear_stack();
        TRI_BLOCKING
            sched_yield();
    }
    tri__fetch_sub_relaxed(&makers_left, 1);
    return NULL;
}

START_TEST(types_come_and_go_while_cycles_run)
{
    pthread_t threads[MAKERS];

    start_quiet();
    makers_left = MAKERS;
    for (int i = 0; i < MAKERS; i++)
        ck_assert_int_eq(tri_thread_create(&threads[i], NULL, make_types, made[i]), 0);
    while (tri__load_relaxed(&makers_left) != 0)
        tri_collect();
    TRI_BLOCKING
        for (int i = 0; i < MAKERS; i++)
            pthread_join(threads[i], NULL);
    tri_shutdown();
    for (int i = 0; i < MAKERS * AT_ONCE; i++)
        ck_assert(tri_type_retired(&made[i / AT_ONCE][i % AT_ONCE]));
}
END_TEST

/* Until the thread has answered H4 its run is the last type's; the next one, which has the index,
 * gets no slot of it. */
START_TEST(indices_are_used_again)
{
    enum { TYPES = 3 * TRI__HOT_TYPES };
    static tri_type types[TYPES];

    start_quiet();
    for (int i = 0; i < TYPES; i++) {
        build(&types[i], sizes[i % SIZES]);
        warm_among_threads(&types[i]);
        ck_assert_uint_eq(tri__typed_run(&types[i]), TRI__SPAN_CLASSES);
        ck_assert_int_eq(is_typed(checked(tri_alloc(&types[i]))), i % 10 == 0);
        ck_assert_int_eq(tri_type_retire(&types[i]), 0);
        if (i % 10 == 9)
            collect();
    }
    for (int i = 0; i < TYPES; i++)
        ck_assert_uint_eq(tri__typed_run(&types[i]), 0);
    for (int i = 0; i < ENOUGH_CYCLES; i++)
        collect();
    for (int i = 0, left = 0; i < TYPES; i++)
        ck_assert_int_le(left += !tri_type_retired(&types[i]), 3); /* stray words */
    tri_shutdown();
}
END_TEST

/* ---- what the count is for ---- */

static void forget_spans(void)
{
    tri_type *type = new_type(64);

    if (setenv("TRICOLOR_FAULT", "forget-spans", 1) != 0)
        abort();
    start_quiet();
    if (keep_typed(type) == NULL || tri_type_retire(type) != 0)
        _exit(1);
    tri_collect();
    tri_collect();
    _exit(42);
}

START_TEST(the_count_of_spans_is_needed)
{
    if (IS_DEBUG_BUILD) {
        struct captured captured = capture_child(forget_spans);

        ck_assert(captured_aborted(&captured));
        ck_assert_ptr_nonnull(strstr(captured.text, "spans"));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("type_retire");
    TCase *built = tcase_create("built"), *end = tcase_create("end");
    TCase *threads = tcase_create("threads");

    tcase_add_loop_test(built, built_types_have_slots_of_their_own, 0, SIZES);
    tcase_add_loop_test(built, built_types_get_hot, 0, SIZES);
    tcase_add_test(built, leaf_and_flexible_types_have_none);
    tcase_set_timeout(built, 30);
    suite_add_tcase(suite, built);

    tcase_add_test(end, retiring_takes_the_index_at_once);
    tcase_add_loop_test(end, a_typed_object_keeps_its_type, 0, SIZES);
    tcase_add_test(end, an_empty_run_costs_no_cycle);
    tcase_add_test(end, types_outlive_a_heap);
    tcase_add_test(end, shutdown_ends_hot_types);
    tcase_add_test(end, an_address_is_used_again);
    tcase_add_test(end, indices_are_used_again);
    tcase_add_test(end, the_count_of_spans_is_needed);
    tcase_set_timeout(end, 30);
    suite_add_tcase(suite, end);

    tcase_add_test(threads, runs_in_caches_keep_a_type);
    tcase_add_test(threads, threads_that_leave_take_no_type_along);
    tcase_add_test(threads, types_come_and_go_while_cycles_run);
    tcase_set_timeout(threads, 60);
    suite_add_tcase(suite, threads);
    return run_suite(suite);
}
