/* SPDX-License-Identifier: MIT */
/* Random types in slots of every class, and random ranges inside them: a million cases against the
 * layout oracle. What other objects have on the page is compared before and after. */
#include <check.h>
#include <string.h>

#include "laid_out.h"
#include "sanitized.h"
#include "suite.h"

/* Cases share a heap a round. */
enum { ROUND = 500, ROUNDS = IS_SANITIZED ? 80 : 2000, WALKS = IS_SANITIZED ? 20000 : 200000 };

#define RESERVE ((size_t)64 << 20)
#define LARGE_PAGES 6
#define NO_OBJECT ((uintptr_t)0x700000001000)

static uint64_t seed;
static struct layout layouts[ROUND];
static struct laid_out objects[ROUND];

/* ---- objects of every class ---- */

/* The class's bytes that a type can be laid out in. */
static size_t room_of(unsigned span_class, struct choices *choices)
{
    const struct tri__class_info *info = &tri__class_info[span_class];

    if (info->kind == TRI__KIND_LARGE)
        return TRI__SMALL_MAX + choose(choices, LARGE_PAGES * TRI__PAGE_BYTES);
    return info->kind == TRI__KIND_FOOTER ? info->size - TRI_WORD : info->size;
}

/* Elements of the type that fill so many bytes. */
static size_t count_in(const tri_type *type, size_t bytes)
{
    if (type->tail == NULL)
        return bytes / type->size;
    return bytes > type->size ? (bytes - type->size) / type->tail->size : 0;
}

/* A page's bitmap, and whose it is; span NULL: nothing is known. */
struct snapshot {
    const struct tri__span *span;
    uint64_t bits[TRI__PAGE_BITS_BYTES / sizeof(uint64_t)];
};

/* Of the page that the next object of this size comes from. If its run is used up, then a new one
 * will be laid out as a whole, and nothing can be said about its neighbours. */
static void take_snapshot(struct snapshot *snapshot, size_t bytes)
{
    unsigned span_class = 2 * tri__size_to_class(bytes != 0 ? bytes : TRI_WORD);
    const struct tri__run *run = &laid_out_cache.front.runs[span_class];
    const struct tri__span *span = laid_out_cache.spans[span_class];

    snapshot->span = NULL;
    if (bytes > TRI__BITMAP_BYTES || span == NULL || span->bits == NULL)
        return;
    if (run->current + tri__class_info[span_class].size > run->end)
        return;
    snapshot->span = span;
    memcpy(snapshot->bits, span->bits, sizeof snapshot->bits);
}

static void expect_neighbours(const struct snapshot *snapshot, const struct laid_out *object)
{
    uintptr_t start = snapshot->span == NULL ? 0 : snapshot->span->base;

    for (size_t w = 0; start != 0 && w < 64 * sizeof snapshot->bits / sizeof *snapshot->bits; w++) {
        uintptr_t word = start + w * TRI_WORD;
        uint64_t change = (snapshot->bits[w / 64] ^ snapshot->span->bits[w / 64]) >> w % 64 & 1;

        if (change != 0 && (word < object->base || word >= object->limit))
            fail_object(object, "a neighbour's bit has changed", object->base, object->limit, word);
    }
}

static void expect_random_range(struct choices *choices, const struct laid_out *object)
{
    size_t words = laid_out_words(object);
    size_t from = choose(choices, words); /* past the last word another object begins */

    expect_range(object, from, from + choose(choices, words + 1 - from));
}

static void one_object(struct choices *choices, struct layout *layout, struct laid_out *object)
{
    unsigned span_class = TRI__LARGE_SPAN + (unsigned)choose(choices, TRI__SPAN_CLASSES - 1);
    size_t room = room_of(span_class, choices), count;
    struct snapshot snapshot;
    tri_type *type = &layout->type;

    choose_layout(choices, layout, room / TRI_WORD < 500 ? room / TRI_WORD : 500);
    if (choose(choices, 2) == 0 && type->size - 1 < TRI__BITMAP_BYTES && type->tail == NULL)
        type->run_tag = type; /* as the macros do: a run's slots are laid out for it at once */
    count = count_in(type, room);
    if (choose(choices, 4) == 0)
        count = choose(choices, count + 1);
    take_snapshot(&snapshot,
                  type->tail != NULL ? type->size + count * type->tail->size : type->size * count);
    ck_assert(lay_out_object(object, layout, count));
    expect_neighbours(&snapshot, object);
    expect_whole(object);
    expect_random_range(choices, object);
}

static void one_round(struct choices *choices)
{
    laid_out_start(RESERVE);
    for (int i = 0; i < ROUND; i++)
        one_object(choices, &layouts[i], &objects[i]);
    for (int i = 0; i < ROUND; i++)
        expect_random_range(choices, &objects[i]);
    for (int i = 0; i < ROUND; i++)
        drop_layout(&layouts[i]);
}

START_TEST(random_objects)
{
    struct random_choices choices = random_choices_of(seed, 1);

    for (int i = 0; i < ROUNDS; i++)
        one_round(&choices.choices);
}
END_TEST

/* ---- memory that is no object ---- */

static uintptr_t address_of(size_t word)
{
    return NO_OBJECT + word * TRI_WORD;
}

/* Goes some way, then on from elsewhere, twice. */
static void one_walk(struct choices *choices, struct laid_out *range, size_t words)
{
    struct tri__type_pointers it =
        tri__type_pointers_of_type(&range->layout->type, range->base, range->limit);
    size_t at = 0;

    expect_pointers(range, "of_type", it, range->base, range->limit);
    for (int turn = 0; turn < 2; turn++) {
        size_t from = choose(choices, words + 2), to = choose(choices, words + 10);

        for (uint64_t steps = choose(choices, 3) * choose(choices, 50); steps > 0; steps--) {
            uintptr_t slot = tri__type_pointers_next(&it);
            at = slot != 0 ? (slot - NO_OBJECT) / TRI_WORD + 1 : words;
        }
        tri__type_pointers_fast_forward(&it, address_of(from), address_of(to));
        at = from > at ? from : at;
        words = to < words ? to : words;
        expect_pointers(range, "fast_forward", it, address_of(at), address_of(words));
    }
}

START_TEST(random_walks)
{
    struct random_choices choices = random_choices_of(seed, 2);
    struct layout layout;

    for (int i = 0; i < WALKS; i++) {
        size_t words = choose(&choices.choices, choose(&choices.choices, 2) ? 1500 : 80);
        struct laid_out range = {&layout, words * TRI_WORD, NO_OBJECT, address_of(words),
                                 address_of(words)};

        choose_layout(&choices.choices, &layout, 500);
        one_walk(&choices.choices, &range, words);
        drop_layout(&layout);
    }
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("layout random");
    TCase *tcase = tcase_create("layout random");

    seed = random_start(argc, argv);
    tcase_set_timeout(tcase, 300); /* ten seconds of work, on a machine that may be busy */
    tcase_add_test(tcase, random_objects);
    tcase_add_test(tcase, random_walks);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
