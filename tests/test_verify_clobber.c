/* SPDX-License-Identifier: MIT */
/* TRICOLOR_VERIFY=clobber: what has been freed or given up is recognized when it is used, and
 * named. Correct programs: tests/test_verify_clobber_silence.c. See: [inv.verify.freed],
 * [inv.verify.given-up], docs/verify-clobber.md. */
#include <stdlib.h>
#include <string.h>

#include "collected.h"
#include "suite.h"
#include "verified.h"

#include "collector/cycle.h"

/* There in sanitized builds: then freed memory is poisoned, and must not be read. */
void __asan_poison_memory_region(const volatile void *start, size_t bytes) __attribute__((weak));

typedef struct owner {
    link_t *first, *second;
    wide *wide;
} owner;
TRI_TYPE(owner, first, second, wide);

typedef struct row {
    uintptr_t count;
    link_t *links[];
} row;
TRI_FLEX_TYPE(row, links);

TRI_ROOT static owner *root;
TRI_ROOT static link_t *second_root;

/* ---- wrong programs ---- */

/* A word that is left on the stack may keep one of them. */
#define GARBAGE 8

static struct hidden links[GARBAGE], wides[GARBAGE], arrays[GARBAGE], bytes[GARBAGE];
static struct hidden freed, freed_wide, freed_large, freed_bytes, given_up;
static tri_handle *handle;
static tri_arena *arena;
static link_t *in_arena;

static __attribute__((noinline)) void make_garbage(void)
{
    for (int i = 0; i < GARBAGE; i++) {
        links[i] = hide(tri_new(link_t));
        wides[i] = hide(tri_new(wide));
        arrays[i] = hide(tri_new_array(wide, 100));
        bytes[i] = hide(tri_alloc_bytes(100));
    }
}

static struct hidden find_freed(const struct hidden *garbage)
{
    for (int i = 0; i < GARBAGE; i++)
        if (tri_object_base(reveal(garbage[i])) == NULL)
            return garbage[i];
    abort();
}

static __attribute__((noinline)) void find_garbage(void)
{
    freed = find_freed(links);
    freed_wide = find_freed(wides);
    freed_large = find_freed(arrays);
    freed_bytes = find_freed(bytes);
}

/* It still lives when it is given up, and what was freed is not handed out again. */
static __attribute__((noinline)) void give_one_up(void)
{
    link_t *object = second_root;

    given_up = hide(object);
    tri_store(&second_root, NULL);
    tri_free(object);
}

/* Objects of the same kinds live, so that spans stay. */
static void make_world(void)
{
    tri_store(&root, tri_new(owner));
    tri_store(&root->first, tri_new(link_t));
    tri_store(&root->wide, tri_new(wide));
    handle = tri_handle_new(tri_alloc_bytes(100));
    arena = tri_arena_new();
    in_arena = tri_arena_alloc(arena, &tri_type_link_t);
    tri_store(&second_root, tri_new(link_t));
    make_garbage();
    clear_stack();
    tri_collect();
    clear_stack();
    find_garbage();
    give_one_up();
}

static link_t *freed_link(void)
{
    return reveal(freed);
}

static link_t *left_in_it(void)
{
    return freed_link()->next;
}

