/* SPDX-License-Identifier: MIT */
/* The layout oracle at run time: nothing is said of sound layouts, of all kinds; a wrong one is
 * found the moment it is written, and both are shown. Without --enable-debug there is no oracle,
 * and asking for it is refused. */
#include <check.h>
#include <string.h>

#include <tricolor.h>

#include "capture.h"
#include "heap/typed.h"
#include "mutator/mutator.h"
#include "suite.h"
#include "type_shapes.h"

/* A pointer and 999 scalars, 500 times: too large a mask to be kept with the type. And 100 times.
 */
static const uint8_t long_code[] = {
    TRI_GC_LITERAL(2), 0x01, TRI_GC_REPEAT(1), 0xe6, 0x07, 0xd1, 0x0f, 0xf3, 0x03, TRI_GC_END};
static const uint8_t short_code[] = {
    TRI_GC_LITERAL(2), 0x01, TRI_GC_REPEAT(1), 0xe6, 0x07, 0xd1, 0x0f, 0x63, TRI_GC_END};
static const tri_gc_program long_program = {long_code, sizeof long_code};
static const tri_gc_program short_program = {short_code, sizeof short_code};
static void *long_cache, *short_cache;
static const tri_type long_type = {.size = 500000 * 8,
                                   .ptr_bytes = 499001 * 8,
                                   .gc_data = &long_program,
                                   .name = "long program",
                                   .flags = TRI_TYPE_GC_PROGRAM,
                                   .cache = &long_cache};
static const tri_type short_type = {.size = 100000 * 8,
                                    .ptr_bytes = 99001 * 8,
                                    .gc_data = &short_program,
                                    .name = "short program",
                                    .flags = TRI_TYPE_GC_PROGRAM,
                                    .cache = &short_cache};

/* ---- sound layouts ---- */

static void allocate_everything_in(tri_arena *arena, const size_t *counts, size_t n)
{
    for (size_t i = 0; i < SHAPES; i++) {
        const tri_type *type = shapes[i].type;

        tri_arena_alloc(arena, type);
        for (size_t k = 0; k < n; k++)
            if (type->tail != NULL)
                tri_arena_alloc_flex(arena, type, counts[k]);
            else if (type->size * counts[k] < (size_t)1 << 22)
                tri_arena_alloc_array(arena, type, counts[k]);
    }
    for (size_t bytes = 0; bytes < 40000; bytes += 1 + bytes / 10)
        tri_arena_alloc_array(arena, &tri_type_bytes, bytes);
}

static void allocate_everything(void)
{
    static const size_t counts[] = {0, 1, 2, 3, 5, 8, 21, 55, 64, 65, 500, 4000, 5000, 20000};

    tri_init(NULL);
    for (size_t i = 0; i < SHAPES; i++) {
        const tri_type *type = shapes[i].type;

        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
            if (type->tail != NULL)
                tri_alloc_flex(type, counts[k]);
            else if (type->size * counts[k] < (size_t)1 << 24)
                tri_alloc_array(type, counts[k]);
        for (int k = 0; k < 300 && type->tail == NULL; k++)
            tri_alloc(type);
    }
    for (size_t bytes = 0; bytes < 40000; bytes += 1 + bytes / 10) {
        tri_alloc_conservative(bytes);
        tri_alloc_bytes(bytes);
    }
    tri_alloc_array(&short_type, 2);
    tri_alloc_array(&long_type, 2);
    allocate_everything_in(tri_arena_new(), counts, sizeof counts / sizeof *counts);
    tri_collect();
}

START_TEST(sound_layouts)
{
    struct captured captured = capture_child(allocate_everything);

    ck_assert_str_eq(captured.text, "");
    ck_assert(captured_exited(&captured, 0));
}
END_TEST

/* ---- wrong ones ---- */

static void start_wrong(void)
{
    setenv("TRICOLOR_FAULT", "corrupt-layout", 1);
    _exit(tri_init(NULL) == 0 ? 3 : 2);
}

