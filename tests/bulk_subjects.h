/* SPDX-License-Identifier: MIT */
/* tests/bulk_subjects.h: objects and roots of every kind, for tests of bulk barriers; and which
 * words of a range have to be shaded, word by word from the layout oracle.
 *
 * Threads: one, attached; see phase.h. */
#ifndef TRI__TESTS_BULK_SUBJECTS_H
#define TRI__TESTS_BULK_SUBJECTS_H

#include <stdlib.h>

#include "collected.h"
#include "hot.h"
#include "layout/oracle.h"
#include "phase.h"
#include "random.h"

static uint64_t test_seed;
static struct random rng;

/* Pointers at words 0, 2, 3, 6 of 7. */
typedef struct part {
    void *a;
    uintptr_t x;
    void *b, *c;
    uintptr_t y[2];
    void *d;
} part;
TRI_TYPE(part, a, b, c, d);

typedef struct list {
    uintptr_t length;
    void *head;
    part parts[];
} list;
TRI_FLEX_TYPE_OF(list, parts, part, head);

typedef struct wide {
    void *first;
    uintptr_t middle[90];
    void *last[2];
} wide;
TRI_TYPE(wide, first, last);

/* Hot types: by a mask in the page, by a type there, and by a type in the span's descriptor. */
typedef struct hot_part {
    part part;
} hot_part;
TRI_TYPE(hot_part, part.a, part.b, part.c, part.d);

typedef struct hot_wide {
    wide wide;
} hot_wide;
TRI_TYPE(hot_wide, wide.first, wide.last);

typedef struct hot_row {
    uintptr_t count;
    void *pointers[600];
    uintptr_t rest[25];
} hot_row;
TRI_TYPE(hot_row, pointers);

static tri_arena *arena;
TRI_ROOT static void *variables[70];
static part registered[20];

/* Something with a layout: an object, or memory that is a root. */
struct subject {
    uintptr_t *base;
    size_t words;
    const tri_type *type;
};

#define SUBJECTS 20
static struct subject subjects[SUBJECTS];

/* Those that tests of one kind of memory use. */
enum { BITMAP = 1, FOOTER = 2, LARGE = 3, LEAF = 6, POINTERS = 9, VARIABLES = 12, ARENA = 14, TYPED = 17 };

static inline void add(unsigned i, void *base, size_t bytes, const tri_type *type)
{
    ck_assert_ptr_nonnull(base);
    subjects[i] = (struct subject){base, bytes / TRI_WORD, type};
}

static inline void add_hot(unsigned i, const tri_type *type)
{
    warm(type);
    add(i, tri_alloc(type), type->size, type);
    ck_assert(is_typed(subjects[i].base));
}

static inline void make_subjects(void)
{
    ck_assert_int_eq(tri_root_add(registered, &tri_type_part, 20), 0);
    add(0, tri_new(part), sizeof(part), &tri_type_part);
    add(BITMAP, tri_new_array(part, 9), 9 * sizeof(part), &tri_type_part);
    add(FOOTER, tri_new_array(part, 40), 40 * sizeof(part), &tri_type_part);
    add(LARGE, tri_new_array(part, 700), 700 * sizeof(part), &tri_type_part);
    add(4, tri_new_flex(list, 50), sizeof(list) + 50 * sizeof(part), &tri_type_list);
    add(5, tri_new_array(wide, 8), 8 * sizeof(wide), &tri_type_wide);
    add(LEAF, tri_alloc_bytes(8000), 8000, &tri_type_bytes);
    add(7, registered, sizeof registered, &tri_type_part);
    add(8, tri_alloc_conservative(2000), 2000, &tri_type_conservative);
    add(POINTERS, tri_new_ptrs(64), 512, &tri_type_ptr); /* these three fill their slots */
    add(10, tri_alloc_conservative(568), 568, &tri_type_conservative);
    add(11, tri_new_ptrs(5120), 40960, &tri_type_ptr);
    add(VARIABLES, variables, sizeof variables, &tri_type_conservative);
    add(13, tri_alloc_conservative(100000), 100000, &tri_type_conservative);
    arena = tri_arena_new();
    ck_assert_ptr_nonnull(arena);
    add(ARENA, tri_arena_alloc_array(arena, &tri_type_part, 60), 60 * sizeof(part), &tri_type_part);
    add(15, tri_arena_alloc_flex(arena, &tri_type_list, 9), sizeof(list) + 9 * sizeof(part),
        &tri_type_list);
    add(16, tri_arena_alloc_array(arena, &tri_type_ptr, 3000), 24000, &tri_type_ptr);
    add_hot(TYPED, &tri_type_hot_part);
    add_hot(18, &tri_type_hot_wide);
    add_hot(19, &tri_type_hot_row);
}

