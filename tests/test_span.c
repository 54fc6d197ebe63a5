/* SPDX-License-Identifier: MIT */
/* Spans: their descriptors, and the colours of their slots held against an array of one enum a
 * slot, for every span class. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "heap/span.h"
#include "random.h"
#include "suite.h"

#define MAX_PAGES ((size_t)16)
#define MAX_SLOTS 1024u
#define STEPS 400
#define FILL 0xa5

static uint64_t test_seed;
static struct random rng;

/* A span and what its slots should be. */
struct subject {
    struct tri__span *span;
    uint8_t *memory;
    size_t bytes;
    enum tri__colour colours[MAX_SLOTS];
};

static size_t pages_of(unsigned span_class)
{
    return span_class == TRI__LARGE_SPAN ? 1 + random_below(&rng, MAX_PAGES)
                                         : tri__class_info[span_class].pages;
}

static struct subject subject_new(unsigned span_class, bool dirty)
{
    struct subject s = {0};
    size_t pages = pages_of(span_class);
    s.bytes = pages * TRI__PAGE_BYTES;
    s.memory = aligned_alloc(TRI__PAGE_BYTES, s.bytes);
    ck_assert_ptr_nonnull(s.memory);
    memset(s.memory, FILL, s.bytes);
    s.span = tri__span_new((uintptr_t)s.memory, pages, (uint8_t)span_class, dirty);
    ck_assert_ptr_nonnull(s.span);
    return s;
}

static void subject_free(struct subject *s)
{
    tri__span_delete(s->span);
    free(s->memory);
}

/* Where the span keeps its colours in its page; 0 bytes if it does not. */
static size_t colour_bytes(const struct tri__span *span, size_t *offset)
{
    *offset = tri__class_info[span->span_class].colours_offset;
    return *offset == 0 ? 0 : (size_t)tri__span_groups(span) * 8;
}

/* Colours are as they should be, and nothing else in the page was written. */
static void check_subject(const struct subject *s)
{
    size_t offset, bytes = colour_bytes(s->span, &offset);
    for (uint32_t i = 0; i < s->span->slots; i++)
        if (s->span->colours[i] != s->colours[i])
            ck_abort_msg("class %u slot %u: %u, expected %u", s->span->span_class, i,
                         s->span->colours[i], s->colours[i]);
    for (size_t i = 0; i < s->bytes; i++)
        if (s->memory[i] != FILL && i - offset >= bytes)
            ck_abort_msg("class %u: byte %zu was written", s->span->span_class, i);
}

static uint32_t random_slot(const struct subject *s)
{
    return (uint32_t)random_below(&rng, s->span->slots);
}

static enum tri__colour random_colour(void)
{
    return (enum tri__colour)random_below(&rng, 3);
}

static void paint(struct subject *s, uint32_t first, uint32_t count, enum tri__colour colour)
{
    tri__span_paint(s->span, first, count, colour);
    for (uint32_t i = first; i < first + count; i++)
        s->colours[i] = colour;
}

static void paint_something(struct subject *s)
{
    uint32_t first = random_slot(s);
    uint32_t room = s->span->slots - first;
    uint32_t most = random_below(&rng, 2) != 0 && room > 20 ? 20 : room;
    paint(s, first, (uint32_t)random_below(&rng, most + 1), random_colour());
}

static void sweep(struct subject *s)
{
    uint32_t live = 0, before = 0, freed = 12345;
    bool dirty = s->span->dirty;
    for (uint32_t i = 0; i < s->span->slots; i++) {
        before += s->colours[i] != TRI__FREE;
        live += s->colours[i] == TRI__BLACK;
        s->colours[i] = s->colours[i] == TRI__BLACK ? TRI__WHITE : TRI__FREE;
    }
    ck_assert_uint_eq(tri__span_sweep(s->span, &freed), live);
    ck_assert_uint_eq(freed, before - live);
    ck_assert_uint_eq(s->span->next_slot, 0);
    ck_assert_int_eq(s->span->dirty, dirty || freed != 0);
}

