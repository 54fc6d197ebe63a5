/* SPDX-License-Identifier: MIT */
/* Arenas as memory: layouts of every kind of value against the layout oracle, what an address is
 * taken back to, copies that are kept, and what is fatal. The collector's side is in
 * test_arena_gc.c. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "capture.h"
#include "collected.h"
#include "heap/arena_chunk.h"
#include "heap/object.h"
#include "layout/oracle.h"
#include "random.h"
#include "suite.h"

#define CHUNK TRI_ARENA_VALUE_MAX

static uint64_t test_seed;

typedef struct word {
    uintptr_t n;
} word;
TRI_LEAF_TYPE(word);
typedef struct one {
    void *p;
} one;
TRI_TYPE(one, p);
typedef struct mixed {
    void *a;
    char c;
    void *b;
    char rest[11];
} mixed;
TRI_TYPE(mixed, a, b);
typedef struct page {
    char bytes[8192];
} page;
TRI_LEAF_TYPE(page);
typedef struct odd {
    char bytes[3321];
} odd;
TRI_LEAF_TYPE(odd);
typedef struct many {
    void *p[1024];
} many;
TRI_TYPE(many, p);
typedef struct less {
    void *p[1023];
} less;
TRI_TYPE(less, p);
typedef struct triple {
    void *a;
    uintptr_t x, y;
} triple;
TRI_TYPE(triple, a);
typedef struct list {
    uintptr_t length;
    void *head;
    triple items[];
} list;
TRI_FLEX_TYPE_OF(list, items, triple, head);

static const tri_type *const types[] = {
    &tri_type_word, &tri_type_one,  &tri_type_mixed,  &tri_type_page,         &tri_type_odd,
    &tri_type_many, &tri_type_less, &tri_type_triple, &tri_type_conservative,
};
#define TYPES (sizeof types / sizeof types[0])

/* What the log says, what the bits say, and what the type says, agree about a value. */
static void check_value(char *value, const tri_type *type, size_t bytes)
{
    struct tri__arena_chunk *chunk = tri__arena_chunk_of(tri__span_at((uintptr_t)value));
    size_t first = ((uintptr_t)value - chunk->span.base) / TRI_WORD;
    size_t words = (bytes + TRI_WORD - 1) / TRI_WORD;

    ck_assert_uint_eq((uintptr_t)value % (bytes <= 8 ? 8 : 16), 0);
    ck_assert_ptr_eq(tri_object_base(value), value);
    ck_assert_ptr_eq(tri_object_type(value), type);
    ck_assert_uint_eq(tri_object_size(value), words == 0 ? 8 : words * 8);
    ck_assert_ptr_eq(tri_object_base(value + (bytes != 0 ? bytes - 1 : 0)), value);
    for (size_t i = 0; i < words; i++)
        ck_assert_msg((chunk->bits[(first + i) / 64] >> (first + i) % 64 & 1) ==
                          tri__layout_oracle(type, i),
                      "%s: bit of word %zu", type->name, i);
}

/* More than one chunk of them. Small values are too many to be looked at closely one by one. */
static void fill_with(tri_arena *arena, const tri_type *type)
{
    size_t bytes = type->size < 1000 ? 4 * TRI__ARENA_LEAST : 3 * CHUNK;
    size_t sample = type->size < 1000 ? 101 : 1;

    for (size_t i = 0; i * type->size < bytes; i++) {
        char *value = tri_arena_alloc(arena, type);

        ck_assert_ptr_nonnull(value);
        if (!is_zero(value, type->size))
            ck_abort_msg("value %zu of %s is not zero", i, type->name);
        if (i % sample == 0)
            check_value(value, type, type->size);
        memset(value, type->ptr_bytes == 0 ? 0xa5 : 0, type->size);
    }
}

/* The second time in memory that was used before. */
START_TEST(chunks_full_of_one_type)
{
    start_quiet();
    for (int round = 0; round < 2; round++) {
        tri_arena *arena = tri_arena_new();
        fill_with(arena, types[_i]);
        tri_arena_free(arena);
        collect();
    }
    tri_shutdown();
}
END_TEST

