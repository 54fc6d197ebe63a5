/* SPDX-License-Identifier: MIT */
/* Ranges that break a rule of tricolor/barrier.h: each ends the program, in each phase in which it
 * is looked at, with a message that says what and where. */
#include <check.h>
#include <stdio.h>

#include "bulk_subjects.h"
#include "capture.h"
#include "heap/resolve.h"
#include "suite.h"

/* An object whose layout is a bitmap, and one that has a type. */
static char *object, *footed;

static void misaligned_dst(void)
{
    tri_memcpy(object + 4, source, 16);
}

static void misaligned_dst_typed(void)
{
    tri_memcpy(footed + 4, source, 16);
}

static void misaligned_src(void)
{
    tri_memcpy(object, (char *)source + 1, 16);
}

static void odd_size(void)
{
    tri_memclr(object, 12);
}

static void misaligned_in_a_root(void)
{
    tri_memcpy((char *)registered + 4, source, 16);
}

static void misaligned_elements(void)
{
    tri_copy_array(object + 4, source, &tri_type_part, 1);
}

static void misaligned_barrier(void)
{
    tri_bulk_barrier_pre_write(object + 1, source, 16);
}

static void misaligned_barrier_in_a_root(void)
{
    tri_bulk_barrier_pre_write((char *)registered + 12, NULL, 8);
}

static void misaligned_elements_in_a_root(void)
{
    tri_copy_array((char *)registered + 4, source, &tri_type_part, 1);
}

static void misaligned_barrier_src_only(void)
{
    tri_bulk_barrier_pre_write_src_only(object, (char *)source + 4, 16);
}

static void over_the_end(void)
{
    tri_memclr(object, tri_object_size(object) + 8);
}

static void over_the_end_typed(void)
{
    tri_memclr(subjects[LARGE].base, tri_object_size(subjects[LARGE].base) + 8);
}

static void over_the_end_from_inside(void)
{
    tri_memcpy(object + 32, source, tri_object_size(object) - 24);
}

static void over_the_end_of_leaf_bytes(void)
{
    char *leaf = (char *)subjects[LEAF].base;

    tri_memcpy(leaf + 5, source, tri_object_size(leaf) - 4);
}

static void over_the_end_of_a_hot_type(void)
{
    char *hot = (char *)subjects[TYPED].base;

    tri_memclr(hot, tri_object_size(hot) + 8);
}

static void misaligned_in_a_hot_type(void)
{
    tri_memcpy((char *)subjects[TYPED].base + 4, source, 16);
}

static void into_the_footer(void)
{
    tri_memclr(footed, tri_object_size(footed) + 8);
}

static void from_the_footer(void)
{
    tri_memclr(footed + tri_object_size(footed), 8);
}

static void over_the_end_of_a_root(void)
{
    tri_memclr(&registered[10], 11 * sizeof(part));
}

static void into_a_root(void)
{
    volatile uintptr_t root = (uintptr_t)registered; /* compilers know that nothing is there */

    tri_memclr((void *)(root - 8), 16);
}

static void over_the_end_of_variables(void)
{
    char *last = (char *)(variables + sizeof variables / sizeof variables[0] - 1);

    tri_memclr(last, 1 << 20);
}

static void wild(void)
{
    tri_memclr((void *)(tri__heap.base + tri__heap.bytes - 64), 8);
}

static void over_the_end_of_the_heap(void)
{
    tri_memclr((void *)(tri__heap.base + tri__heap.bytes - 64), 128);
}

static void into_the_heap(void)
{
    tri_memclr((void *)(tri__heap.base - 64), 128);
}

static void free_slot(void)
{
    struct tri__ref ref;

    ck_assert(tri__resolve((uintptr_t)object, &ref));
    *ref.colour = TRI__FREE;
    tri_memclr(object, 8);
}

static void over_the_end_in_an_arena(void)
{
    tri_memclr(subjects[ARENA].base, subjects[ARENA].words * TRI_WORD + 8);
}

static void freed_arena(void)
{
    char *value = (char *)subjects[ARENA].base;

    tri_arena_free(arena);
    tri_memclr(value, 8);
}

static void null_dst(void)
{
    tri_memclr(NULL, 8);
}

static void null_dst_of_elements(void)
{
    tri_copy_array(NULL, source, &tri_type_part, 1);
}

static void null_src(void)
{
    tri_memmove(object, NULL, 8);
}

static void null_src_of_elements(void)
{
    tri_copy_array(object, NULL, &tri_type_part, 1);
}

static void negative_size(void)
{
    tri_memclr(object, (size_t)0 - 8);
}

static void negative_size_of_src(void)
{
    tri_memmove((void *)8, (void *)(UINTPTR_MAX - 7), 64);
}

