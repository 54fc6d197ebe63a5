/* SPDX-License-Identifier: MIT */
/* Pools: each object has one owner at a time, and none ever goes away. Under TSan the plain fields
 * of the objects also show that giving and taking orders them. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/pool.h"
#include "random.h"
#include "suite.h"

#define SLAB_BYTES ((size_t)8 << 10)
#define TOO_MUCH ((size_t)1 << 62)
#define OBJECTS 1000u
#define THREADS 4u
#define ROUNDS 20000u
#define HELD 40u

struct object {
    struct tri__stack_entry link;
    uint64_t words[5]; /* what its owner writes to it */
    uint64_t visible;  /* atomic: 1 while it is taken */
};

static struct tri__pool pool = TRI__POOL_OF(struct object, SLAB_BYTES);
static uint64_t seed;

static struct object *object_of(struct tri__stack_entry *link)
{
    return (struct object *)(void *)link;
}

static struct object *take(void)
{
    struct tri__stack_entry *link = tri__pool_take(&pool);

    ck_assert_ptr_nonnull(link);
    ck_assert_uint_eq((uintptr_t)link % alignof(struct object), 0);
    return object_of(link);
}

static void release(void)
{
    tri__pool_release(&pool);
    ck_assert_uint_eq(tri__pool_count(&pool), 0);
}

static int by_address(const void *a, const void *b)
{
    const struct object *const *x = a, *const *y = b;

    return *x < *y ? -1 : *x > *y;
}

START_TEST(fresh_objects_are_zero_and_do_not_overlap)
{
    static const struct object zero;
    struct object *objects[OBJECTS];

    for (size_t i = 0; i < OBJECTS; i++) {
        objects[i] = take();
        ck_assert_mem_eq(objects[i]->words, zero.words, sizeof zero.words);
        ck_assert_uint_eq(objects[i]->visible, 0);
        memset(objects[i], 0xa5, sizeof *objects[i]);
    }
    qsort(objects, OBJECTS, sizeof *objects, by_address);
    for (size_t i = 1; i < OBJECTS; i++)
        ck_assert_uint_ge((uintptr_t)objects[i], (uintptr_t)(objects[i - 1] + 1));
    ck_assert_uint_ge(tri__pool_count(&pool), OBJECTS);
    ck_assert_uint_le(tri__pool_count(&pool), OBJECTS + SLAB_BYTES / sizeof(struct object));
    release();
}
END_TEST

/* All but the first word. */
START_TEST(what_was_given_back_is_taken_again_as_it_was)
{
    struct object *objects[OBJECTS];
    size_t count, again = 0;

    for (size_t i = 0; i < OBJECTS; i++) {
        objects[i] = take();
        objects[i]->words[0] = objects[i]->words[4] = i + 1;
    }
    count = tri__pool_count(&pool);
    for (size_t i = 0; i < OBJECTS; i++)
        tri__pool_give(&pool, &objects[i]->link);
    for (size_t i = 0; i < count; i++) {
        const struct object *object = take();

        ck_assert_uint_eq(object->words[0], object->words[4]);
        again += object->words[0] != 0;
    }
    ck_assert_uint_eq(again, OBJECTS);
    ck_assert_uint_eq(tri__pool_count(&pool), count);
    take();
    ck_assert_uint_gt(tri__pool_count(&pool), count);
    release();
}
END_TEST

START_TEST(without_memory_there_is_what_was_given_back)
{
    struct object *object = take();

    for (size_t i = 1; i < SLAB_BYTES / sizeof(struct object) - 1; i++)
        take();
    while (!tri__stack_is_empty(&pool.unused))
        take();
    pool.slab_bytes = TOO_MUCH;
    ck_assert_ptr_null(tri__pool_take(&pool));
    tri__pool_give(&pool, &object->link);
    ck_assert_ptr_eq(take(), object);
    ck_assert_ptr_null(tri__pool_take(&pool));
    pool.slab_bytes = SLAB_BYTES;
    ck_assert_ptr_ne(take(), object);
    release();
}
END_TEST

