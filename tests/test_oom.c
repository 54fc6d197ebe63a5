/* SPDX-License-Identifier: MIT */
/* Out of memory, with a small reservation and with a small limit: an emergency collection, then the
 * program's handler, then NULL with ENOMEM; and the heap works on afterwards. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "collected.h"
#include "suite.h"

#define MANY 100000
#define MEGABYTE ((size_t)1 << 20)

typedef struct node {
    struct node *next;
    long payload[5];
} node;
TRI_TYPE(node, next);

typedef struct wide {
    void *first;
    long middle[90];
} wide;
TRI_TYPE(wide, first);

typedef struct list {
    struct list *next;
    void *items[];
} list;
TRI_FLEX_TYPE(list, items, next);

/* Keeps what fills the heap: a list that grows at its end, so that a word which a compiler has left
 * on the stack keeps little of it alive when it is let go. */
struct link {
    struct link *next;
    void *item;
};
TRI_ROOT static struct link *kept, *last;

static tri_config config = TRI_CONFIG_INIT;

static void limit_by_reservation(void)
{
    config.heap_reserve = 16 * MEGABYTE;
    config.memory_limit = SIZE_MAX;
}

static void limit_by_size(void)
{
    config.memory_limit = 12 * MEGABYTE;
}

static void (*const limits[])(void) = {limit_by_reservation, limit_by_size};

static void start_limited(int which)
{
    config.gc_percent = -1;
    limits[which]();
    ck_assert_int_eq(tri_init(&config), 0);
}

/* ---- ways to allocate; each takes about `bytes` ---- */

static void *one_node(size_t bytes)
{
    (void)bytes;
    return tri_new(node);
}

static void *one_wide(size_t bytes)
{
    (void)bytes;
    return tri_new(wide);
}

static void *some_bytes(size_t bytes)
{
    return tri_alloc_bytes(bytes);
}

static void *some_pointers(size_t bytes)
{
    return tri_new_ptrs(bytes / 8);
}

static void *some_items(size_t bytes)
{
    return tri_new_flex(list, bytes / 8);
}

static void *anything(size_t bytes)
{
    return tri_alloc_conservative(bytes);
}

static void *a_larger_array(size_t bytes)
{
    return tri_grow("abc", &tri_type_bytes, 3, bytes);
}

static void *a_string(size_t bytes)
{
    static char text[100000];
    memset(text, 'x', bytes);
    text[bytes] = '\0';
    return tri_strdup(text);
}

static const struct way {
    void *(*allocate)(size_t bytes);
    size_t bytes;
} ways[] = {
    {one_node, sizeof(node)}, {one_wide, sizeof(wide)},
    {some_bytes, 3},          {some_bytes, 64},
    {some_bytes, 5000},       {some_bytes, 70000},
    {some_pointers, 400},     {some_pointers, 2000},
    {some_pointers, 90000},   {some_items, 100},
    {some_items, 4000},       {some_items, 100000},
    {anything, 48},           {anything, 20000},
    {a_larger_array, 900},    {a_string, 50},
};
#define WAYS ((int)(sizeof ways / sizeof ways[0]))

static __attribute__((noinline)) bool keep_one(const struct way *way)
{
    struct link *fresh = (struct link *)(void *)tri_new_ptrs(2);
    void *item = fresh == NULL ? NULL : way->allocate(way->bytes);
    if (item == NULL)
        return false;
    tri_store(&fresh->item, item);
    if (last == NULL)
        tri_store(&kept, fresh);
    else
        tri_store(&last->next, fresh);
    tri_store(&last, fresh);
    return true;
}

/* Until there is no more. */
static size_t fill_heap(const struct way *way)
{
    size_t count = 0;
    errno = 0;
    while (keep_one(way))
        count++;
    ck_assert_int_eq(errno, ENOMEM);
    return count;
}

static void let_all_go(void)
{
    tri_store(&last, NULL);
    tri_store(&kept, NULL);
    clear_stack();
}