static void negative_number(void)
{
    tri_copy_array(object, source, &tri_type_part, (size_t)-1);
}

static void flexible_elements(void)
{
    tri_copy_array(subjects[4].base, source, &tri_type_list, 1);
}

/* Nobody but debug builds notices these. */

static void elements_of_another_type(void)
{
    tri_copy_array(footed, source, &tri_type_ptr, 7);
}

static void elements_of_another_type_in_a_root(void)
{
    tri_copy_array(registered, source, &tri_type_ptr, 7);
}

static void elements_over_the_end(void)
{
    tri_copy_array(object, source, &tri_type_part, tri_object_size(object) / sizeof(part) + 1);
}

static void src_over_the_end(void)
{
    tri_memcpy(subjects[LARGE].base, footed + 16, tri_object_size(footed) - 8);
}

static void src_free(void)
{
    tri_memcpy(object, (void *)(tri__heap.base + tri__heap.bytes - 64), 8);
}

static void src_only_on_old_values(void)
{
    number_words(&subjects[FOOTER], 1);
    tri_bulk_barrier_pre_write_src_only(footed, source, sizeof(part));
}

#define WORDS "a range that is not made of whole words"
#define WORDS_OF_ROOT "bytes, in the root at"
#define LEAVES "a range that leaves its object"
#define LEAVES_ROOT "a range that leaves its root"
#define NO_OBJECT "heap memory that is no object"
#define PAST_MEMORY "past the end of memory"
#define NOT_LAID_OUT "memory that is not laid out for its elements"

enum when { MARKING, ALWAYS, DEBUG }; /* outside of debug builds: while marking, always, never */

static const struct {
    void (*act)(void);
    const char *call, *message, *type;
    enum when when;
} rules[] = {
    {misaligned_dst, "tri_memcpy", WORDS, "type not recorded", MARKING},
    {misaligned_dst_typed, "tri_memcpy", WORDS, "type part", MARKING},
    {misaligned_src, "tri_memcpy", WORDS, "type not recorded", MARKING},
    {odd_size, "tri_memclr", WORDS, "type not recorded", MARKING},
    {misaligned_in_a_root, "tri_memcpy", WORDS_OF_ROOT, "type part", MARKING},
    {misaligned_elements, "tri_copy_array", WORDS, "type not recorded", MARKING},
    {misaligned_barrier, "tri_bulk_barrier_pre_write", WORDS, "type not recorded", ALWAYS},
    {misaligned_barrier_in_a_root, "tri_bulk_barrier_pre_write", WORDS_OF_ROOT, "type part", ALWAYS},
    {misaligned_elements_in_a_root, "tri_copy_array", WORDS_OF_ROOT, "type part", MARKING},
    {misaligned_barrier_src_only, "tri_bulk_barrier_pre_write_src_only", WORDS, "type not recorded",
     ALWAYS},
    {over_the_end, "tri_memclr", LEAVES, "type not recorded", MARKING},
    {over_the_end_typed, "tri_memclr", LEAVES, "type part", MARKING},
    {over_the_end_from_inside, "tri_memcpy", LEAVES, "type not recorded", MARKING},
    {over_the_end_of_leaf_bytes, "tri_memcpy", LEAVES, "type bytes", MARKING},
    {over_the_end_of_a_hot_type, "tri_memclr", LEAVES, "type hot_part", MARKING},
    {misaligned_in_a_hot_type, "tri_memcpy", WORDS, "type hot_part", MARKING},
    {into_the_footer, "tri_memclr", LEAVES, "type part", MARKING},
    {from_the_footer, "tri_memclr", LEAVES, "type part", MARKING},
    {over_the_end_of_a_root, "tri_memclr", LEAVES_ROOT, "type part", MARKING},
    {into_a_root, "tri_memclr", LEAVES_ROOT, "type part", MARKING},
    {over_the_end_of_variables, "tri_memclr", LEAVES_ROOT, "type conservative word", MARKING},
    {wild, "tri_memclr", NO_OBJECT, "", MARKING},
    {over_the_end_of_the_heap, "tri_memclr", NO_OBJECT, "", MARKING},
    {into_the_heap, "tri_memclr", "begins outside of the heap", "", MARKING},
    {free_slot, "tri_memclr", NO_OBJECT, "", MARKING},
    {over_the_end_in_an_arena, "tri_memclr", LEAVES, "type part", MARKING},
    {freed_arena, "tri_memclr", NO_OBJECT, "", MARKING},
    {null_dst, "tri_memclr", "dst is NULL", "", MARKING},
    {null_dst_of_elements, "tri_copy_array", "dst is NULL", "", MARKING},
    {null_src, "tri_memmove", "src is NULL", "", MARKING},
    {null_src_of_elements, "tri_copy_array", "src is NULL", "", MARKING},
    {negative_size, "tri_memclr", PAST_MEMORY, "", MARKING},
    {negative_size_of_src, "tri_memmove", PAST_MEMORY, "", MARKING},
    {negative_number, "tri_copy_array", "more than there is memory", "", ALWAYS},
    {flexible_elements, "tri_copy_array", "list is flexible", "", ALWAYS},
    {elements_of_another_type, "tri_copy_array", NOT_LAID_OUT, "", DEBUG},
    {elements_of_another_type_in_a_root, "tri_copy_array", NOT_LAID_OUT, "", DEBUG},
    {elements_over_the_end, "tri_copy_array", LEAVES, "type not recorded", DEBUG},
    {src_over_the_end, "tri_memcpy", LEAVES, "type part", DEBUG},
    {src_free, "tri_memcpy", NO_OBJECT, "", DEBUG},
    {src_only_on_old_values, "tri_bulk_barrier_pre_write_src_only", "is not zero", "", DEBUG},
};
#define RULES ((int)(sizeof rules / sizeof rules[0]))