START_TEST(arrays)
{
    static const size_t lengths[] = {25, 5, 1, 0};
    start_quiet();
    tri_arena *arena = tri_arena_new();
    for (size_t i = 0; i < TYPES; i++)
        for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
            char *value = tri_arena_alloc_array(arena, types[i], lengths[k]);
            ck_assert(is_zero(value, lengths[k] * types[i]->size));
            check_value(value, types[i], lengths[k] * types[i]->size);
        }
    char *largest = tri_arena_alloc_array(arena, &tri_type_ptr, CHUNK / 8);
    check_value(largest, &tri_type_ptr, CHUNK);
    ck_assert_uint_eq(tri__load_relaxed(&tri__heap.page_class[tri__page_of((uintptr_t)largest)]),
                      TRI__ARENA_SPAN);
    char *flexible = tri_arena_alloc_flex(arena, &tri_type_list, 7);
    check_value(flexible, &tri_type_list, sizeof(list) + 7 * sizeof(triple));
    flexible = tri_arena_alloc(arena, &tri_type_list);
    check_value(flexible, &tri_type_list, sizeof(list));
    errno = 0;
    ck_assert_ptr_null(tri_arena_alloc_array(arena, &tri_type_triple, SIZE_MAX / 8));
    ck_assert_int_eq(errno, ENOMEM);
    tri_arena_free(arena);
    tri_shutdown();
}
END_TEST

START_TEST(no_bytes_have_addresses_of_their_own)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    char *before = tri_arena_alloc_array(arena, &tri_type_bytes, 0);
    char *after = tri_arena_alloc_array(arena, &tri_type_bytes, 0);
    ck_assert_ptr_nonnull(before);
    ck_assert_ptr_ne(before, after);
    ck_assert_ptr_eq(tri_object_base(before), before);
    ck_assert_ptr_eq(tri_object_base(after), after);
    tri_arena_free(arena);
    tri_shutdown();
}
END_TEST

/* Values of all kinds in one arena, and every word of them looked up. */
#define VALUES 3000

struct expected {
    char *value;
    const tri_type *type;
    size_t bytes;
};
static struct expected values[VALUES];

static void check_addresses(const struct expected *expected, struct random *rng)
{
    for (int i = 0; i < 4; i++) {
        size_t at = expected->bytes == 0 ? 0 : random_below(rng, expected->bytes);
        ck_assert_ptr_eq(tri_object_base(expected->value + at), expected->value);
        ck_assert_ptr_eq(tri_object_type(expected->value + at), expected->type);
    }
    check_value(expected->value, expected->type, expected->bytes);
}

START_TEST(values_of_all_kinds_in_one_arena)
{
    struct random rng = random_of(test_seed, 0);
    start_quiet();
    tri_arena *arena = tri_arena_new();
    for (size_t i = 0; i < VALUES; i++) {
        struct expected *expected = &values[i];
        expected->type = types[random_below(&rng, TYPES)];
        size_t n = random_below(&rng, 4);
        expected->bytes = n * expected->type->size;
        expected->value = tri_arena_alloc_array(arena, expected->type, n);
        ck_assert(is_zero(expected->value, expected->bytes));
    }
    for (size_t i = 0; i < VALUES; i++)
        check_addresses(&values[i], &rng);
    tri_arena_free(arena);
    for (size_t i = 0; i < VALUES; i++) {
        ck_assert_ptr_null(tri_object_base(values[i].value));
        ck_assert_uint_eq(tri_object_size(values[i].value), 0);
        ck_assert_ptr_null(tri_object_type(values[i].value));
    }
    tri_shutdown();
}
END_TEST

/* A word between two values belongs to none. */
START_TEST(gaps_are_no_values)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    char *first = tri_arena_alloc(arena, &tri_type_one);
    char *second = tri_arena_alloc(arena, &tri_type_triple);
    ck_assert_ptr_eq(second, first + 16);
    ck_assert_ptr_eq(tri_object_base(first + 7), first);
    ck_assert_ptr_null(tri_object_base(first + 8));
    ck_assert_ptr_null(tri_object_base(second + 32));
    tri_arena_free(arena);
    tri_shutdown();
}
END_TEST

START_TEST(bits_at_or_above_used_are_not_trusted)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    char *value = tri_arena_alloc(arena, &tri_type_triple);
    struct tri__arena_chunk *chunk = tri__arena_chunk_of(tri__span_at((uintptr_t)value));
    chunk->bits[0] |= UINT64_C(1) << 4 | UINT64_C(1) << 63;
    struct tri__type_pointers it = tri__arena_window(chunk, 0, tri__arena_used(chunk));
    ck_assert_uint_eq(tri__type_pointers_next(&it), (uintptr_t)value);
    ck_assert_uint_eq(tri__type_pointers_next(&it), 0);
    chunk->bits[0] = 1;
    tri_arena_free(arena);
    tri_shutdown();
}
END_TEST

/* Up to the last word of a window. */
START_TEST(windows_end_where_what_is_used_does)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    for (unsigned words = 1; words <= 65; words++) {
        char *value = tri_arena_alloc(arena, &tri_type_one);
        struct tri__arena_chunk *chunk = tri__arena_chunk_of(tri__span_at((uintptr_t)value));
        size_t at = words <= 64 ? 0 : 1;
        uint64_t bits = chunk->bits[at];
        ck_assert_uint_eq(tri__arena_used(chunk), words * TRI_WORD);
        chunk->bits[at] = UINT64_MAX;
        struct tri__type_pointers it =
            tri__arena_window(chunk, at * TRI__ARENA_WINDOW, tri__arena_used(chunk));
        for (size_t k = 64 * at; k < words; k++)
            ck_assert_uint_eq(tri__type_pointers_next(&it), chunk->span.base + k * TRI_WORD);
        ck_assert_uint_eq(tri__type_pointers_next(&it), 0);
        chunk->bits[at] = bits;
    }
    tri_arena_free(arena);
    tri_shutdown();
}
END_TEST

