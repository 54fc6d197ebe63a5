/* SPDX-License-Identifier: MIT */
/* Bulk barriers: which words of a range are shaded, held against the layout oracle; ranges that
 * break a rule; and the copies that go with them, held against memmove. */
#include <check.h>
#include <stdlib.h>

#include "capture.h"
#include "collected.h"
#include "heap/resolve.h"
#include "layout/oracle.h"
#include "phase.h"
#include "random.h"
#include "suite.h"

#define TRIES 1500

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

TRI_ROOT static void *variables[5];
static part registered[20];

/* Something with a layout: an object, or memory that is a root. */
struct subject {
    uintptr_t *base;
    size_t words;
    const tri_type *type;
};

#define SUBJECTS 12
static struct subject subjects[SUBJECTS];

static void add(unsigned i, void *base, size_t bytes, const tri_type *type)
{
    ck_assert_ptr_nonnull(base);
    subjects[i] = (struct subject){base, bytes / TRI_WORD, type};
}

static void make_subjects(void)
{
    ck_assert_int_eq(tri_root_add(registered, &tri_type_part, 20), 0);
    add(0, tri_new(part), sizeof(part), &tri_type_part);
    add(1, tri_new_array(part, 9), 9 * sizeof(part), &tri_type_part); /* a bitmap */
    add(2, tri_new_array(part, 40), 40 * sizeof(part), &tri_type_part); /* a footer */
    add(3, tri_new_array(part, 700), 700 * sizeof(part), &tri_type_part); /* a span */
    add(4, tri_new_flex(list, 50), sizeof(list) + 50 * sizeof(part), &tri_type_list);
    add(5, tri_new_array(wide, 8), 8 * sizeof(wide), &tri_type_wide);
    add(6, tri_alloc_bytes(8000), 8000, &tri_type_bytes);
    add(7, registered, sizeof registered, &tri_type_part);
    add(8, tri_alloc_conservative(2000), 2000, &tri_type_conservative);
    add(9, tri_new_ptrs(64), 512, &tri_type_ptr); /* these three fill their slots */
    add(10, tri_alloc_conservative(568), 568, &tri_type_conservative);
    add(11, tri_new_ptrs(5120), 40960, &tri_type_ptr);
}

/* Every word tells where it is. Values need not be pointers: buffers are not filtered. */
static void number_words(struct subject *s, uintptr_t first)
{
    for (size_t i = 0; i < s->words; i++)
        s->base[i] = first + i;
}

#define SRC_WORDS 6000
static uintptr_t source[SRC_WORDS];

static void start_in(enum tri__barrier_state state)
{
    start_quiet();
    rng = random_of(test_seed, (uint64_t)state);
    make_subjects();
    for (size_t i = 0; i < SRC_WORDS; i++)
        source[i] = 1000000 + i;
    if (state != TRI__BARRIER_IDLE)
        begin_mark(state);
}

static const tri_type *const plain_bytes = &tri_type_bytes;

static bool is_pointer(const struct subject *s, size_t word)
{
    return s->type != plain_bytes && tri__layout_oracle(s->type, word);
}