/* ---- NULL ---- */

static void check_way(const struct way *way)
{
    size_t least = 6 * MEGABYTE / (way->bytes + 64), count = fill_heap(way), again;
    uint64_t cycles = stats_now().forced_cycles;
    ck_assert_uint_ge(cycles, 1);
    ck_assert_uint_ge(count, least);
    let_all_go();
    again = fill_heap(way); /* the emergency collection finds the rest */
    ck_assert_uint_gt(stats_now().forced_cycles, cycles);
    ck_assert_msg(again > count / 10 * 9, "%zu objects, and then %zu", count, again);
    let_all_go();
}

/* ThreadSanitizer has time for each way with one of the limits. */
START_TEST(allocation_fails_and_works_again)
{
    if (HAS_TSAN && (_i / WAYS + _i % WAYS) % 2 != 0)
        return;
    start_limited(_i / WAYS);
    check_way(&ways[_i % WAYS]);
    ck_assert_ptr_nonnull(tri_new(node));
    tri_shutdown();
}
END_TEST

/* Garbage alone never makes an allocation fail. */
START_TEST(garbage_is_collected_before_memory_is_out)
{
    start_limited(_i);
    for (int i = 0; i < 400; i++) {
        ck_assert_ptr_nonnull(tri_alloc_bytes(300000));
        ck_assert_ptr_nonnull(tri_new_array(node, 300));
    }
    ck_assert_uint_ge(stats_now().cycles, 3);
    ck_assert_uint_le(stats_now().mapped_bytes, 16 * MEGABYTE);
}
END_TEST

/* More than there ever can be: the heap must not be the worse for it. */
START_TEST(an_object_larger_than_the_limit)
{
    start_limited(_i);
    errno = 0;
    ck_assert_ptr_null(tri_alloc_bytes(40 * MEGABYTE));
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_ptr_nonnull(tri_alloc_bytes(3 * MEGABYTE));
}
END_TEST

START_TEST(the_limit_can_be_changed)
{
    size_t few, more;
    start_limited(1);
    few = fill_heap(&ways[4]);
    ck_assert_uint_eq(tri_set_memory_limit(24 * MEGABYTE), 12 * MEGABYTE);
    more = fill_heap(&ways[4]);
    ck_assert_uint_ge(more, few / 10 * 7);
    ck_assert_uint_eq(tri_set_memory_limit(SIZE_MAX), 24 * MEGABYTE);
    ck_assert_ptr_nonnull(tri_alloc_bytes(30 * MEGABYTE));
    ck_assert_uint_eq(tri_set_memory_limit(MEGABYTE), SIZE_MAX);
    ck_assert_ptr_null(tri_alloc_bytes(60 * MEGABYTE));
}
END_TEST

/* ---- the handler ---- */

static struct {
    size_t bytes;
    void *argument;
    uint64_t cycles;
    int calls, patience;
} handler;

static bool say_again(size_t bytes, void *argument)
{
    handler.bytes = bytes;
    handler.argument = argument;
    handler.cycles = stats_now().forced_cycles;
    return ++handler.calls < handler.patience;
}

START_TEST(the_handler_is_asked_after_a_collection)
{
    int here;
    config.oom = say_again;
    config.oom_argument = &here;
    handler.patience = 1;
    start_limited(_i);
    fill_heap(&ways[5]);
    ck_assert_int_eq(handler.calls, 1);
    ck_assert_ptr_eq(handler.argument, &here);
    ck_assert(handler.bytes >= 16 && handler.bytes <= 80000);
    ck_assert_uint_ge(handler.cycles, 1);
}
END_TEST

START_TEST(the_handler_is_asked_as_long_as_it_says_so)
{
    config.oom = say_again;
    handler.patience = 5;
    start_limited(_i);
    fill_heap(&ways[5]);
    ck_assert_int_eq(handler.calls, 5);
    handler.calls = 0;
    errno = 0;
    ck_assert_ptr_null(tri_alloc_bytes(13 * MEGABYTE));
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_int_eq(handler.calls, 5);
    ck_assert_uint_eq(handler.bytes, 13 * MEGABYTE);
}
END_TEST