/* The next arena's values must find none: only their pointers are written. */
START_TEST(a_freed_chunk_has_no_bits)
{
    enum { WORDS = TRI__ARENA_LEAST / TRI_WORD };
    start_quiet();
    tri_arena *arena = tri_arena_new();
    void **all = tri_arena_alloc_array(arena, &tri_type_ptr, WORDS);
    struct tri__arena_chunk *chunk = tri__arena_chunk_of(tri__span_at((uintptr_t)all));
    ck_assert_uint_eq(tri__arena_used(chunk), chunk->bytes);
    for (int i = 0; i < WORDS / 64; i++)
        ck_assert_uint_eq(chunk->bits[i], UINT64_MAX);
    tri_arena_free(arena);
    for (int i = 0; i < WORDS / 64; i++)
        ck_assert_uint_eq(chunk->bits[i], 0);
    tri_shutdown();
}
END_TEST

/* ---- keeping ---- */

START_TEST(a_kept_value_outlives_its_arena)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    triple *values_ = tri_arena_alloc_array(arena, &tri_type_triple, 100);
    for (uintptr_t i = 0; i < 100; i++) {
        triple *object = tri_new(triple);
        object->x = i;
        tri_store(&values_[i].a, object);
        values_[i].y = ~i;
    }
    triple *kept = tri_arena_keep(values_);
    triple *inside = tri_arena_keep(&values_[40].y);
    ck_assert_ptr_ne(kept, values_);
    ck_assert_ptr_eq(tri_object_type(kept), &tri_type_triple);
    tri_arena_free(arena);
    collect();
    for (uintptr_t i = 0; i < 100; i++) {
        ck_assert_uint_eq(((triple *)kept[i].a)->x, i);
        ck_assert_uint_eq(kept[i].y, ~i);
    }
    ck_assert_uint_eq(*(uintptr_t *)inside, ~(uintptr_t)40);
    ck_assert_uint_eq((size_t)((char *)inside - (char *)tri_object_base(inside)), 40 * 24 + 16);
    tri_shutdown();
}
END_TEST

START_TEST(what_is_kept_has_its_type)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    list *flexible = tri_arena_alloc_flex(arena, &tri_type_list, 30);
    flexible->length = 30;
    flexible->items[29].x = 5;
    list *kept = tri_arena_keep(flexible);
    ck_assert_ptr_eq(tri_object_type(kept), &tri_type_list);
    ck_assert_uint_eq(kept->length, 30);
    ck_assert_uint_eq(kept->items[29].x, 5);
    odd *bytes = tri_arena_alloc(arena, &tri_type_odd);
    memset(bytes, 7, sizeof *bytes);
    odd *copy = tri_arena_keep(bytes);
    ck_assert_ptr_ne(copy, bytes);
    ck_assert_int_eq(memcmp(copy, bytes, sizeof *bytes), 0);
    ck_assert_ptr_eq(tri_object_type(copy), &tri_type_bytes);
    void *nothing = tri_arena_keep(tri_arena_alloc_array(arena, &tri_type_ptr, 0));
    ck_assert_ptr_nonnull(nothing);
    ck_assert_ptr_eq(tri_arena_keep(copy), copy);
    ck_assert_ptr_null(tri_arena_keep(NULL));
    tri_arena_free(arena);
    tri_shutdown();
}
END_TEST

/* ---- memory ---- */

START_TEST(statistics)
{
    start_quiet();
    tri_arena *first = tri_arena_new(), *second = tri_arena_new();
    ck_assert_uint_eq(stats_now().arenas, 2);
    ck_assert_uint_eq(stats_now().arena_bytes, 0);
    tri_arena_alloc(first, &tri_type_one);
    ck_assert_uint_eq(stats_now().arena_bytes, TRI__ARENA_LEAST);
    tri_arena_free(first);
    ck_assert_uint_eq(stats_now().arenas, 1);
    ck_assert_uint_eq(stats_now().arena_bytes, 0);
    ck_assert_uint_eq(stats_now().arena_waiting_bytes, TRI__ARENA_LEAST);
    tri_arena_free(second);
    tri_arena_free(NULL);
    collect();
    ck_assert_uint_eq(stats_now().arenas, 0);
    ck_assert_uint_eq(stats_now().arena_waiting_bytes, 0);
    tri_shutdown();
}
END_TEST

