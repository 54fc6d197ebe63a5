/* SPDX-License-Identifier: MIT */
/* Type descriptors inside the library: the check of the rules, and byte masks turned into bits. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "capture.h"
#include "layout/oracle.h"
#include "layout/type.h"
#include "random.h"
#include "suite.h"
#include "type_shapes.h"

static uint64_t seed;

/* Asked for too much, the sanitizers' allocators shall return NULL, as malloc does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* ---------------------------------------------------------------------------------- byte masks */

#define UNROLLERS 8
#define LONG_WORDS 3000

static struct {
    uint8_t bytes[LONG_WORDS];
    void *cache;
    tri_type type;
    pthread_barrier_t start;
    const uint64_t *mask[UNROLLERS];
} unrolling;

static void *unroll_once(void *number)
{
    uintptr_t index = (uintptr_t)number;

    pthread_barrier_wait(&unrolling.start);
    unrolling.mask[index] = tri__type_mask(&unrolling.type);
    return NULL;
}

static void unroll_at_once(void)
{
    pthread_t threads[UNROLLERS];

    pthread_barrier_init(&unrolling.start, NULL, UNROLLERS);
    for (uintptr_t i = 0; i < UNROLLERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, unroll_once, (void *)i), 0);
    for (int i = 0; i < UNROLLERS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&unrolling.start);
}

START_TEST(one_mask_for_all_threads)
{
    struct random random = random_of(seed, 6);

    unrolling.type = (tri_type){.size = sizeof unrolling.bytes * TRI_WORD,
                                .ptr_bytes = sizeof unrolling.bytes * TRI_WORD,
                                .gc_data = unrolling.bytes,
                                .flags = TRI_TYPE_BYTE_MASK,
                                .cache = &unrolling.cache};
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < LONG_WORDS; i++)
            unrolling.bytes[i] = random_next(&random) & 1;
        unroll_at_once();
        for (int i = 0; i < UNROLLERS; i++)
            ck_assert_ptr_eq(unrolling.mask[i], unrolling.cache);
        for (size_t i = 0; i < LONG_WORDS; i++)
            ck_assert((unrolling.mask[0][i / 64] >> i % 64 & 1) == unrolling.bytes[i]);
        free(unrolling.cache);
        unrolling.cache = NULL;
    }
}
END_TEST

START_TEST(masks_of_shapes)
{
    ck_assert_ptr_eq(tri__type_mask(&tri_type_bytes), NULL);
    ck_assert_ptr_eq(tri__type_mask(&tri_type_vector), NULL);
    ck_assert_ptr_eq(tri__type_mask(&tri_type_tree), tri_type_tree.gc_data);
    for (size_t i = 0; i < SHAPES; i++) {
        const tri_type *type = shapes[i].type;
        ck_assert_int_eq(tri__type_prepare(type), 0);
        for (size_t w = 0; w < type->ptr_bytes / TRI_WORD; w++)
            ck_assert((tri__type_mask(type)[w / 64] >> w % 64 & 1) == tri__layout_oracle(type, w));
        ck_assert_uint_eq(tri__type_mask_word(type, type->ptr_bytes / 512 + 1), 0);
    }
}
END_TEST

/* The mask cannot be allocated: that is told, nothing is kept, and the bytes serve. */
START_TEST(no_memory_for_a_mask)
{
    static const uint8_t bytes[64] = {0, 1, 0, 0, 1};
    static void *cache;
    const tri_type type = {.size = (size_t)1 << 62,
                           .ptr_bytes = (size_t)1 << 62,
                           .gc_data = bytes,
                           .flags = TRI_TYPE_BYTE_MASK,
                           .cache = &cache};

    ck_assert_int_eq(tri__type_prepare(&type), -ENOMEM);
    ck_assert_ptr_eq(tri__type_mask(&type), NULL);
    ck_assert_ptr_eq(cache, NULL);
    ck_assert_uint_eq(tri__type_mask_word(&type, 0), 1 << 1 | 1 << 4);
}
END_TEST

/* --------------------------------------------------------------------------- bad descriptors */

static const uint64_t some_mask[2] = {1, 1};
static void *some_cache;
static const tri_type bad_tail = {.size = 12, .ptr_bytes = 8, .gc_data = some_mask};

static const struct {
    tri_type type;
    const char *message;
} bad[] = {
    {{.size = 12, .ptr_bytes = 8, .gc_data = some_mask}, "size is not a multiple"},
    {{.size = 8, .ptr_bytes = 16, .gc_data = some_mask}, "ptr_bytes is larger than size"},
    {{.size = 16, .ptr_bytes = 12, .gc_data = some_mask}, "ptr_bytes is not a multiple"},
    {{.size = 16, .ptr_bytes = 8}, "no gc_data"},
    {{.size = 16, .ptr_bytes = 8, .gc_data = (const char *)some_mask + 1}, "not aligned"},
    {{.size = 16, .ptr_bytes = 8, .gc_data = some_mask, .flags = 1u << 31}, "mean nothing"},
    {{.size = 16, .ptr_bytes = 8, .gc_data = some_mask, .flags = TRI_TYPE_LEAF}, "it is leaf"},
    {{.size = 16, .ptr_bytes = 8, .gc_data = some_mask, .flags = TRI_TYPE_BYTE_MASK}, "no cache"},
    {{.size = 16, .flags = TRI_TYPE_FLEX}, "has no tail"},
    {{.size = 16, .tail = &tri_type_ptr}, "is not flexible"},
    {{.size = 12, .flags = TRI_TYPE_FLEX, .tail = &tri_type_ptr}, "size is not a multiple"},
    {{.size = 16, .flags = TRI_TYPE_FLEX | TRI_TYPE_LEAF, .tail = &tri_type_ptr}, "it is leaf"},
    {{.size = 16, .flags = TRI_TYPE_FLEX, .tail = &tri_type_vector}, "tail is flexible itself"},
    {{.size = 16, .flags = TRI_TYPE_FLEX, .tail = &bad_tail}, "tail is malformed"},
};

