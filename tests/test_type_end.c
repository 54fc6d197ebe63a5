/* SPDX-License-Identifier: MIT */
/* The end of types that were made at run time: what keeps a retired type, that nothing else does,
 * and what may not be done with one. Hot types: tests/test_type_retire.c. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "capture.h"
#include "collected.h"
#include "hot.h"
#include "layout/type_build.h"
#include "suite.h"
#include "threads.h"
#include "type_fields.h"
#include "type_shapes.h"

static tri_type *build(const tri_type_desc *desc)
{
    tri_type *type = malloc(sizeof *type);

    ck_assert_ptr_nonnull(type);
    ck_assert_int_eq(tri_type_build(type, desc), 0);
    return type;
}

/* Of one type as all kinds of objects, and as a root, arena value and tail. */
static const tri_type_desc part_desc = {.name = "part", .size = 40, FIELDS({.count = 2})};

static void *in_footer(const tri_type *type)
{
    return tri_alloc_array(type, 100);
}

static void *in_large(const tri_type *type)
{
    return tri_alloc_array(type, 2000);
}

static void *in_tail(const tri_type *type)
{
    static tri_type flexible; /* written by hand, so that nothing but its objects keeps the tail */

    flexible = (tri_type){.size = 8, .flags = TRI_TYPE_FLEX, .tail = type};
    return tri_alloc_flex(&flexible, 100);
}

static __attribute__((noinline)) tri_handle *keep(void *(*make)(const tri_type *),
                                                  const tri_type *type)
{
    void *object = make(type);

    ck_assert_ptr_nonnull(object);
    return tri_handle_new(object);
}

static void *(*const kinds[])(const tri_type *) = {in_footer, in_large, in_tail};

START_TEST(an_object_keeps_its_type)
{
    start_quiet();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        tri_type *type = build(&part_desc);
        tri_handle *handle = keep(kinds[i], type);

        ck_assert_int_eq(tri_type_retire(type), 0);
        ck_assert_int_eq(tri_type_retire(type), -EALREADY);
        ck_assert_msg(!is_gone_soon(type), "kind %zu", i);
        tri_handle_free(handle);
        ck_assert_msg(is_gone_soon(type), "kind %zu", i);
        ck_assert_int_eq(tri_type_retire(type), -EALREADY);
        free(type);
    }
    tri_shutdown();
}
END_TEST

START_TEST(a_root_keeps_its_type)
{
    static const tri_type_desc leaf_desc = {.size = 64};
    static const tri_type_desc *const descs[] = {&part_desc, &leaf_desc};
    static uintptr_t memory[100];

    start_quiet();
    for (int i = 0; i < 2; i++) {
        tri_type *type = build(descs[i]);

        ck_assert_int_eq(tri_root_add(memory, type, 8), 0);
        ck_assert_int_eq(tri_type_retire(type), 0);
        ck_assert(!is_gone_soon(type));
        ck_assert_int_eq(tri_root_remove(memory), 0);
        ck_assert(is_gone_soon(type));
        free(type);
    }
    tri_shutdown();
}
END_TEST

START_TEST(an_arena_keeps_its_types)
{
    tri_type *type;
    tri_arena *arena;

    start_quiet();
    type = build(&part_desc);
    arena = tri_arena_new();
    ck_assert_ptr_nonnull(tri_arena_alloc(arena, type));
    ck_assert_int_eq(tri_type_retire(type), 0);
    ck_assert(!is_gone_soon(type));
    tri_arena_free(arena);
    ck_assert(is_gone_soon(type));
    free(type);
    tri_shutdown();
}
END_TEST

/* A type whose tail it is keeps a type, with objects or without. */
START_TEST(a_type_keeps_its_tail)
{
    tri_type *tail, *type;

    start_quiet();
    tail = build(&part_desc);
    type = build(&(tri_type_desc){.size = 8, .tail = tail});
    ck_assert_int_eq(tri_type_retire(tail), 0);
    ck_assert(!is_gone_soon(tail));
    ck_assert_int_eq(tri_type_retire(type), 0);
    ck_assert(is_gone_soon(type));
    ck_assert(is_gone_soon(tail));
    free(tail);
    free(type);
    tri_shutdown();
}
END_TEST