/* Every word tells where it is. Values need not be pointers: buffers are not filtered. */
static inline void number_words(struct subject *s, uintptr_t first)
{
    for (size_t i = 0; i < s->words; i++)
        s->base[i] = first + i;
}

#define SRC_WORDS 13000
#define SRC_FIRST 1000000u
static uintptr_t source[SRC_WORDS];

static inline void start_in(enum tri__barrier_state state)
{
    start_quiet();
    rng = random_of(test_seed, (uint64_t)state);
    make_subjects();
    for (size_t i = 0; i < SRC_WORDS; i++)
        source[i] = SRC_FIRST + i;
    if (state != TRI__BARRIER_IDLE)
        begin_mark(state);
}

static const tri_type *const plain_bytes = &tri_type_bytes;

static inline bool is_pointer(const struct subject *s, size_t word)
{
    return s->type != plain_bytes && tri__layout_oracle(s->type, word);
}

/* What the barrier for words [from, from + n) must shade. */
static inline size_t expected_entries(const struct subject *s, size_t from, size_t n,
                               const uintptr_t *src, bool old, uintptr_t *entries)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_pointer(s, from + i))
            continue;
        if (old && s->base[from + i] != 0)
            entries[count++] = s->base[from + i];
        if (src != NULL && src[i] != 0)
            entries[count++] = src[i];
    }
    return count;
}

static inline int by_value(const void *a, const void *b)
{
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

/* Sorts, and leaves out what is there twice; returns how many are left. */
static inline size_t sort_once(uintptr_t *values, size_t count)
{
    size_t kept = 0;
    qsort(values, count, sizeof values[0], by_value);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || values[kept - 1] != values[i])
            values[kept++] = values[i];
    return kept;
}

static inline void check_equal(const uintptr_t *got, const uintptr_t *expected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (got[i] != expected[i])
            ck_abort_msg("shaded %zu, expected %zu", (size_t)got[i], (size_t)expected[i]);
}

/* Exactly these were shaded since the last time, in any order. */
static inline void check_entries(uintptr_t *expected, size_t count)
{
    static uintptr_t got[SHADED_ROOM];
    const struct shaded *shaded = take_shaded();
    ck_assert_uint_eq(shaded->count, count);
    memcpy(got, shaded->entries, count * sizeof got[0]);
    qsort(got, count, sizeof got[0], by_value);
    qsort(expected, count, sizeof expected[0], by_value);
    check_equal(got, expected, count);
}

/* These and no others, each as often as it was written down or less often: what moves within an
 * array is its old and its new value. */
static inline void check_entries_once(uintptr_t *expected, size_t count)
{
    static uintptr_t got[SHADED_ROOM];
    const struct shaded *shaded = take_shaded();
    size_t once;
    ck_assert_uint_le(shaded->count, count);
    memcpy(got, shaded->entries, shaded->count * sizeof got[0]);
    once = sort_once(got, shaded->count);
    ck_assert_uint_eq(once, sort_once(expected, count));
    check_equal(got, expected, once);
}

static inline void random_range(const struct subject *s, size_t *from, size_t *n)
{
    *from = random_below(&rng, s->words + 1);
    *n = random_below(&rng, s->words - *from + 1);
    if (random_below(&rng, 2) != 0 && *n > 12)
        *n = random_below(&rng, 12);
    if (random_below(&rng, 4) == 0)
        *n = s->words - *from;
}

#endif