static bool naive_next_run(const struct subject *s, uint32_t limit, uint32_t *first,
                           uint32_t *count)
{
    uint32_t i = s->span->next_slot, slots = s->span->slots;
    while (i < slots && s->colours[i] != TRI__FREE)
        i++;
    *first = i;
    while (i < slots && s->colours[i] == TRI__FREE && i - *first < limit)
        i++;
    *count = i - *first;
    return *count != 0;
}

static void look_for_a_run(struct subject *s, uint32_t from, uint32_t limit)
{
    uint32_t first, count, naive_first, naive_count;
    s->span->next_slot = from;
    bool found = tri__span_next_run(s->span, limit, &first, &count);
    bool expected = naive_next_run(s, limit, &naive_first, &naive_count);
    ck_assert_int_eq(found, expected);
    if (found) {
        ck_assert_uint_eq(first, naive_first);
        ck_assert_uint_eq(count, naive_count);
    }
    ck_assert_uint_eq(s->span->next_slot, from);
}

static void look_somewhere(struct subject *s)
{
    uint32_t from = (uint32_t)random_below(&rng, s->span->slots + 1);
    look_for_a_run(s, from, 1 + (uint32_t)random_below(&rng, s->span->slots));
}

static void random_step(struct subject *s)
{
    switch (random_below(&rng, 8)) {
    case 0:
        sweep(s);
        break;
    case 1:
        s->span->dirty = random_below(&rng, 2) != 0;
        break;
    case 2:
    case 3:
        look_somewhere(s);
        break;
    default:
        paint_something(s);
    }
}

static void for_each_class(void (*check)(unsigned span_class))
{
    for (unsigned c = TRI__LARGE_SPAN; c < TRI__SPAN_CLASSES; c++)
        check(c);
}

static void check_a_new_span_is_free(unsigned c)
{
    struct subject s = subject_new(c, c % 2 != 0);
    const struct tri__class_info *info = &tri__class_info[c];
    ck_assert_uint_eq(s.span->base, (uintptr_t)s.memory);
    ck_assert_uint_eq(s.span->pages * TRI__PAGE_BYTES, s.bytes);
    ck_assert_uint_eq(s.span->slots, c == TRI__LARGE_SPAN ? 1u : info->slots);
    ck_assert_uint_eq(s.span->slot_bytes, c == TRI__LARGE_SPAN ? s.bytes : info->size);
    ck_assert_int_eq(s.span->dirty, c % 2 != 0);
    ck_assert_ptr_null(s.span->type);
    ck_assert_int_eq(s.span->bits != NULL, info->kind == TRI__KIND_BITMAP);
    check_subject(&s);
    look_for_a_run(&s, 0, s.span->slots);
    subject_free(&s);
}

START_TEST(a_new_span_is_free)
{
    for_each_class(check_a_new_span_is_free);
}
END_TEST

/* Colours are read and written eight at a time: those words must be aligned, and hold no slot. */
static void check_colours_fit_where_they_are(unsigned c)
{
    struct subject s = subject_new(c, false);
    size_t offset, bytes = colour_bytes(s.span, &offset);
    ck_assert_uint_eq((uintptr_t)s.span->colours % 8, 0);
    if (bytes == 0) {
        ck_assert_ptr_eq(s.span->colours, s.span->own_colours);
        ck_assert_uint_le(s.span->slots, TRI__DESCRIPTOR_COLOURS);
    } else {
        ck_assert_uint_ge(offset, s.span->slots * s.span->slot_bytes);
        ck_assert_uint_le(offset + bytes, TRI__PAGE_BYTES);
    }
    subject_free(&s);
}

START_TEST(colours_fit_where_they_are)
{
    for_each_class(check_colours_fit_where_they_are);
}
END_TEST

/* Every beginning and end of a painted range, at least near the borders of words. */
static void check_every_range(unsigned c)
{
    struct subject s = subject_new(c, false);
    uint32_t slots = s.span->slots, step = slots > 80 ? slots / 40 : 1;
    for (uint32_t first = 0; first < slots; first += step)
        for (uint32_t end = first; end <= slots; end += step) {
            paint(&s, 0, slots, TRI__FREE);
            paint(&s, first, end - first, end % 2 != 0 ? TRI__WHITE : TRI__BLACK);
            look_for_a_run(&s, 0, slots);
            look_for_a_run(&s, first, slots);
        }
    check_subject(&s);
    subject_free(&s);
}