static void store_into(void)
{
    tri_store(&freed_link()->next, root->first);
}
static void exchange_into(void)
{
    tri_exchange(&freed_link()->next, root->first);
}
static void compare_into(void)
{
    link_t *expected = NULL;

    tri_compare_exchange(&freed_link()->next, &expected, root->first);
}
static void store_into_wide(void)
{
    tri_store(&((wide *)reveal(freed_wide))->link, NULL);
}
static void store_it(void)
{
    tri_store(&root->second, freed_link());
}
static void store_inside(void)
{
    tri_store((void **)&root->second, (void *)((char *)reveal(freed_wide) + 80));
}
static void store_large(void)
{
    tri_store((void **)&root->second, reveal(freed_large));
}
static void store_bytes(void)
{
    tri_store((void **)&root->second, reveal(freed_bytes));
}
static void store_in_handle(void)
{
    tri_handle_set(handle, freed_link());
}
static void exchange_it(void)
{
    tri_exchange(&root->second, freed_link());
}
static void move_it(void)
{
    link_t *pair[2] = {NULL, freed_link()};

    tri_memcpy(&root->first, pair, sizeof pair);
}
static void move_into(void)
{
    tri_memclr(freed_link(), sizeof(link_t));
}
static void store_what_was_left(void)
{
    tri_store(&root->second, left_in_it());
}
static void store_over_what_was_left(void)
{
    *(link_t *volatile *)&root->second = left_in_it();
    tri_store(&root->second, NULL);
}
static void keep_what_was_left(void)
{
    *(link_t *volatile *)&root->first->next = left_in_it();
    tri_collect();
}
static void keep_in_object(void)
{
    *(link_t *volatile *)&root->first->next = freed_link();
    tri_collect();
}
static void keep_in_footer(void)
{
    *(link_t *volatile *)&root->wide->link = freed_link();
    tri_collect();
}
static void keep_in_root(void)
{
    *(link_t *volatile *)&second_root = freed_link();
    tri_collect();
}
static void keep_in_arena(void)
{
    *(link_t *volatile *)&in_arena->next = freed_link();
    tri_collect();
}
/* Nothing is freed, nor given up: but what is stored there is not kept. */
static void store_undeclared(void)
{
    tri_store((void **)&root->first->number, root->first);
}
static void store_undeclared_in_footer(void)
{
    tri_store((void **)&root->wide->numbers[3], root->first);
}
static void exchange_undeclared(void)
{
    tri_exchange((void **)&root->first->number, root->first);
}
static void compare_undeclared(void)
{
    void *expected = NULL;

    tri_compare_exchange((void **)&root->first->number, &expected, root->first);
}
static void store_undeclared_in_arena(void)
{
    tri_store((void **)&in_arena->number, root->first);
}
static void store_undeclared_in_root(void)
{
    static link_t registered[2];

    if (tri_root_add(registered, &tri_type_link_t, 2) != 0)
        abort();
    tri_store(&registered[1].next, root->first);
    tri_store((void **)&registered[1].number, root->first);
}
static void copy_behind_elements(void)
{
    row *short_one = tri_new_flex(row, 4);
    link_t *five[5] = {root->first, root->first, root->first, root->first, root->first};

    tri_memcpy(short_one->links, five, sizeof five);
}
static void store_in_bytes(void)
{
    tri_store((void **)tri_handle_get(handle), root->first);
}
static void store_behind_elements(void)
{
    row *short_one = tri_new_flex(row, 4);

    tri_store(&short_one->links[4], root->first);
}
static void give_up_freed(void)
{
    tri_free(freed_link());
}
static void give_up_twice(void)
{
    tri_free(reveal(given_up));
}
static void give_up_inside(void)
{
    tri_free(&root->first->next);
}
static void give_up_value(void)
{
    tri_free(in_arena);
}
static void give_up_elsewhere(void)
{
    tri_free(&handle);
}
static void store_into_given_up(void)
{
    tri_store(&((link_t *)reveal(given_up))->next, NULL);
}
static void store_given_up(void)
{
    tri_store(&root->second, (link_t *)reveal(given_up));
}
static void clear_given_up(void)
{
    tri_memclr(reveal(given_up), sizeof(link_t));
}
static void give_up_held(void)
{
    tri_store(&root->second, tri_new(link_t));
    tri_store(&root->second->next, tri_new(link_t));
    tri_free(root->second->next);
    tri_collect();
}
static void give_up_root(void)
{
    tri_free(root);
    tri_collect();
}
static void give_up_in_handle(void)
{
    tri_free(tri_handle_get(handle));
    tri_collect();
}
static void give_up_in_arena(void)
{
    tri_store(&in_arena->next, tri_new(link_t));
    tri_free(in_arena->next);
    tri_collect();
}

static const struct wrong {
    void (*use)(void);
    const char *what, *which;
    bool reads; /* freed memory: not where it is poisoned */
} wrongs[] = {
    {store_into, "tri_store(), called from ", "at offset 8 of what was \"link_t\" at 0x", false},
    {exchange_into, "tri_exchange(), called", "at offset 8 of what was \"link_t\" at 0x", false},
    {compare_into, "tri_compare_exchange(), ", "at offset 8 of what was \"link_t\" at 0x", false},
    {store_into_wide, "into an object that was freed", "800 of what was \"wide\" at 0x", false},
    {store_it, "of a pointer to an object that was freed", "what was \"link_t\" at 0x", false},
    {store_inside, "of a pointer to an object that was freed", "what was \"wide\" at 0x", false},
    {store_large, "of a pointer to an object that was freed", "what was \"wide\" at 0x", false},
    {store_bytes, "of a pointer to an object", "\"an object without pointers\" at 0x", false},
    {store_in_handle, "of a pointer to an object", "what was \"link_t\" at 0x", false},
    {exchange_it, "tri_exchange(), called from", "what was \"link_t\" at 0x", false},
    {move_it, "tri_memcpy(), called from", "what was \"link_t\" at 0x", false},
    {move_into, "tri_memclr(), called from", "offset 0 of what was \"link_t\" at 0x", false},
    {store_what_was_left, "of 0xdead", "it was read from what was \"link_t\" at 0x", true},
    {store_over_what_was_left, "over a word at 0x", "from what was \"link_t\" at 0x", true},
    {keep_what_was_left, "the pointer \"next\" at offset 8 of \"link_t\" at 0x", "holds 0xdead",
     true},
    {keep_in_object, "the pointer \"next\" at offset 8 of \"link_t\" at 0x",
     "which is \"first\" at offset 0 of \"owner\"", false},
    {keep_in_footer, "the pointer \"link\" at offset 800 of \"wide\" at 0x", "what was \"link_t\"",
     false},
    {keep_in_root, "the TRI_ROOT word at ", "what was \"link_t\"", false},
    {keep_in_arena, "the pointer \"next\" at offset 8 of \"link_t\" at 0x", "what was \"link_t\"",
     false},
    {store_undeclared, "to where the collector sees none", "offset 0 of \"link_t\" at 0x", false},
    {store_undeclared_in_footer, "where the collector sees none", "offset 24 of \"wide\"", false},
    {exchange_undeclared, "tri_exchange(), called from ", "offset 0 of \"link_t\" at 0x", false},
    {compare_undeclared, "tri_compare_exchange(), ", "offset 0 of \"link_t\" at 0x", false},
    {store_undeclared_in_arena, "where the collector sees none", "offset 0 of \"link_t\" at 0x",
     false},
    {store_undeclared_in_root, "where the collector sees none",
     "offset 16 of the root at 0x", false},
    {copy_behind_elements, "tri_memcpy(), called from ", "offset 40 of \"row\" at 0x", false},
    {store_in_bytes, "where the collector sees none", "\"an object without pointers\"", false},
    {store_behind_elements, "allocate as many elements", "offset 40 of \"row\" at 0x", false},
    {give_up_freed, "tri_free() of 0x", "that was freed already: what was \"link_t\"", false},
    {give_up_twice, "tri_free() of \"link_t\" at 0x", "a second time", false},
    {give_up_inside, "tri_free() of 0x", "8 bytes behind the beginning", false},
    {give_up_value, "tri_free() of 0x", "which lies in an arena", false},
    {give_up_elsewhere, "tri_free() of 0x", "where there is no object of the heap", false},
    {store_into_given_up, "into an object after tri_free(): ", "8 of \"link_t\" at 0x", false},
    {store_given_up, "of a pointer to an object after tri_free(): ", "\"link_t\" at 0x", false},
    {clear_given_up, "tri_memclr(), called", "after tri_free()", false},
    {give_up_held, "called for \"link_t\" at 0x", "which is \"next\" at offset 8 of \"link_t\"",
     false},
    {give_up_root, "called for \"owner\" at 0x", "which is the TRI_ROOT word at ", false},
    {give_up_in_handle, "for \"an object without", "which is the handle at 0x", false},
    {give_up_in_arena, "called for \"link_t\" at 0x", "which is \"next\" at offset 8 of \"link_t\"",
     false},
};
enum { WRONGS = sizeof wrongs / sizeof wrongs[0] };