START_TEST(bad_descriptors_are_told)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *message = tri__type_check(&bad[i].type);
        ck_assert_msg(message != NULL && strstr(message, bad[i].message) != NULL,
                      "\"%s\" instead of \"%s\"", message ? message : "nothing", bad[i].message);
    }
}
END_TEST

START_TEST(good_descriptors_are_not)
{
    const tri_type odd_leaf = {.size = 13, .flags = TRI_TYPE_LEAF};
    const tri_type empty = {.size = 0, .flags = TRI_TYPE_LEAF};
    const tri_type no_flag = {.size = 13};
    const tri_type odd_tail = {.size = 8,
                               .ptr_bytes = 8,
                               .gc_data = some_mask,
                               .flags = TRI_TYPE_FLEX | TRI_TYPE_BYTE_MASK,
                               .cache = &some_cache,
                               .tail = &odd_leaf};

    for (size_t i = 0; i < SHAPES; i++)
        ck_assert_ptr_eq(tri__type_check(shapes[i].type), NULL);
    ck_assert_ptr_eq(tri__type_check(&tri_type_ptr), NULL);
    ck_assert_ptr_eq(tri__type_check(&tri_type_bytes), NULL);
    ck_assert_ptr_eq(tri__type_check(&tri_type_conservative), NULL);
    ck_assert_ptr_eq(tri__type_check(&odd_leaf), NULL);
    ck_assert_ptr_eq(tri__type_check(&empty), NULL);
    ck_assert_ptr_eq(tri__type_check(&no_flag), NULL);
    ck_assert_ptr_eq(tri__type_check(&odd_tail), NULL);
    ck_assert_int_eq(tri__type_prepare(&odd_leaf), 0);
}
END_TEST

/* Values that are right in one place and wrong in another. */
static tri_type random_part(struct random *random, const tri_type *tail)
{
    static const size_t sizes[] = {0, 1, 8, 12, 16, 24};
    static const uint32_t flags[] = {0, TRI_TYPE_LEAF, TRI_TYPE_FLEX, TRI_TYPE_BYTE_MASK,
                                     TRI_TYPE_CONSERVATIVE, 1u << 31};

    return (tri_type){
        .size = sizes[random_below(random, 6)],
        .ptr_bytes = sizes[random_below(random, 6)],
        .gc_data = random_below(random, 4) ? (const char *)some_mask + random_below(random, 2) * 4
                                           : NULL,
        .flags = random_below(random, 2) ? flags[random_below(random, 3)]
                                         : flags[random_below(random, 6)],
        .tail = random_below(random, 2) ? tail : NULL,
    };
}

/* The short way round the check lets nothing through that the check refuses, and is taken. */
START_TEST(plain_descriptors_are_good_ones)
{
    struct random random = random_of(seed, 7);
    unsigned plain[2] = {0, 0};

    for (int i = 0; i < 1000000; i++) {
        tri_type last = random_part(&random, &tri_type_ptr), tail = random_part(&random, &last);
        tri_type type = random_part(&random, &tail);

        if (!tri__type_is_plain(&type))
            continue;
        ck_assert_ptr_eq(tri__type_check(&type), NULL);
        ck_assert(type.ptr_bytes == 0 || tri__type_mask(&type) != NULL);
        plain[type.tail != NULL]++;
    }
    ck_assert_uint_gt(plain[0], 100);
    ck_assert_uint_gt(plain[1], 100); /* some 570 are to be expected, give or take 24 */
    ck_assert(tri__type_is_plain(&tri_type_vector)); /* flexible */
}
END_TEST

static void prepare_a_bad_one(void)
{
    static const tri_type type = {
        .size = 8, .ptr_bytes = 16, .gc_data = some_mask, .name = "teapot"};
    tri__type_prepare(&type);
}

START_TEST(a_bad_descriptor_is_fatal)
{
    struct captured captured = capture_child(prepare_a_bad_one);

    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_ne(strstr(captured.text, "'teapot' is malformed: ptr_bytes is larger"), NULL);
}
END_TEST

int main(int argc, char **argv)
{
    seed = random_start(argc, argv);
    Suite *suite = suite_create("type");
    TCase *tcase = tcase_create("type");
    tcase_add_test(tcase, one_mask_for_all_threads);
    tcase_add_test(tcase, masks_of_shapes);
    tcase_add_test(tcase, no_memory_for_a_mask);
    tcase_add_test(tcase, bad_descriptors_are_told);
    tcase_add_test(tcase, good_descriptors_are_not);
    tcase_add_test(tcase, plain_descriptors_are_good_ones);
    tcase_add_test(tcase, a_bad_descriptor_is_fatal);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