static void allocate_of_a_run(void)
{
    tri_init(NULL);
    tri_new(tree);
}

static void allocate_with_a_bitmap(void)
{
    tri_init(NULL);
    tri_new_array(slice, 5);
}

static void allocate_with_a_footer(void)
{
    tri_init(NULL);
    tri_new_array(slice, 100);
}

static void allocate_large(void)
{
    tri_init(NULL);
    tri_new_array(slice, 10000);
}

static void allocate_pointers(void)
{
    tri_init(NULL);
    tri_new_ptrs(100);
}

static void allocate_in_an_arena(void)
{
    tri_init(NULL);
    tri_arena *arena = tri_arena_new();
    tri_arena_alloc(arena, &tri_type_half);
    tri_arena_alloc_array(arena, &tri_type_slice, 100);
}

static void allocate_with_a_byte_mask(void)
{
    tri_init(NULL);
    tri_new(words_65);
}

static void allocate_with_a_program(void)
{
    tri_init(NULL);
    tri_alloc(&short_type);
}

static void allocate_with_a_long_program(void)
{
    tri_init(NULL);
    tri_alloc(&long_type);
}

/* Too large for a mask in the page's end, but its type is there. */
typedef struct sparse {
    long head;
    void *second;
    long rest[68];
} sparse;
TRI_TYPE(sparse, second);

/* As if this thread had allocated much of it. */
static void make_hot(const tri_type *type)
{
    struct tri__heat_table *heat = &tri__mutator_self()->writer.cache.heat;

    for (int i = 0; i < 10000 && tri__typed_run(type) == 0; i++)
        tri__typed_missed(heat, type);
}

static void allocate_small_typed(void)
{
    tri_init(NULL);
    make_hot(&tri_type_scalar_first);
    tri_new(scalar_first);
}

static void allocate_typed(void)
{
    tri_init(NULL);
    make_hot(&tri_type_sparse);
    tri_new(sparse);
}

static const struct wrong {
    void (*allocate)(void);
    const char *said[4];
} wrong[] = {
    {allocate_of_a_run,
     {"tricolor: a layout is not what its type says. 24 bytes of 'tree'",
      "         0 wanted 11000000 ", "             has 01000000 ", "\n                  ^\n"}},
    {allocate_with_a_bitmap,
     {"tricolor: a layout is not what its type says. 120 bytes of 'slice'", "bitmap object 0x",
      "         0 wanted 10010010 01001000 ", "             has 00010010 01001000 "}},
    {allocate_with_a_footer,
     {"tricolor: a layout is not what its type says. 2400 bytes of 'slice'",
      "  type     'pointer' (size 8, ", "             has 11111111 11111111 ",
      "  the iterator before the difference:\n"}},
    {allocate_large,
     {"tricolor: a layout is not what its type says. 240000 bytes of 'slice'", "large object 0x",
      "             has 11111111 11111111 ", "\n                   ^^ ^^ ^ ^ ^^ "}},
    {allocate_pointers,
     {"tricolor: a layout is not what its type says. 800 bytes of 'pointer'",
      "  type     'bytes' (size 1, no pointers)", "             has 00000000 ",
      " should be a pointer by its type, but the collector would not read it"}},
    {allocate_with_a_byte_mask,
     {"tricolor: a mask is not what its source says. Of 'words_65' (size 520, ",
      "         0 wanted 11111111 ", "             has 01111111 ",
      "word 0 of type 'words_65' has the wrong bit in the mask that was made of its byte mask"}},
    {allocate_with_a_program,
     {"tricolor: a mask is not what its source says. Of 'short program' (size 800000, ",
      "         0 wanted 10000000 ", "             has 00000000 ", "that was made of its program"}},
    {allocate_with_a_long_program,
     {"tricolor: a mask is not what its source says. Of 'long program' (size 4000000, ",
      "         0 wanted 10000000 ", "             has 00000000 ", "that was made of its program"}},
    {allocate_small_typed,
     {"tricolor: a layout is not what its type says. 48 bytes of 'scalar_first'", "typed object 0x",
      "         0 wanted 01010100 ", "             has 00000000 "}},
    {allocate_typed,
     {"tricolor: a layout is not what its type says. 560 bytes of 'sparse'", "typed object 0x",
      "         0 wanted 01000000 ", "             has 10000000 "}},
    {allocate_in_an_arena,
     {"tricolor: a layout is not what its type says. 2400 bytes of 'slice'",
      "bytes of arena 1 (live), in the chunk at 0x", "         0 wanted 10010010 01001001 ",
      "             has 00010010 01001001 "}},
};

