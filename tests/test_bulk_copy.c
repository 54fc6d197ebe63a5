/* SPDX-License-Identifier: MIT */
/* Copies and clears of ranges: what they move, held against memmove, what they shade, and that
 * nobody sees half a word. */
#include <check.h>
#include <stdlib.h>

#include "bulk_subjects.h"
#include "suite.h"

#define TRIES 1500

/* The range that is written, and where it comes from: the same subject, so that they overlap, or
 * another one. */
static void check_move(struct subject *s)
{
    static uintptr_t before[SRC_WORDS], expected[SHADED_ROOM];
    const uintptr_t *src = source;
    size_t from, n, count;
    random_range(s, &from, &n);
    if (random_below(&rng, 3) != 0)
        src = s->base + random_below(&rng, s->words - n + 1);
    count = expected_entries(s, from, n, src, true, expected);
    memcpy(before, s->base, s->words * TRI_WORD);
    memmove(before + from, src == source ? source : before + (src - s->base), n * TRI_WORD);
    if (src == source && random_below(&rng, 2) != 0)
        tri_memcpy(s->base + from, src, n * TRI_WORD);
    else
        tri_memmove(s->base + from, src, n * TRI_WORD);
    if (memcmp(before, s->base, s->words * TRI_WORD) != 0)
        ck_abort_msg("%zu words to word %zu of a %s", n, from, s->type->name);
    check_entries_once(expected, tri__self->barrier == TRI__BARRIER_IDLE ? 0 : count);
}

START_TEST(moves)
{
    start_in((enum tri__barrier_state)_i);
    for (int i = 0; i < SUBJECTS; i++)
        number_words(&subjects[i], 1 + 10000 * (uintptr_t)i);
    for (int i = 0; i < TRIES; i++)
        check_move(&subjects[random_below(&rng, SUBJECTS)]);
}
END_TEST

static void check_clear(struct subject *s)
{
    static uintptr_t expected[SHADED_ROOM];
    size_t from, n, count;
    random_range(s, &from, &n);
    number_words(s, 1);
    count = expected_entries(s, from, n, NULL, true, expected);
    tri_memclr(s->base + from, n * TRI_WORD);
    for (size_t i = 0; i < s->words; i++)
        if (s->base[i] != (i - from < n ? 0 : 1 + i))
            ck_abort_msg("%zu words at word %zu of a %s: word %zu", n, from, s->type->name, i);
    check_entries(expected, tri__self->barrier == TRI__BARRIER_IDLE ? 0 : count);
}

START_TEST(clears)
{
    start_in((enum tri__barrier_state)_i);
    for (int i = 0; i < TRIES / 5; i++)
        check_clear(&subjects[random_below(&rng, SUBJECTS)]);
}
END_TEST

/* While a mark is running a copy must not tear a word: a marker is reading. */
static uint32_t stop; /* atomic */

static void *reader_main(void *unused)
{
    uintptr_t *words = subjects[3].base;
    (void)unused;
    while (__atomic_load_n(&stop, __ATOMIC_RELAXED) == 0)
        for (size_t i = 0; i < subjects[3].words; i++) {
            uintptr_t word = __atomic_load_n(&words[i], __ATOMIC_RELAXED);
            if (word % 0x0101010101010101u != 0)
                return "a word was torn";
        }
    return NULL;
}