static void count_visit(struct tri__stack_entry *link, void *argument)
{
    uint64_t *visits = argument;

    *visits += tri__load_relaxed(&object_of(link)->visible) + (UINT64_C(1) << 32);
}

START_TEST(each_comes_to_all_objects_taken_or_free)
{
    uint64_t visits = 0;

    tri__pool_each(&pool, count_visit, &visits);
    ck_assert_uint_eq(visits, 0);
    for (size_t i = 0; i < OBJECTS; i++)
        take()->visible = 1;
    tri__pool_each(&pool, count_visit, &visits);
    ck_assert_uint_eq(visits & UINT32_MAX, OBJECTS);
    ck_assert_uint_eq(visits >> 32, tri__pool_count(&pool));
    release();
}
END_TEST

START_TEST(a_released_pool_may_be_used_again)
{
    release();
    for (int round = 0; round < 3; round++) {
        take();
        release();
    }
}
END_TEST

/* ---- threads ---- */

struct user {
    pthread_t thread;
    uint64_t number;    /* from 1 */
    uint64_t strangers; /* objects that somebody else had as well: must stay 0 */
};

/* Owners mark all words as theirs, and find them so when they give the object back. */
static void hold(struct object *object, uint64_t mark)
{
    for (size_t i = 0; i < 5; i++)
        object->words[i] = mark;
    tri__store_relaxed(&object->visible, 1);
}

static bool is_held(const struct object *object, uint64_t mark)
{
    for (size_t i = 0; i < 5; i++)
        if (object->words[i] != mark)
            return false;
    return tri__load_relaxed(&object->visible) == 1;
}

static void give_back(struct user *user, struct object *object, uint64_t mark)
{
    user->strangers += !is_held(object, mark);
    tri__store_relaxed(&object->visible, 0);
    tri__pool_give(&pool, &object->link);
}

static void *use(void *argument)
{
    struct user *user = argument;
    struct random random = random_of(seed, user->number);
    struct object *held[HELD];
    size_t count = 0;

    for (size_t i = 0; i < ROUNDS; i++) {
        if (count < HELD && random_below(&random, 2) == 0) {
            held[count] = object_of(tri__pool_take(&pool));
            user->strangers += tri__load_relaxed(&held[count]->visible) != 0;
            hold(held[count++], user->number);
        } else if (count > 0) {
            size_t victim = (size_t)random_below(&random, count);

            give_back(user, held[victim], user->number);
            held[victim] = held[--count];
        }
    }
    while (count > 0)
        give_back(user, held[--count], user->number);
    return NULL;
}

START_TEST(threads_never_share_an_object)
{
    struct user users[THREADS];
    uint64_t visits = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        users[i] = (struct user){.number = i + 1};
        ck_assert_int_eq(pthread_create(&users[i].thread, NULL, use, &users[i]), 0);
    }
    for (int i = 0; i < 100; i++) {
        visits = 0;
        tri__pool_each(&pool, count_visit, &visits);
        ck_assert_uint_le(visits & UINT32_MAX, visits >> 32);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(users[i].thread, NULL), 0);
        ck_assert_uint_eq(users[i].strangers, 0);
    }
    visits = 0;
    tri__pool_each(&pool, count_visit, &visits);
    ck_assert_uint_eq(visits & UINT32_MAX, 0);
    /* Each thread that finds the pool empty may map a slab, though one would have done. */
    ck_assert_uint_le(tri__pool_count(&pool),
                      THREADS * (HELD + SLAB_BYTES / sizeof(struct object)));
    release();
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("pool");
    TCase *tests = tcase_create("pool");

    seed = random_start(argc, argv);
    tcase_add_test(tests, fresh_objects_are_zero_and_do_not_overlap);
    tcase_add_test(tests, what_was_given_back_is_taken_again_as_it_was);
    tcase_add_test(tests, without_memory_there_is_what_was_given_back);
    tcase_add_test(tests, each_comes_to_all_objects_taken_or_free);
    tcase_add_test(tests, a_released_pool_may_be_used_again);
    tcase_add_test(tests, threads_never_share_an_object);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