/* A cache that the program can do without. */
static bool let_go(size_t bytes, void *argument)
{
    (void)bytes, (void)argument;
    handler.calls++;
    if (last == NULL) /* not kept: a register that holds it would hold all */
        return false;
    let_all_go();
    collect();
    return true;
}

START_TEST(the_handler_can_make_room)
{
    static const struct way way = {some_bytes, 400};
    config.oom = let_go;
    start_limited(_i);
    for (int i = 0; i < MANY; i++)
        if (!keep_one(&way))
            ck_abort_msg("object %d, call %d", i, handler.calls);
    ck_assert_int_ge(handler.calls, 2);
}
END_TEST

static bool raise_limit(size_t bytes, void *argument)
{
    (void)bytes, (void)argument;
    handler.calls++;
    tri_set_memory_limit(64 * MEGABYTE);
    return true;
}

START_TEST(the_handler_can_raise_the_limit)
{
    config.oom = raise_limit;
    start_limited(1);
    ck_assert_ptr_nonnull(tri_alloc_bytes(30 * MEGABYTE));
    ck_assert_int_eq(handler.calls, 1);
}
END_TEST

/* ---- several threads ---- */

#define THREADS 4

static void *allocate_until_it_fails(void *unused)
{
    node *mine = NULL;
    (void)unused;
    for (;;) {
        node *fresh = tri_new_array(node, 1 + (size_t)rand() % 30);
        if (fresh == NULL)
            break;
        if (!is_zero(fresh, sizeof *fresh))
            return "an object is not zero";
        tri_store(&fresh->next, mine);
        fresh->payload[0] = 4711;
        mine = fresh;
    }
    for (; mine != NULL; mine = mine->next)
        if (mine->payload[0] != 4711)
            return "an object was overwritten";
    return NULL;
}

START_TEST(threads_run_out_of_memory_together)
{
    pthread_t threads[THREADS];
    start_limited(_i);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < THREADS; i++)
            ck_assert_int_eq(
                pthread_create(&threads[i], NULL, allocate_until_it_fails, NULL), 0);
        for (int i = 0; i < THREADS; i++) {
            void *error;
            TRI_BLOCKING
                ck_assert_int_eq(pthread_join(threads[i], &error), 0);
            ck_assert_msg(error == NULL, "%s", (char *)error);
        }
    }
    ck_assert_ptr_nonnull(tri_alloc_bytes(8 * MEGABYTE));
    tri_shutdown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oom");
    TCase *null = tcase_create("null"), *asked = tcase_create("handler");
    TCase *threads = tcase_create("threads");

    tcase_add_loop_test(null, allocation_fails_and_works_again, 0, 2 * WAYS);
    tcase_add_loop_test(null, garbage_is_collected_before_memory_is_out, 0, 2);
    tcase_add_loop_test(null, an_object_larger_than_the_limit, 0, 2);
    tcase_add_test(null, the_limit_can_be_changed);
    tcase_set_timeout(null, 20);
    suite_add_tcase(suite, null);

    tcase_add_loop_test(asked, the_handler_is_asked_after_a_collection, 0, 2);
    tcase_add_loop_test(asked, the_handler_is_asked_as_long_as_it_says_so, 0, 2);
    tcase_add_loop_test(asked, the_handler_can_make_room, 0, 2);
    tcase_add_test(asked, the_handler_can_raise_the_limit);
    tcase_set_timeout(asked, 20);
    suite_add_tcase(suite, asked);

    tcase_add_loop_test(threads, threads_run_out_of_memory_together, 0, 2);
    tcase_set_timeout(threads, 30);
    suite_add_tcase(suite, threads);
    return run_suite(suite);
}