START_TEST(every_range)
{
    for_each_class(check_every_range);
}
END_TEST

static void check_any_sequence_of_operations(unsigned c)
{
    struct subject s = subject_new(c, false);
    rng = random_of(test_seed, c);
    for (int i = 0; i < STEPS; i++) {
        random_step(&s);
        if (i % 20 == 0)
            check_subject(&s);
    }
    check_subject(&s);
    tri__span_reset(s.span);
    memset(s.colours, 0, sizeof s.colours);
    check_subject(&s);
    ck_assert_uint_eq(s.span->next_slot, 0);
    subject_free(&s);
}

START_TEST(any_sequence_of_operations)
{
    for_each_class(check_any_sequence_of_operations);
}
END_TEST

/* What a span was before it was given back must not show in the next one. */
START_TEST(a_descriptor_is_used_again)
{
    struct subject s = subject_new(TRI__LARGE_SPAN, true);
    static const tri_type *const any = &tri_type_ptr;
    struct tri__span *old = s.span;
    paint(&s, 0, 1, TRI__BLACK);
    s.span->type = any;
    s.span->next_slot = 1;
    subject_free(&s);
    for (unsigned c = 2; c < 20; c++) {
        s = subject_new(c, false);
        ck_assert_ptr_eq(s.span, old);
        ck_assert_ptr_null(s.span->type);
        ck_assert(!s.span->dirty);
        ck_assert_uint_eq(s.span->next_slot, 0);
        check_subject(&s);
        paint(&s, 0, s.span->slots, TRI__WHITE);
        subject_free(&s);
    }
}
END_TEST

#define THREADS 4
#define HELD 64
#define ROUNDS 2000

struct keeper {
    pthread_t thread;
    struct tri__span *held[HELD];
    uint64_t number;
    const char *error;
};

static void exchange(struct keeper *keeper, unsigned at)
{
    struct tri__span *span = keeper->held[at];
    if (span != NULL && span->base != keeper->number * HELD + at)
        keeper->error = "a descriptor belongs to two threads";
    if (span != NULL)
        tri__span_delete(span);
    keeper->held[at] = tri__span_new(keeper->number * HELD + at, 1, TRI__LARGE_SPAN, false);
    if (keeper->held[at] == NULL)
        keeper->error = "no descriptor";
}

static void *keeper_main(void *argument)
{
    struct keeper *keeper = argument;
    struct random random = random_of(test_seed, keeper->number);
    for (int i = 0; i < ROUNDS * (int)HELD / 16 && keeper->error == NULL; i++)
        exchange(keeper, (unsigned)random_below(&random, HELD));
    return NULL;
}

START_TEST(threads_never_share_a_descriptor)
{
    static struct keeper keepers[THREADS];
    for (uint64_t i = 0; i < THREADS; i++) {
        keepers[i].number = i + 1;
        ck_assert_int_eq(pthread_create(&keepers[i].thread, NULL, keeper_main, &keepers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(keepers[i].thread, NULL), 0);
        ck_assert_msg(keepers[i].error == NULL, "%s", keepers[i].error);
    }
    tri__span_release_all();
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("span");
    TCase *classes = tcase_create("classes"), *descriptors = tcase_create("descriptors");
    test_seed = random_start(argc, argv);
    rng = random_of(test_seed, 0);

    tcase_add_test(classes, a_new_span_is_free);
    tcase_add_test(classes, colours_fit_where_they_are);
    tcase_add_test(classes, every_range);
    tcase_add_test(classes, any_sequence_of_operations);
    tcase_set_timeout(classes, 30);
    suite_add_tcase(suite, classes);

    tcase_add_test(descriptors, a_descriptor_is_used_again);
    tcase_add_test(descriptors, threads_never_share_a_descriptor);
    tcase_set_timeout(descriptors, 30);
    suite_add_tcase(suite, descriptors);
    return run_suite(suite);
}