/* Small objects carry their layout themselves. What a thread's run is laid out for is forgotten
 * with the cycle, so that another type at the same address finds nothing of the first. */
START_TEST(an_address_is_used_again)
{
    tri_type *type = malloc(sizeof *type);
    uint8_t mask[8];

    start_quiet();
    for (int round = 0; round < 3; round++) {
        const tri_type_desc desc = {.size = 48, FIELDS({.offset = 8 * (size_t)round, .count = 1})};
        void *object;

        ck_assert_int_eq(tri_type_build(type, &desc), 0);
        object = tri_alloc(type);
        ck_assert_ptr_nonnull(object);
        ck_assert_uint_eq(tri_pointer_mask(object, mask, 8), (size_t)round + 1);
        ck_assert_int_eq(tri_type_retire(type), 0);
        ck_assert(is_gone_soon(type));
    }
    free(type);
    tri_shutdown();
}
END_TEST

START_TEST(retirement_takes_a_whole_cycle)
{
    tri_type *type;

    start_quiet();
    type = build(&part_desc);
    check_end_after_a_whole_cycle(type);
    free(type);
    tri_shutdown();
}
END_TEST

/* A mark that was running when the type was retired may still meet it. */
START_TEST(shutdown_ends_types_that_were_just_met)
{
    tri_type *type;

    start_quiet();
    type = build(&part_desc);
    ck_assert_int_eq(tri_type_retire(type), 0);
    tri__store_relaxed(&tri__built_of(type)->life, (uint8_t)TRI__TYPE_MET);
    tri_shutdown();
    ck_assert(tri_type_retired(type));
    free(type);
}
END_TEST

START_TEST(shutdown_ends_retired_types)
{
    tri_type *tail = build(&part_desc), *type = build(&(tri_type_desc){.size = 8, .tail = tail});

    start_quiet();
    ck_assert_ptr_nonnull(tri_alloc_flex(type, 1000));
    ck_assert_int_eq(tri_type_retire(tail), 0);
    ck_assert_int_eq(tri_type_retire(type), 0);
    tri_shutdown();
    ck_assert(tri_type_retired(type));
    ck_assert(tri_type_retired(tail));
    free(tail);
    free(type);
}
END_TEST

START_TEST(only_built_types_are_retired)
{
    tri_type copy = tri_type_tree;

    ck_assert_int_eq(tri_type_retire(&copy), -EINVAL);
    ck_assert(!tri_type_retired(&copy));
}
END_TEST

START_TEST(retired_types_are_not_built_on)
{
    tri_type *type = build(&part_desc), other;

    start_quiet();
    ck_assert_int_eq(tri_type_retire(type), 0);
    ck_assert_int_eq(tri_type_build(&other, &(tri_type_desc){.size = 8, .tail = type}), -EINVAL);
    ck_assert_int_eq(
        tri_type_build(&other, &(tri_type_desc){.size = 80, FIELDS({.count = 1, .type = type})}),
        -EINVAL);
    tri_shutdown();
    free(type);
}
END_TEST

static void allocate_retired(void)
{
    tri_type *type = build(&part_desc);

    start_quiet();
    tri_alloc(type); /* the run is laid out for it */
    tri_type_retire(type);
    tri_alloc(type);
}

static void root_retired(void)
{
    static void *memory[5];
    tri_type *type = build(&part_desc);

    start_quiet();
    tri_type_retire(type);
    tri_root_add(memory, type, 1);
}

static void fill_arena_with_retired(void)
{
    tri_type *type = build(&part_desc);

    start_quiet();
    tri_type_retire(type);
    tri_arena_alloc(tri_arena_new(), type);
}