static const struct wrong *wrong;

static void run_wrong(void)
{
    start_verified("clobber");
    make_world();
    wrong->use();
}

START_TEST(wrong_uses_are_named)
{
    struct captured captured;

    wrong = &wrongs[_i];
    if (wrong->reads && __asan_poison_memory_region != NULL)
        return;
    captured = capture_child(run_wrong);
    ck_assert_msg(captured_aborted(&captured), "%s", captured.text);
    ck_assert_msg(strstr(captured.text, wrong->what) != NULL, "%s", captured.text);
    ck_assert_msg(strstr(captured.text, wrong->which) != NULL, "%s", captured.text);
}
END_TEST

/* What is given up while a mark runs may have been read in a way that was there before: only the
 * next mark is held against it [inv.verify.given-up]. */
static void give_up_in_mark(enum tri__cycle_stage stage)
{
    static bool done;

    if (stage != TRI__STAGE_VERDICT || done)
        return;
    done = true;
    tri_free(root->first->next);
}

static bool unlinks; /* what was given up, before the next mark */

static void run_given_up_in_mark(void)
{
    start_verified("clobber");
    make_world();
    tri_store(&root->first->next, tri_new(link_t));
    tri__cycle_at_stage = give_up_in_mark;
    tri_collect();
    if (unlinks)
        tri_store(&root->first->next, NULL);
    tri_collect();
    _exit(0);
}

START_TEST(a_promise_is_held_against_the_next_mark)
{
    struct captured captured;

    unlinks = _i != 0;
    captured = capture_child(run_given_up_in_mark);
    if (unlinks)
        ck_assert_str_eq(captured.text, "");
    else
        ck_assert_msg(strstr(captured.text, "can still be reached") != NULL, "%s", captured.text);
}
END_TEST

static void run_read(void)
{
    start_verified("clobber");
    make_world();
    _exit(freed_link()->number == 0 ? 1 : 2);
}

START_TEST(reads_are_reported_by_asan)
{
    struct captured captured;

    if (__asan_poison_memory_region == NULL)
        return;
    captured = capture_child(run_read);
    ck_assert_msg(strstr(captured.text, "use-after-poison") != NULL, "%s", captured.text);
}
END_TEST

static void run_unverified(void)
{
    start_verified("off");
    make_world();
    tri_free(reveal(given_up));
    tri_free(NULL);
    tri_free(root);
    tri_store(&root->second, root->first);
    tri_collect();
    tri_arena_free(arena);
    tri_handle_free(handle);
    tri_shutdown();
    _exit(0);
}

START_TEST(nothing_is_kept_in_mind_without_the_mode)
{
    expect_silence(run_unverified);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verify clobber");
    TCase *tests = tcase_create("verify clobber");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, wrong_uses_are_named, 0, WRONGS);
    tcase_add_loop_test(tests, a_promise_is_held_against_the_next_mark, 0, 2);
    tcase_add_test(tests, reads_are_reported_by_asan);
    tcase_add_test(tests, nothing_is_kept_in_mind_without_the_mode);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