static int chosen;
static enum tri__barrier_state state;

static void break_rule(void)
{
    start_in(state);
    object = (char *)subjects[BITMAP].base;
    footed = (char *)subjects[FOOTER].base;
    rules[chosen].act();
}

static bool is_looked_at(int rule)
{
    if (IS_DEBUG_BUILD || rules[rule].when == ALWAYS)
        return true;
    return rules[rule].when == MARKING && state != TRI__BARRIER_IDLE;
}

static void check_rule(void)
{
    struct captured captured = capture_child(break_rule);
    char call[64];

    snprintf(call, sizeof call, "tricolor: %s: ", rules[chosen].call);
    ck_assert_msg(captured_aborted(&captured), "rule %d, state %d: %s", chosen, (int)state,
                  captured.text);
    ck_assert_msg(strncmp(captured.text, call, strlen(call)) == 0 &&
                      strstr(captured.text, rules[chosen].message) != NULL &&
                      strstr(captured.text, rules[chosen].type) != NULL,
                  "rule %d, state %d: %s", chosen, (int)state, captured.text);
}

START_TEST(broken_rules_are_fatal)
{
    chosen = _i;
    for (unsigned i = TRI__BARRIER_IDLE; i <= TRI__BARRIER_SCANNED; i++) {
        state = (enum tri__barrier_state)i;
        if (is_looked_at(chosen))
            check_rule();
    }
}
END_TEST

/* The message has the numbers that one needs. */
static void leave_the_large_one(void)
{
    const struct subject *s = &subjects[LARGE];

    start_in(TRI__BARRIER_SCANNED);
    fprintf(stderr, "%zu bytes at %p, but the object at %p (%zu bytes, type part)",
            tri_object_size(s->base), (void *)(s->base + 5), (void *)s->base,
            tri_object_size(s->base));
    fputc('\n', stderr);
    tri_memclr(s->base + 5, tri_object_size(s->base));
}

START_TEST(messages_have_address_base_size_and_type)
{
    struct captured captured = capture_child(leave_the_large_one);
    char *message = strchr(captured.text, '\n');

    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(message);
    *message++ = '\0';
    ck_assert_msg(strstr(message, captured.text) != NULL, "%s", message);
}
END_TEST

/* Foreign memory right before and behind a root is nobody's business. */
START_TEST(neighbours_of_roots)
{
    static uintptr_t memory[30];
    start_in(TRI__BARRIER_SCANNED);
    ck_assert_int_eq(tri_root_add(&memory[10], &tri_type_ptr, 10), 0);
    memset(memory, 1, sizeof memory);
    forget_shaded();
    tri_memclr(&memory[0], 10 * TRI_WORD);
    tri_memclr(&memory[20], 10 * TRI_WORD);
    ck_assert_uint_eq(take_shaded()->count, 0);
    tri_memclr(&memory[10], 10 * TRI_WORD);
    ck_assert_uint_eq(take_shaded()->count, 10);
    ck_assert(is_zero(memory, sizeof memory));
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("bulk_rules");
    TCase *broken = tcase_create("broken"), *kept = tcase_create("kept");
    test_seed = random_start(argc, argv);

    tcase_add_loop_test(broken, broken_rules_are_fatal, 0, RULES);
    tcase_add_test(broken, messages_have_address_base_size_and_type);
    tcase_set_timeout(broken, 20);
    suite_add_tcase(suite, broken);
    tcase_add_test(kept, neighbours_of_roots);
    suite_add_tcase(suite, kept);
    return run_suite(suite);
}
