/* SPDX-License-Identifier: MIT */
/* Structs, arrays and slices of every shape, where programs have them: in the heap, in initialized
 * and in zeroed globals that are roots; by masks written by hand. Their types are declared, or
 * built of fields, or of a GC program. (Stacks have no layout here: every word of them is looked
 * at.) */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <tricolor/type_build.h>

#include "collected.h"
#include "heap/object.h"
#include "mutator/roots.h"
#include "suite.h"
#include "type_shapes.h"

#define MOST_WORDS ((size_t)2 << 20)
#define HEAP_ROUNDS 10

typedef long scalar;
TRI_LEAF_TYPE(scalar);

typedef struct hundreds { /* pointers in the first half, as `blocks` has them four times */
    void *pointer[100];
    long number[100];
} hundreds;
TRI_TYPE(hundreds, pointer);

#define BLOCKS_MASK "100*1,100*0,100*1,100*0,100*1,100*0,100*1,100*0"

/* What an array of n is made of. */
static const struct shape elements[] = {
    {&tri_type_scalar, "scalar", sizeof(scalar), "0"},
    {&tri_type_one, "one", sizeof(one), "1"},
    {&tri_type_scalar_first, "scalar_first", sizeof(scalar_first), "010101"},
    {&tri_type_pointer_first, "pointer_first", sizeof(pointer_first), "101010"},
    {&tri_type_mixed, "mixed", sizeof(mixed), "1,000,100,000,10"},
    {&tri_type_text, "text", sizeof(text), "10"},
    {&tri_type_slice, "slice", sizeof(slice), "100"},
    {&tri_type_tagged, "tagged", sizeof(tagged), "01"},
    {&tri_type_hundreds, "hundreds", sizeof(hundreds), "100*1,100*0"},
    {&tri_type_blocks, "blocks", sizeof(blocks), BLOCKS_MASK},
    {&tri_type_ten_thousand, "ten_thousand", sizeof(ten_thousand), "10000*1"},
    {&tri_type_long_mask, "long_mask", sizeof(long_mask), "63*1,0,2*1,61*0,3*1,60*0,1,2*1,5*0"},
    {&tri_type_sixty_four, "sixty_four", sizeof(sixty_four), "64*1"},
    {&tri_type_words_63, "words_63", sizeof(words_63), "63*1"},
    {&tri_type_words_65, "words_65", sizeof(words_65), "65*1"},
    {&tri_type_late_scalar, "late_scalar", sizeof(late_scalar), "1,62*0,1,100*0"},
};
#define ELEMENTS (sizeof elements / sizeof *elements)

/* Of one pointer each they are a large object. */
enum { MANY = IS_SANITIZED ? 5000 : 10000 };
static const size_t counts[] = {0, 1, 2, 4, 10, MANY};
#define COUNTS (sizeof counts / sizeof *counts)

/* ---- masks ---- */

static unsigned char want[MOST_WORDS], seen[MOST_WORDS];

/* The mask of n elements; returns how many words they are. */
static size_t want_elements(const struct shape *shape, size_t n)
{
    size_t words = shape->size / TRI_WORD;

    ck_assert_uint_le(n * words, MOST_WORDS);
    if (n != 0)
        ck_assert_uint_eq(shape_words(shape->mask, want, MOST_WORDS), words);
    for (size_t i = 1; i < n; i++)
        memcpy(want + i * words, want, words);
    return n * words;
}

static void see(struct tri__type_pointers it, uintptr_t base, size_t words)
{
    uintptr_t slot;

    memset(seen, 0, words);
    while ((slot = tri__type_pointers_next(&it)) != 0) {
        if (slot - base >= words * TRI_WORD) /* ck_assert is slow: it writes a file each time */
            ck_abort_msg("a word outside of the range");
        seen[(slot - base) / TRI_WORD] = 1;
    }
}

static void expect(const char *where, const char *name, size_t n, size_t words)
{
    bool agree = memcmp(seen, want, words) == 0;

    for (size_t w = 0; !agree && w < words; w++)
        if (seen[w] != want[w])
            ck_abort_msg("%zu %s, %s: word %zu is %d", n, name, where, w, seen[w]);
}