START_TEST(using_a_retired_type_is_fatal)
{
    static void (*const uses[])(void) = {allocate_retired, root_retired, fill_arena_with_retired};

    for (size_t i = 0; IS_DEBUG_BUILD && i < sizeof uses / sizeof *uses; i++) {
        struct captured captured = capture_child(uses[i]);

        ck_assert_msg(captured_aborted(&captured), "%zu", i);
        ck_assert_ptr_ne(strstr(captured.text, "'part' is used after tri_type_retire()"), NULL);
    }
}
END_TEST

/* Without the note that it is in use, a type would end under its objects. */
static void forget_types(void)
{
    tri_type *type = build(&part_desc);
    tri_handle *handle;

    if (setenv("TRICOLOR_FAULT", "forget-types", 1) != 0)
        abort();
    start_quiet();
    handle = keep(in_footer, type);
    tri_type_retire(type);
    tri_collect();
    tri_collect();
    if (handle == NULL || !tri_type_retired(type))
        _exit(1);
    _exit(42);
}

START_TEST(the_note_is_needed)
{
    if (IS_DEBUG_BUILD) {
        struct captured captured = capture_child(forget_types);

        ck_assert(captured_exited(&captured, 42) ||
                  strstr(captured.text, "heap-use-after-free") != NULL); /* AddressSanitizer */
    }
}
END_TEST

/* Threads make types and objects of them, drop both, and go on, while cycles run. */
#define MAKERS 4
#define ROUNDS 80
#define AT_ONCE 8

static tri_type made[MAKERS][AT_ONCE];

static __attribute__((noinline)) void make_and_retire(tri_type *type, size_t words)
{
    const tri_type_desc desc = {.size = words * 8, FIELDS({.count = words})};
    void **object;

    ck_assert_int_eq(tri_type_build(type, &desc), 0);
    object = tri_alloc(type);
    ck_assert_ptr_nonnull(object);
    tri_store(&object[words - 1], tri_alloc(type));
    ck_assert_ptr_eq(tri_object_type(object[words - 1]), type);
    ck_assert_int_eq(tri_type_retire(type), 0);
}

static void *make_types(void *mine)
{
    tri_type *types = mine;

    for (size_t round = 0; round < ROUNDS; round++) {
        tri_type *type = &types[round % AT_ONCE];

        if (type->size == 0 || tri_type_retired(type))
            make_and_retire(type, 80 + round);
        clear_stack();
        if (round % AT_ONCE == 0)
            tri_collect();
    }
    return NULL;
}

START_TEST(threads_make_and_retire)
{
    pthread_t threads[MAKERS];

    start_quiet();
    for (int i = 0; i < MAKERS; i++)
        ck_assert_int_eq(tri_thread_create(&threads[i], NULL, make_types, made[i]), 0);
    for (int i = 0; i < MAKERS; i++)
        join(threads[i]);
    tri_shutdown();
    for (int i = 0; i < MAKERS * AT_ONCE; i++)
        ck_assert(tri_type_retired(&made[i / AT_ONCE][i % AT_ONCE]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("type_end");
    TCase *tcase = tcase_create("type_end");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_object_keeps_its_type);
    tcase_add_test(tcase, a_root_keeps_its_type);
    tcase_add_test(tcase, an_arena_keeps_its_types);
    tcase_add_test(tcase, a_type_keeps_its_tail);
    tcase_add_test(tcase, an_address_is_used_again);
    tcase_add_test(tcase, retirement_takes_a_whole_cycle);
    tcase_add_test(tcase, shutdown_ends_retired_types);
    tcase_add_test(tcase, shutdown_ends_types_that_were_just_met);
    tcase_add_test(tcase, only_built_types_are_retired);
    tcase_add_test(tcase, retired_types_are_not_built_on);
    tcase_add_test(tcase, using_a_retired_type_is_fatal);
    tcase_add_test(tcase, the_note_is_needed);
    tcase_add_test(tcase, threads_make_and_retire);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