/* What the barrier for words [from, from + n) must shade. */
static size_t expected_entries(const struct subject *s, size_t from, size_t n,
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

static int by_value(const void *a, const void *b)
{
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

static void check_entries(uintptr_t *expected, size_t count)
{
    static uintptr_t got[SHADED_ROOM];
    const struct shaded *shaded = take_shaded();
    ck_assert_uint_eq(shaded->count, count);
    memcpy(got, shaded->entries, count * sizeof got[0]);
    qsort(got, count, sizeof got[0], by_value);
    qsort(expected, count, sizeof expected[0], by_value);
    for (size_t i = 0; i < count; i++)
        if (got[i] != expected[i])
            ck_abort_msg("shaded %zu, expected %zu", (size_t)got[i], (size_t)expected[i]);
}

static void check_pre_write(struct subject *s, size_t from, size_t n)
{
    static uintptr_t expected[SHADED_ROOM];
    const uintptr_t *src = random_below(&rng, 3) != 0 ? &source[random_below(&rng, 100)] : NULL;
    bool old = random_below(&rng, 3) != 0 || src == NULL;
    size_t count = expected_entries(s, from, n, src, old, expected);
    if (old)
        tri_bulk_barrier_pre_write(s->base + from, src, n * TRI_WORD);
    else
        tri_bulk_barrier_pre_write_src_only(s->base + from, src, n * TRI_WORD);
    check_entries(expected, tri__self->barrier == TRI__BARRIER_IDLE ? 0 : count);
}

static void random_range(const struct subject *s, size_t *from, size_t *n)
{
    *from = random_below(&rng, s->words + 1);
    *n = random_below(&rng, s->words - *from + 1);
    if (random_below(&rng, 2) != 0 && *n > 12)
        *n = random_below(&rng, 12);
    if (random_below(&rng, 4) == 0)
        *n = s->words - *from;
}

static void check_ranges(struct subject *s)
{
    size_t from, n;
    number_words(s, 1);
    check_pre_write(s, 0, s->words);
    for (int i = 0; i < 300; i++) {
        random_range(s, &from, &n);
        check_pre_write(s, from, n);
    }
}

START_TEST(ranges_are_walked_by_their_layout)
{
    start_in((enum tri__barrier_state)_i);
    for (int i = 0; i < SUBJECTS; i++)
        check_ranges(&subjects[i]);
}
END_TEST

START_TEST(nulls_are_not_shaded)
{
    uintptr_t nothing[7] = {0};
    start_in(TRI__BARRIER_SCANNED);
    tri_bulk_barrier_pre_write(subjects[0].base, nothing, sizeof(part));
    tri_memcpy(subjects[0].base, nothing, sizeof(part));
    ck_assert_uint_eq(take_shaded()->count, 0);
}
END_TEST

/* Every word of a TRI_ROOT variable. */
START_TEST(variables_of_modules)
{
    start_in(TRI__BARRIER_SCANNED);
    for (uintptr_t i = 0; i < 5; i++)
        variables[i] = (void *)(i + 1);
    tri_bulk_barrier_pre_write(&variables[1], source, 3 * sizeof variables[0]);
    check_entries((uintptr_t[]){2, 3, 4, 1000000, 1000001, 1000002}, 6);
    tri_memclr(variables, sizeof variables);
    check_entries((uintptr_t[]){1, 2, 3, 4, 5}, 5);
    for (int i = 0; i < 5; i++)
        ck_assert_ptr_null(variables[i]);
}
END_TEST

/* A stack and malloc's memory have no barrier, and any alignment. */
START_TEST(memory_that_is_no_root)
{
    char local[64] = {0}, *foreign = malloc(64);
    start_in(TRI__BARRIER_SCANNED);
    ck_assert_ptr_nonnull(foreign);
    tri_memcpy(local + 1, (char *)source + 8, 33);
    tri_memcpy(foreign + 3, (char *)source + 8, 33);
    ck_assert_int_eq(memcmp(local + 1, (char *)source + 8, 33), 0);
    ck_assert_int_eq(memcmp(foreign + 3, (char *)source + 8, 33), 0);
    tri_memmove(foreign, foreign + 3, 40);
    ck_assert_int_eq(memcmp(foreign, (char *)source + 8, 33), 0);
    tri_memclr(local + 1, 33);
    ck_assert(is_zero(local, sizeof local));
    tri_bulk_barrier_pre_write(foreign, source, 64);
    ck_assert_uint_eq(take_shaded()->count, 0);
    free(foreign);
}
END_TEST

/* Leaf objects, too. */
START_TEST(leaf_objects_at_any_alignment)
{
    char *leaf;
    start_in((enum tri__barrier_state)_i);
    leaf = (char *)subjects[6].base;
    tri_memcpy(leaf + 5, (char *)source + 3, 777);
    ck_assert_int_eq(memcmp(leaf + 5, (char *)source + 3, 777), 0);
    tri_memmove(leaf + 6, leaf + 5, 777);
    ck_assert_int_eq(memcmp(leaf + 6, (char *)source + 3, 777), 0);
    tri_memclr(leaf + 7, 775);
    ck_assert(is_zero(leaf + 7, 775));
    ck_assert_int_eq(leaf[6], ((char *)source)[3]);
    ck_assert_uint_eq(take_shaded()->count, 0);
}
END_TEST

START_TEST(ranges_of_no_bytes)
{
    start_in((enum tri__barrier_state)_i);
    tri_memmove(subjects[0].base, source, 0);
    tri_memclr(subjects[0].base, 0);
    tri_bulk_barrier_pre_write(subjects[0].base, source, 0);
    tri_bulk_barrier_pre_write(subjects[0].base + 7, source, 0);
    ck_assert_uint_eq(take_shaded()->count, 0);
}
END_TEST

/* ---- copies ---- */

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
    check_entries(expected, tri__self->barrier == TRI__BARRIER_IDLE ? 0 : count);
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

/* ---- broken rules ---- */


static void misaligned_dst(char *object, char *footed)
{
    (void)footed;
    tri_memcpy(object + 4, source, 16);
}

static void misaligned_src(char *object, char *footed)
{
    (void)footed;
    tri_memcpy(object, (char *)source + 1, 16);
}

static void odd_size(char *object, char *footed)
{
    (void)footed;
    tri_memclr(object, 12);
}

static void misaligned_barrier(char *object, char *footed)
{
    (void)footed;
    tri_bulk_barrier_pre_write(object + 1, source, 16);
}

static void misaligned_barrier_src_only(char *object, char *footed)
{
    (void)footed;
    tri_bulk_barrier_pre_write_src_only(object, (char *)source + 4, 16);
}

static void misaligned_in_a_root(char *object, char *footed)
{
    (void)object, (void)footed;
    tri_memcpy((char *)registered + 4, source, 16);
}

static void over_the_end(char *object, char *footed)
{
    (void)footed;
    tri_memclr(object, tri_object_size(object) + 8);
}

static void over_the_end_from_inside(char *object, char *footed)
{
    (void)footed;
    tri_memcpy(object + 32, source, tri_object_size(object) - 24);
}

static void into_the_footer(char *object, char *footed)
{
    (void)object;
    tri_memclr(footed, tri_object_size(footed) + 8);
}

static void over_the_end_of_a_root(char *object, char *footed)
{
    (void)object, (void)footed;
    tri_memclr(&registered[10], 11 * sizeof(part));
}

static void wild(char *object, char *footed)
{
    (void)object, (void)footed;
    tri_memclr((void *)(tri__heap.base + tri__heap.bytes - 64), 8);
}

static void free_slot(char *object, char *footed)
{
    struct tri__ref ref;
    (void)footed;
    ck_assert(tri__resolve((uintptr_t)object, &ref));
    *ref.colour = TRI__FREE;
    tri_memclr(object, 8);
}

#define NO_WORDS "not made of whole words"
#define LEAVES "a range that leaves its object"

static const struct {
    void (*act)(char *object, char *footed);
    const char *message;
} rules[] = {
    {misaligned_dst, NO_WORDS},
    {misaligned_src, NO_WORDS},
    {odd_size, NO_WORDS},
    {misaligned_barrier, NO_WORDS},
    {misaligned_barrier_src_only, NO_WORDS},
    {misaligned_in_a_root, NO_WORDS},
    {over_the_end, LEAVES},
    {over_the_end_from_inside, LEAVES},
    {into_the_footer, LEAVES},
    {over_the_end_of_a_root, "a range that leaves its root"},
    {wild, "heap memory that is no object"},
    {free_slot, "heap memory that is no object"},
};
#define RULES ((int)(sizeof rules / sizeof rules[0]))

static int chosen;

static void break_rule(void)
{
    start_in(TRI__BARRIER_SCANNED);
    rules[chosen].act((char *)subjects[1].base, (char *)subjects[2].base);
}

START_TEST(broken_rules_are_fatal)
{
    struct captured captured;
    chosen = _i;
    captured = capture_child(break_rule);
    ck_assert_msg(captured_aborted(&captured), "rule %d", _i);
    ck_assert_msg(strstr(captured.text, rules[_i].message) != NULL, "rule %d: %s", _i,
                  captured.text);
}
END_TEST

/* The barrier alone is called rarely enough to look at its arguments at any time. */
static void misaligned_while_idle(void)
{
    start_in(TRI__BARRIER_IDLE);
    tri_bulk_barrier_pre_write(subjects[1].base, (char *)source + 1, 16);
}

START_TEST(misaligned_barriers_are_fatal_at_any_time)
{
    struct captured captured = capture_child(misaligned_while_idle);
    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, NO_WORDS));
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("bulk");
    TCase *walks = tcase_create("walks"), *copies = tcase_create("copies");
    TCase *broken = tcase_create("rules");
    int phases = TRI__BARRIER_SCANNED + 1;
    test_seed = random_start(argc, argv);

    tcase_add_loop_test(walks, ranges_are_walked_by_their_layout, 0, phases);
    tcase_add_test(walks, nulls_are_not_shaded);
    tcase_add_test(walks, variables_of_modules);
    tcase_add_test(walks, memory_that_is_no_root);
    tcase_add_loop_test(walks, leaf_objects_at_any_alignment, 0, phases);
    tcase_add_loop_test(walks, ranges_of_no_bytes, 0, phases);
    tcase_set_timeout(walks, 20);
    suite_add_tcase(suite, walks);

    tcase_add_loop_test(copies, moves, 0, phases);
    tcase_add_loop_test(copies, clears, 0, phases);
    tcase_add_test(copies, words_are_not_torn);
    tcase_set_timeout(copies, 20);
    suite_add_tcase(suite, copies);

    tcase_add_loop_test(broken, broken_rules_are_fatal, 0, RULES);
    tcase_add_test(broken, misaligned_barriers_are_fatal_at_any_time);
    suite_add_tcase(suite, broken);
    return run_suite(suite);
}