/* The last pointer's word plus one: what is behind it is trimmed. */
static size_t trimmed(size_t words)
{
    while (words > 0 && !want[words - 1])
        words--;
    return words;
}

/* The program's own view must begin with the mask: it may go on to the end of the slot. */
static void expect_public(const char *where, const struct shape *shape, size_t n, const void *p,
                          size_t words)
{
    size_t length = tri_pointer_mask(p, seen, MOST_WORDS), least = trimmed(words);

    if (length < least)
        ck_abort_msg("%zu %s, %s: a mask of %zu words", n, shape->name, where, length);
    memset(seen + length, 0, words > length ? words - length : 0);
    expect(where, shape->name, n, words);
}

/* ---- types ---- */

#define MOST_FIELDS 32
#define MOST_CODE 2048

enum { DECLARED, OF_FIELDS, OF_PROGRAM, WAYS };

static void build(tri_type *type, const tri_type_desc *desc)
{
    ck_assert_int_eq(tri_type_build(type, desc), 0);
}

/* A field for each run of pointers. */
static void build_of_fields(tri_type *type, const struct shape *shape)
{
    tri_type_field fields[MOST_FIELDS] = {{0}};
    size_t words = want_elements(shape, 1), count = 0;

    for (size_t w = 0; w < words; w++) {
        if (!want[w])
            continue;
        if (w == 0 || !want[w - 1])
            fields[count++].offset = w * TRI_WORD;
        fields[count - 1].count++;
    }
    ck_assert_uint_le(count, MOST_FIELDS);
    build(type, &(tri_type_desc){
                    .name = "fields", .size = shape->size, .fields = fields, .field_count = count});
}

static size_t put_number(uint8_t *code, size_t used, size_t number)
{
    for (; number >= 128; number /= 128)
        code[used++] = (uint8_t)(number % 128 + 128);
    code[used++] = (uint8_t)number;
    return used;
}

/* One literal for the element, repeated for n of them. */
static void build_of_program(tri_type *type, const struct shape *shape, size_t n)
{
    static uint8_t code[MOST_CODE];
    size_t words = want_elements(shape, 1), used = put_number(code, 0, 2 * words);

    memset(code + used, 0, (words + 7) / 8);
    for (size_t w = 0; w < words; w++)
        code[used + w / 8] |= (uint8_t)(want[w] << w % 8);
    used += (words + 7) / 8;
    if (n > 1)
        used = put_number(code, put_number(code, used, 2 * words + 1), n - 1);
    code[used++] = TRI_GC_END;
    ck_assert_uint_le(used, MOST_CODE);
    build(type,
          &(tri_type_desc){.name = "program", .size = shape->size * n, .program = {code, used}});
}

/* Every element in every way. */
static struct shape shape_of(int i)
{
    struct shape shape = elements[(size_t)i % ELEMENTS];
    static tri_type made; /* one, because each test has a process of its own */

    if ((size_t)i / ELEMENTS == DECLARED)
        return shape;
    if ((size_t)i / ELEMENTS == OF_FIELDS)
        build_of_fields(&made, &shape);
    else
        build_of_program(&made, &shape, 1);
    shape.type = &made;
    return shape;
}

/* ---- the heap ---- */

static void expect_object(const struct shape *shape, size_t n, void *p)
{
    uintptr_t base = (uintptr_t)p;
    size_t words = want_elements(shape, n);

    ck_assert_ptr_nonnull(p);
    see(tri__type_pointers_of(base, words * TRI_WORD), base, words);
    expect("heap", shape->name, n, words);
    expect_public("heap", shape, n, p, words);
}

START_TEST(single_objects_in_the_heap)
{
    struct shape shape = shape_of(_i);

    start_quiet();
    for (int round = 0; round < HEAP_ROUNDS; round++)
        expect_object(&shape, 1, tri_alloc(shape.type));
}
END_TEST

START_TEST(arrays_in_the_heap)
{
    struct shape shape = shape_of(_i);

    start_quiet();
    for (size_t c = 0; c < COUNTS; c++)
        for (int round = 0; round < (counts[c] < 100 ? HEAP_ROUNDS : 1); round++)
            if (counts[c] * shape.size / TRI_WORD <= MOST_WORDS)
                expect_object(&shape, counts[c], tri_alloc_array(shape.type, counts[c]));
}
END_TEST

