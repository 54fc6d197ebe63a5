/* SPDX-License-Identifier: MIT */
/* TRICOLOR_VERIFY=layout beyond objects of a struct: members forgotten in values of arenas and in
 * memory of tri_root_add, words behind the last element that was asked for; and arenas and roots
 * that come and go beside the walk. See: docs/verify-layout.md. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "verified.h"

#include "base/atomic.h"

/* ---- forgotten members ---- */

typedef struct record {
    link_t *first;
    link_t *forgotten;
    long number;
} record;
TRI_TYPE(record, first);

typedef struct plain {
    long number;
    link_t *forgotten;
} plain;
TRI_LEAF_TYPE(plain);

typedef struct row {
    long columns;
    link_t *cells[];
} row;
TRI_FLEX_TYPE(row, cells);

/* 40 bytes, in slots of 48. */
typedef struct head {
    long numbers[5];
    link_t *cells[];
} head;
TRI_FLEX_TYPE(head, cells);

typedef struct five {
    link_t *first;
    long numbers[4];
} five;
TRI_TYPE(five, first);

TRI_ROOT static row *short_one;
TRI_ROOT static head *none;
TRI_ROOT static five *single;
static record registered[3];
static plain registered_plain;

static void end_well(void)
{
    tri_collect();
    tri_collect();
    tri_shutdown();
    _exit(0);
}

static void forget_in_arena(void)
{
    tri_arena *arena = tri_arena_new();
    record *values;

    for (int i = 0; i < 5; i++)
        ((record *)tri_arena_alloc(arena, &tri_type_record))->forgotten = tri_new(link_t);
    values = tri_arena_alloc_array(arena, &tri_type_record, 100);
    values[99].forgotten = tri_new(link_t);
    end_well();
}

static void forget_in_arena_leaf(void)
{
    ((plain *)tri_arena_alloc(tri_arena_new(), &tri_type_plain))->forgotten = tri_new(link_t);
    end_well();
}

static void forget_in_root(void)
{
    if (tri_root_add(registered, &tri_type_record, 3) != 0)
        abort();
    registered[2].forgotten = tri_new(link_t);
    end_well();
}

static void forget_in_leaf_root(void)
{
    if (tri_root_add(&registered_plain, &tri_type_plain, 1) != 0)
        abort();
    registered_plain.forgotten = tri_new(link_t);
    end_well();
}

/* ---- behind the end ---- */

/* Eight bytes less than five cells need, in a slot that has them. */
static row *short_row(void)
{
    tri_store(&short_one, tri_new_flex(row, 4));
    return short_one;
}

static void init_past_end(void)
{
    tri_init_store(&short_row()->cells[4], tri_new(link_t));
    end_well();
}

static void copy_past_end(void)
{
    row *fresh = short_row();
    link_t *cells[5];

    for (int i = 0; i < 5; i++)
        cells[i] = tri_new(link_t);
    tri_memcpy(fresh->cells, cells, sizeof cells);
    end_well();
}

static void assign_past_end(void)
{
    short_row()->cells[4] = tri_new(link_t);
    end_well();
}

static void assign_to_none(void)
{
    tri_store(&none, tri_new_flex(head, 0));
    none->cells[0] = tri_new(link_t);
    end_well();
}

static void assign_past_single(void)
{
    link_t **behind;

    tri_store(&single, tri_new(five));
    behind = (link_t **)(void *)(single + 1);
    *behind = tri_new(link_t);
    end_well();
}

static const struct wrong {
    void (*program)(void);
    const char *report;
} wrongs[] = {
    {forget_in_arena, "the word at offset 8 of \"record\" is declared as no pointer, and holds the "
                      "address of an object in 6 values in arenas, "},
    {forget_in_arena_leaf, "the word at offset 8 of \"plain\" is declared as no pointer, and holds "
                           "the address of an object in 1 values in arenas, "},
    {forget_in_root, "the word at offset 8 of \"record\" is declared as no pointer, and holds the "
                     "address of an object in 1 elements of roots, "},
    {forget_in_leaf_root, "the word at offset 8 of \"plain\" is declared as no pointer, and holds "
                          "the address of an object in 1 elements of roots, "},
    {init_past_end,
     "1 word past the end of \"row\" holds the address of an object: offset 40 of the "
     "one at 0x"},
    {copy_past_end, ", which was allocated for 4 elements, 40 bytes, holds 0x"},
    {assign_past_end, ", which was allocated for 4 elements, 40 bytes, holds 0x"},
    {assign_to_none, ", which was allocated for 0 elements, 40 bytes, holds 0x"},
    {assign_past_single, ", which was allocated for 1 element, 40 bytes, holds 0x"},
};
enum { WRONGS = sizeof wrongs / sizeof wrongs[0] };

static const struct wrong *wrong;

static void run_wrong(void)
{
    start_verified("layout");
    wrong->program();
}

/* Once, in two cycles. */
START_TEST(wrong_programs_are_told)
{
    struct captured captured;
    const char *page = "docs/verify-layout.md", *end;

    wrong = &wrongs[_i];
    captured = capture_child(run_wrong);
    end = strstr(captured.text, page);
    ck_assert_msg(captured_exited(&captured, 0), "%s", captured.text);
    ck_assert_msg(strstr(captured.text, wrong->report) != NULL, "%s", captured.text);
    ck_assert_msg(end != NULL && strstr(end + 1, page) == NULL, "%s", captured.text);
}
END_TEST

/* ---- correct programs ---- */

static uint32_t stop; /* atomic */

/* A value's number may lead to another one of the arena: that keeps nothing alive. */
static void fill(tri_arena *arena)
{
    record *last = NULL;

    for (int i = 0; i < 300; i++) {
        record *fresh = tri_arena_alloc(arena, &tri_type_record);

        tri_store(&fresh->first, tri_new(link_t));
        fresh->forgotten = (link_t *)(void *)last;
        fresh->number = i;
        last = fresh;
        tri_arena_alloc_array(arena, &tri_type_bytes, 13);
    }
}

static void *come_and_go(void *unused)
{
    while (tri__load_relaxed(&stop) == 0) {
        tri_arena *arena = tri_arena_new();
        record *range = calloc(10, sizeof *range);

        fill(arena);
        if (range == NULL || tri_root_add(range, &tri_type_record, 10) != 0)
            abort();
        tri_store(&range[5].first, tri_new(link_t));
        range[5].number = 5;
        tri_arena_free(arena);
        if (tri_root_remove(range) != 0)
            abort();
        free(range);
    }
    return unused;
}

static void run_correct(void)
{
    run_beside_cycles("layout,clobber", come_and_go, &stop, 30);
}

START_TEST(correct_programs_pass_in_silence)
{
    expect_silence(run_correct);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verify layout");
    TCase *tests = tcase_create("verify layout");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, wrong_programs_are_told, 0, WRONGS);
    tcase_add_test(tests, correct_programs_pass_in_silence);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