START_TEST(shutdown_with_live_arenas)
{
    for (int i = 0; i < 3; i++) {
        start_quiet();
        tri_arena *arena = tri_arena_new(), *freed = tri_arena_new();
        for (int k = 0; k < 100000; k++)
            ck_assert_ptr_nonnull(tri_arena_alloc(i % 2 == 0 ? arena : freed, &tri_type_mixed));
        tri_arena_free(freed);
        ck_assert_uint_eq(stats_now().arenas, 1);
        tri_shutdown();
    }
}
END_TEST

START_TEST(out_of_memory_is_an_answer)
{
    tri_config config = TRI_CONFIG_INIT;
    config.gc_percent = -1;
    config.memory_limit = 16 << 20;
    ck_assert_int_eq(tri_init(&config), 0);
    tri_arena *arena = tri_arena_new();
    page *value = NULL;
    size_t count = 0;
    errno = 0;
    while ((value = tri_arena_alloc(arena, &tri_type_page)) != NULL)
        count++;
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_uint_ge(count, (8 << 20) / sizeof(page));
    tri_arena_free(arena);
    /* The addresses come back by the emergency collection. */
    arena = tri_arena_new();
    for (size_t i = 0; i < count / 2; i++)
        ck_assert_ptr_nonnull(tri_arena_alloc(arena, &tri_type_page));
    tri_arena_free(arena);
    tri_shutdown();
}
END_TEST

/* ---- what is fatal ---- */

static void free_twice(void)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    tri_arena_free(arena);
    tri_arena_free(arena);
}

static void use_a_freed_handle(void)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    tri_arena_free(arena);
    tri_arena_new(); /* may have the same block */
    tri_arena_alloc(arena, &tri_type_one);
}

static void use_what_is_no_arena(void)
{
    static one no_arena;
    start_quiet();
    tri_arena_alloc((tri_arena *)(void *)&no_arena, &tri_type_one);
}

static void use_after_shutdown(void)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    tri_shutdown();
    tri_arena_alloc(arena, &tri_type_one);
}

static void array_of_a_flexible_type(void)
{
    start_quiet();
    tri_arena_alloc_array(tri_arena_new(), &tri_type_list, 2);
}

static void keep_a_stray_pointer(void)
{
    int local = 0;
    start_quiet();
    tri_arena_keep(&local);
}

static void keep_too_late(void)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    one *value = tri_arena_alloc(arena, &tri_type_one);
    tri_arena_free(arena);
    tri_arena_keep(value);
}

static const struct {
    void (*function)(void);
    const char *message;
} broken_rules[] = {
    {free_twice, "tri_arena_free() of "},
    {use_a_freed_handle, "tri_arena_alloc() of "},
    {use_what_is_no_arena, "which is no arena"},
    {use_after_shutdown, "after tri_shutdown()"},
    {array_of_a_flexible_type, "use tri_arena_alloc_flex"},
    {keep_a_stray_pointer, "tri_arena_keep() of "},
    {keep_too_late, "which lies in arena 1, freed before"},
};

START_TEST(broken_rules_are_fatal)
{
    struct captured captured = capture_child(broken_rules[_i].function);
    ck_assert_msg(captured_aborted(&captured), "%d: %s", captured.status, captured.text);
    ck_assert_msg(strstr(captured.text, broken_rules[_i].message) != NULL, "%s", captured.text);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("arena");
    TCase *layouts = tcase_create("layouts"), *uses = tcase_create("uses");

    test_seed = random_start(argc, argv);
    tcase_add_loop_test(layouts, chunks_full_of_one_type, 0, TYPES);
    tcase_add_test(layouts, arrays);
    tcase_add_test(layouts, no_bytes_have_addresses_of_their_own);
    tcase_add_test(layouts, values_of_all_kinds_in_one_arena);
    tcase_add_test(layouts, gaps_are_no_values);
    tcase_add_test(layouts, bits_at_or_above_used_are_not_trusted);
    tcase_add_test(layouts, windows_end_where_what_is_used_does);
    tcase_add_test(layouts, a_freed_chunk_has_no_bits);
    tcase_set_timeout(layouts, 120);
    suite_add_tcase(suite, layouts);

    tcase_add_test(uses, a_kept_value_outlives_its_arena);
    tcase_add_test(uses, what_is_kept_has_its_type);
    tcase_add_test(uses, statistics);
    tcase_add_test(uses, shutdown_with_live_arenas);
    tcase_add_test(uses, out_of_memory_is_an_answer);
    tcase_add_loop_test(uses, broken_rules_are_fatal, 0,
                        sizeof broken_rules / sizeof broken_rules[0]);
    tcase_set_timeout(uses, 60);
    suite_add_tcase(suite, uses);
    return run_suite(suite);
}