/* Any part of an array is laid out as the whole. */
START_TEST(slices_of_arrays_in_the_heap)
{
    struct shape made = shape_of(_i);
    const struct shape *shape = &made;
    size_t n = MANY * shape->size / TRI_WORD <= MOST_WORDS ? MANY : 10;
    uintptr_t base, size = shape->size;

    start_quiet();
    base = (uintptr_t)tri_alloc_array(shape->type, n);
    for (size_t c = 0; c < COUNTS; c++)
        for (size_t first = 0; first + counts[c] <= n; first = first * 3 + 1) {
            size_t words = want_elements(shape, counts[c]);
            if (words == 0)
                continue;
            see(tri__type_pointers_of(base + first * size, counts[c] * size), base + first * size,
                words);
            expect("slice", shape->name, counts[c], words);
        }
}
END_TEST

/* An array is a type as well: of fields that are elements, or of a program. The second one is an
 * array of two such arrays. */
START_TEST(array_types_in_the_heap)
{
    struct shape shape = shape_of(_i);
    static tri_type arrays[COUNTS], pairs[COUNTS], programs[COUNTS]; /* they outlive their objects */

    start_quiet();
    for (size_t c = 1; c < COUNTS; c++) {
        tri_type *array = &arrays[c], *pair = &pairs[c], *program = &programs[c];
        size_t n = counts[c];
        tri_type_field field = {.count = n, .type = shape.type}, two = {.count = 2, .type = array};

        if (2 * n * shape.size / TRI_WORD > MOST_WORDS)
            continue;
        build(array, &(tri_type_desc){.size = n * shape.size, .fields = &field, .field_count = 1});
        build(pair, &(tri_type_desc){.size = 2 * n * shape.size, .fields = &two, .field_count = 1});
        build_of_program(program, &shape, n);
        expect_object(&shape, n, tri_alloc(array));
        expect_object(&shape, 2 * n, tri_alloc(pair));
        expect_object(&shape, n, tri_alloc(program));
        expect_object(&shape, 2 * n, tri_alloc_array(program, 2));
    }
}
END_TEST

/* ---- globals ---- */

static uintptr_t zeroed[MOST_WORDS];
static uintptr_t initialized[MOST_WORDS / 16] = {1};

static void expect_root(const char *where, const struct shape *shape, size_t n, uintptr_t *root)
{
    size_t words = want_elements(shape, n);
    struct tri__type_pointers it;
    uintptr_t base;

    ck_assert_int_eq(tri_root_add(root, shape->type, n), 0);
    ck_assert(tri__root_pointers_around((uintptr_t)root, &base, &it));
    ck_assert_uint_eq(base, (uintptr_t)root);
    see(it, base, words);
    expect(where, shape->name, n, words);
    expect_public(where, shape, n, root, words);
    ck_assert_uint_eq(tri_pointer_mask(root, NULL, 0), trimmed(words));
    ck_assert_int_eq(tri_root_remove(root), 0);
}

START_TEST(globals)
{
    struct shape made = shape_of(_i);
    const struct shape *shape = &made;

    start_quiet();
    for (size_t c = 1; c < COUNTS; c++) {
        size_t words = counts[c] * shape->size / TRI_WORD;
        if (words <= sizeof zeroed / sizeof *zeroed)
            expect_root("bss", shape, counts[c], zeroed);
        if (words <= sizeof initialized / sizeof *initialized)
            expect_root("data", shape, counts[c], initialized);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layout shapes");
    TCase *tcase = tcase_create("layout shapes");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, single_objects_in_the_heap, 0, WAYS * ELEMENTS);
    tcase_add_loop_test(tcase, arrays_in_the_heap, 0, WAYS * ELEMENTS);
    tcase_add_loop_test(tcase, slices_of_arrays_in_the_heap, 0, WAYS * ELEMENTS);
    tcase_add_loop_test(tcase, array_types_in_the_heap, 0, WAYS * ELEMENTS);
    tcase_add_loop_test(tcase, globals, 0, WAYS * ELEMENTS);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