START_TEST(wrong_layouts)
{
    const struct wrong *row = &wrong[_i];
    struct captured captured;

    ck_assert_int_eq(setenv("TRICOLOR_FAULT", "corrupt-layout", 1), 0);
    captured = capture_child(row->allocate);
    ck_assert(captured_aborted(&captured));
    for (size_t i = 0; i < 4; i++)
        ck_assert_msg(strstr(captured.text, row->said[i]) != NULL, "\"%s\" is not in\n%s",
                      row->said[i], captured.text);
}
END_TEST

/* The same, with the oracle switched off: nobody notices here. */
START_TEST(the_oracle_is_off)
{
    ck_assert_int_eq(setenv("TRICOLOR_FAULT", "corrupt-layout", 1), 0);
    ck_assert_int_eq(setenv("TRICOLOR_VERIFY", "off", 1), 0);
    struct captured captured = capture_child(wrong[_i].allocate);
    ck_assert_str_eq(captured.text, "");
    ck_assert(captured_exited(&captured, 0));
}
END_TEST

/* ---- a rest that is not zero ---- */

/* Writes past the end of its object, into the slot that comes next: its last word, behind what the
 * second object asks for. */
static void write_past_the_end(void)
{
    tri_init(NULL);
    size_t *p = tri_alloc_array(&tri_type_slice, 30);
    size_t words = tri_object_size(p) / 8 + 1;
    p[words + 92] = 7;
    tri_alloc_array(&tri_type_slice, 30);
}

START_TEST(a_rest_that_is_not_zero)
{
    struct captured captured = capture_child(write_past_the_end);

    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "of a new object should be zero and is 0x7."));
    ck_assert_ptr_nonnull(strstr(captured.text, "footer object 0x"));
    ck_assert_ptr_nonnull(strstr(captured.text, "0x0000000000000007"));
}
END_TEST

/* ---- other builds ---- */

static void ask_for_the_oracle(void)
{
    _exit(tri_init(NULL) == -EINVAL ? 4 : 5);
}

START_TEST(without_debug_it_is_refused)
{
    ck_assert_int_eq(setenv("TRICOLOR_VERIFY", "oracle", 1), 0);
    struct captured captured = capture_child(ask_for_the_oracle);
    ck_assert(captured_exited(&captured, IS_DEBUG_BUILD ? 5 : 4));
    ck_assert(IS_DEBUG_BUILD || strstr(captured.text, "--enable-debug") != NULL);
    ck_assert_int_eq(unsetenv("TRICOLOR_VERIFY"), 0);
    captured = capture_child(start_wrong);
    ck_assert(IS_DEBUG_BUILD ? captured_exited(&captured, 3) : captured_aborted(&captured));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("double_check");
    TCase *tests = tcase_create("double_check");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, sound_layouts);
    tcase_add_test(tests, without_debug_it_is_refused);
    if (IS_DEBUG_BUILD) {
        tcase_add_loop_test(tests, wrong_layouts, 0, sizeof wrong / sizeof *wrong);
        tcase_add_loop_test(tests, the_oracle_is_off, 0, sizeof wrong / sizeof *wrong);
        tcase_add_test(tests, a_rest_that_is_not_zero);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