START_TEST(words_are_not_torn)
{
    struct subject *s = &subjects[3];
    pthread_t thread;
    void *error;
    start_in(TRI__BARRIER_SCANNED);
    memset(s->base, 0, s->words * TRI_WORD);
    ck_assert_int_eq(pthread_create(&thread, NULL, reader_main, NULL), 0);
    for (unsigned i = 0; i < 300; i++) {
        memset(source, (int)(i % 256), sizeof source);
        tri_memcpy(s->base, source, s->words * TRI_WORD);
        tri_memmove(s->base + 1, s->base, (s->words - 1) * TRI_WORD);
        tri_memmove(s->base, s->base + 1, (s->words - 1) * TRI_WORD);
        if (i % 10 == 0)
            tri_memclr(s->base, s->words * TRI_WORD);
        forget_shaded();
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    ck_assert_int_eq(pthread_join(thread, &error), 0);
    ck_assert_msg(error == NULL, "%s", (char *)error);
}
END_TEST

/* ---- within an array ---- */

/* What leaves the range and what enters it is shaded, and what moves in between once. */
static void check_shift(size_t words, ptrdiff_t distance)
{
    struct subject *s = &subjects[11];
    size_t far = (size_t)(distance < 0 ? -distance : distance), n = words - far;
    uintptr_t expected[400];
    number_words(s, 1);
    tri_memmove(s->base + 100 + (distance > 0 ? far : 0), s->base + 100 + (distance > 0 ? 0 : far),
                n * TRI_WORD);
    for (size_t i = 0; i < words; i++)
        expected[i] = 101 + i;
    check_entries(expected, words);
}

START_TEST(shifts_within_an_array)
{
    start_in(TRI__BARRIER_SCANNED);
    for (ptrdiff_t far = 1; far < 130; far++) {
        check_shift(400, far);
        check_shift(400, -far);
    }
}
END_TEST

/* Not so if the words that a value passes are not alike: by another distance than whole elements, or
 * from the head of an object to its tail. tests/test_bulk_copy.c:moves has all distances. */
START_TEST(shifts_between_unlike_words)
{
    part *parts;
    start_in(TRI__BARRIER_SCANNED);
    parts = (part *)subjects[FOOTER].base;
    number_words(&subjects[FOOTER], 1);
    tri_memmove(&parts[1].b, &parts[1].x, 2 * TRI_WORD); /* x and b to b and c */
    check_entries((uintptr_t[]){10, 11, 9, 10}, 4);
}
END_TEST

/* ---- elements ---- */

static void check_elements(struct subject *s)
{
    static uintptr_t before[SRC_WORDS], expected[SHADED_ROOM];
    size_t unit = s->type->size / TRI_WORD, elements = s->words / unit, count;
    size_t to = random_below(&rng, elements + 1), n = random_below(&rng, elements - to + 1);
    const uintptr_t *src = source;
    if (random_below(&rng, 2) != 0)
        src = s->base + random_below(&rng, elements - n + 1) * unit;
    count = expected_entries(s, to * unit, n * unit, src, true, expected);
    memcpy(before, s->base, s->words * TRI_WORD);
    memmove(before + to * unit, src == source ? source : before + (src - s->base),
            n * unit * TRI_WORD);
    tri_copy_array(s->base + to * unit, src, s->type, n);
    ck_assert_int_eq(memcmp(before, s->base, s->words * TRI_WORD), 0);
    check_entries_once(expected, tri__self->barrier == TRI__BARRIER_IDLE ? 0 : count);
}

START_TEST(arrays_of_elements)
{
    static const int arrays[] = {0,  BITMAP,    FOOTER, LARGE, 5,     7, POINTERS,
                                 11, VARIABLES, ARENA,  16,    TYPED, 19};
    start_in((enum tri__barrier_state)_i);
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        number_words(&subjects[arrays[i]], 1);
    for (int i = 0; i < TRIES; i++)
        check_elements(&subjects[arrays[random_below(&rng, sizeof arrays / sizeof arrays[0])]]);
}
END_TEST

/* Into the tail of a flexible object, from a local variable, to one; leaf elements of any size. */
START_TEST(elements_elsewhere)
{
    list *to;
    part local = {.a = (void *)3, .x = 4, .b = (void *)5, .c = (void *)6, .d = (void *)7};
    char *leaf;
    start_in(TRI__BARRIER_SCANNED);
    to = (list *)subjects[4].base;
    leaf = (char *)subjects[LEAF].base;
    tri_copy(part, &to->parts[7], &local, 1);
    ck_assert_int_eq(memcmp(&to->parts[7], &local, sizeof local), 0);
    check_entries((uintptr_t[]){3, 5, 6, 7}, 4);
    to->parts[7].x = 9;
    tri_copy(part, &local, &to->parts[7], 1);
    ck_assert_uint_eq(local.x, 9);
    forget_shaded();
    tri_copy_array(leaf + 3, (char *)source + 1, &tri_type_bytes, 77);
    ck_assert_int_eq(memcmp(leaf + 3, (char *)source + 1, 77), 0);
    tri_copy(part, &to->parts[0], (part *)NULL, 0);
    ck_assert_uint_eq(take_shaded()->count, 0);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("bulk_copy");
    TCase *ranges = tcase_create("ranges"), *elements = tcase_create("elements");
    int phases = TRI__BARRIER_SCANNED + 1;
    test_seed = random_start(argc, argv);

    tcase_add_loop_test(ranges, moves, 0, phases);
    tcase_add_loop_test(ranges, clears, 0, phases);
    tcase_add_test(ranges, words_are_not_torn);
    tcase_add_test(ranges, shifts_within_an_array);
    tcase_add_test(ranges, shifts_between_unlike_words);
    tcase_set_timeout(ranges, 20);
    suite_add_tcase(suite, ranges);

    tcase_add_loop_test(elements, arrays_of_elements, 0, phases);
    tcase_add_test(elements, elements_elsewhere);
    tcase_set_timeout(elements, 20);
    suite_add_tcase(suite, elements);
    return run_suite(suite);
}
