/* SPDX-License-Identifier: MIT */
/* Random types in memory of every kind, and random ranges inside them: a million cases against the
 * layout oracle, fewer in builds that are slower by far. What other objects have on the page is compared before and after. */
#include <check.h>
#include <string.h>

#include "laid_out.h"
#include "sanitized.h"
#include "suite.h"

#ifdef TRI__DEBUG
enum { IS_DEBUG = 1 }; /* reads each layout back by itself */
#else
enum { IS_DEBUG = 0 };
#endif

/* Cases share a heap a round. */
enum { ROUND = 500, ROUNDS = IS_SANITIZED ? 80 : IS_DEBUG ? 400 : 2000 };
enum { WALKS = IS_SANITIZED ? 20000 : 200000 };
enum { HOT = 6 }; /* types a round that have spans of their own */

#define RESERVE ((size_t)64 << 20)
#define LARGE_PAGES 6
#define ARENA_WORDS 4000
#define ELEMENT_WORDS ((size_t)500)
#define NO_OBJECT ((uintptr_t)0x700000001000)

static uint64_t seed;
static struct layout layouts[ROUND], hot[HOT];
static struct laid_out objects[ROUND];

/* ---- what the cases were ---- */

enum met {
    MET_LEAF,
    MET_BITMAP,
    MET_FOOTER,
    MET_TYPED_MASK, /* the mask is in the page */
    MET_TYPED_PAGE, /* the type is */
    MET_TYPED_SPAN, /* the type is in the descriptor */
    MET_LARGE,
    MET_OWN_MASK,
    MET_ARENA,
    MET_PROGRAM, /* in the heap */
    MET_TYPED_PROGRAM,
    MET_ARENA_PROGRAM,
    MET_KINDS,
};

/* At least so many of a thousand cases. */
static const struct {
    const char *name;
    unsigned least;
} wanted[MET_KINDS] = {
    [MET_LEAF] = {"leaf", 10},
    [MET_BITMAP] = {"bitmap", 60},
    [MET_FOOTER] = {"footer", 60},
    [MET_TYPED_MASK] = {"typed, a mask in the page", 30},
    [MET_TYPED_PAGE] = {"typed, the type in the page", 10},
    [MET_TYPED_SPAN] = {"typed, the type in the descriptor", 30},
    [MET_LARGE] = {"large", 2},
    [MET_OWN_MASK] = {"large, with a mask of its own", 1},
    [MET_ARENA] = {"arena", 100},
    [MET_PROGRAM] = {"a program, in the heap", 30},
    [MET_TYPED_PROGRAM] = {"a program, typed", 5},
    [MET_ARENA_PROGRAM] = {"a program, in an arena", 5},
};

static unsigned met[MET_KINDS];

static enum met met_in_typed(const struct laid_out *object)
{
    const struct tri__class_info *info = &tri__class_info[object->span_class];

    if (info->size <= TRI__BITMAP_BYTES)
        return MET_TYPED_MASK;
    return info->bits_offset != 0 ? MET_TYPED_PAGE : MET_TYPED_SPAN;
}

static enum met met_kind(const struct laid_out *object)
{
    switch (kind_of_object(object)) {
    case TRI__KIND_LEAF:
        return MET_LEAF;
    case TRI__KIND_BITMAP:
        return MET_BITMAP;
    case TRI__KIND_FOOTER:
        return MET_FOOTER;
    case TRI__KIND_TYPED:
        return met_in_typed(object);
    case TRI__KIND_LARGE:
        return tri__span_at(object->base)->own != NULL ? MET_OWN_MASK : MET_LARGE;
    case TRI__KIND_ARENA:
        return MET_ARENA;
    case TRI__KIND_NONE:
        break;
    }
    abort();
}

static void note_met(const struct laid_out *object)
{
    const tri_type *type = &object->layout->type;
    enum met kind = met_kind(object);

    met[kind]++;
    if ((type->flags & TRI_TYPE_GC_PROGRAM) == 0)
        return;
    if (kind_of_object(object) == TRI__KIND_TYPED)
        met[MET_TYPED_PROGRAM]++;
    else
        met[kind == MET_ARENA ? MET_ARENA_PROGRAM : MET_PROGRAM]++;
}

static void expect_every_kind(void)
{
    for (unsigned kind = 0; kind < MET_KINDS; kind++)
        printf("%9u %s\n", met[kind], wanted[kind].name);
    fflush(stdout); /* a failure ends the process */
    for (unsigned kind = 0; kind < MET_KINDS; kind++)
        if (met[kind] < wanted[kind].least * (ROUND * ROUNDS / 1000))
            ck_abort_msg("%s: %u cases of %d", wanted[kind].name, met[kind], ROUND * ROUNDS);
}

/* ---- objects of every kind ---- */

/* The class's bytes that a type can be laid out in. */
static size_t room_of(unsigned span_class, struct choices *choices)
{
    const struct tri__class_info *info = &tri__class_info[span_class];

    if (info->kind == TRI__KIND_LARGE)
        return TRI__SMALL_MAX + choose(choices, LARGE_PAGES * TRI__PAGE_BYTES);
    return info->kind == TRI__KIND_FOOTER ? info->size - TRI_WORD : info->size;
}

static size_t choose_room(struct choices *choices)
{
    return room_of(TRI__LARGE_SPAN + (unsigned)choose(choices, TRI__SPAN_CLASSES - 1), choices);
}

/* Elements of the type that fill so many bytes, or fewer. */
static size_t choose_count(struct choices *choices, const tri_type *type, size_t bytes)
{
    const tri_type *element = type->tail != NULL ? type->tail : type;
    size_t fixed = type->tail != NULL ? type->size : 0;
    size_t most = bytes > fixed ? (bytes - fixed) / element->size : 0;

    return choose(choices, 4) == 0 ? choose(choices, most + 1) : most;
}

/* With a program, one time in eight. */
static void choose_any_layout(struct choices *choices, struct layout *layout, size_t most)
{
    if (choose(choices, 8) == 0)
        choose_program_layout(choices, layout, most, false);
    else
        choose_layout(choices, layout, most);
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

/* Among objects of other types. */
static void mixed_object(struct choices *choices, struct layout *layout, struct laid_out *object)
{
    size_t room = choose_room(choices), words = room / TRI_WORD, count;
    struct snapshot snapshot;
    tri_type *type = &layout->type;

    choose_any_layout(choices, layout, words < ELEMENT_WORDS ? words : ELEMENT_WORDS);
    if (choose(choices, 2) == 0 && type->size - 1 < TRI__BITMAP_BYTES && type->tail == NULL)
        type->run_tag = type; /* as the macros do: a run's slots are laid out for it at once */
    count = choose_count(choices, type, room);
    take_snapshot(&snapshot,
                  type->tail != NULL ? type->size + count * type->tail->size : type->size * count);
    ck_assert(lay_out_object(object, layout, count));
    expect_neighbours(&snapshot, object);
}

static void own_mask_object(struct choices *choices, struct layout *layout, struct laid_out *object)
{
    choose_program_layout(choices, layout, ELEMENT_WORDS, true);
    ck_assert(lay_out_object(object, layout, 1));
}

static void arena_value(struct choices *choices, struct layout *layout, tri_arena *arena,
                        struct laid_out *object)
{
    size_t words = choose(choices, choose(choices, 4) == 0 ? ARENA_WORDS : 100);

    choose_any_layout(choices, layout, words < ELEMENT_WORDS ? words + 1 : ELEMENT_WORDS);
    ck_assert(lay_out_value(object, layout, arena,
                            choose_count(choices, &layout->type, words * TRI_WORD)));
}

/* One in 512 has a mask of its own, which takes as long as many others. */
static void one_object(struct choices *choices, size_t number, tri_arena *arena)
{
    struct layout *layout = &layouts[number];
    struct laid_out *object = &objects[number];
    uint64_t kind = choose(choices, 512);

    if (kind == 0) {
        own_mask_object(choices, layout, object);
    } else if (kind < 96) {
        ck_assert(lay_out_object(object, &hot[choose(choices, HOT)], 1));
    } else if (kind < 192) {
        arena_value(choices, layout, arena, object);
    } else {
        mixed_object(choices, layout, object);
    }
    note_met(object);
    expect_whole(object);
    expect_random_range(choices, object);
}

/* Of every class alike. */
static void choose_hot(struct choices *choices, struct layout *layout)
{
    unsigned span_class = 2 * (1 + (unsigned)choose(choices, TRI__SIZE_CLASSES - 1));
    size_t most = tri__class_info[span_class].size / TRI_WORD;
    size_t least = span_class > 2 ? tri__class_info[span_class - 2].size / TRI_WORD + 1 : 1;

    choose_stateful_layout(choices, layout, least + choose(choices, most - least + 1));
}

/* false: a leaf, or flexible, or too large. */
static bool choose_hot_program(struct choices *choices, struct layout *layout)
{
    choose_program_layout(choices, layout, LAYOUT_MOST_WORDS, false);
    if (tri__typed_is_able(&layout->type))
        return true;
    drop_program_layout(layout);
    return false;
}

static void make_hot(struct choices *choices)
{
    for (unsigned i = 0; i < HOT; i++) {
        if (choose(choices, 4) != 0 || !choose_hot_program(choices, &hot[i]))
            choose_hot(choices, &hot[i]);
        ck_assert(heat_up(&hot[i]));
    }
}

static void one_round(struct choices *choices)
{
    tri_arena *arena;

    laid_out_start(RESERVE);
    memset(layouts, 0, sizeof layouts); /* not all are used, but all are dropped */
    make_hot(choices);
    arena = tri_arena_new();
    for (size_t i = 0; i < ROUND; i++)
        one_object(choices, i, arena);
    for (int i = 0; i < ROUND; i++)
        expect_random_range(choices, &objects[i]);
    laid_out_stop();
    for (int i = 0; i < ROUND; i++)
        drop_program_layout(&layouts[i]);
    for (int i = 0; i < HOT; i++)
        drop_program_layout(&hot[i]);
}

START_TEST(random_objects)
{
    struct random_choices choices = random_choices_of(seed, 1);

    for (int i = 0; i < ROUNDS; i++)
        one_round(&choices.choices);
    expect_every_kind();
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
        struct laid_out range = {.layout = &layout,
                                 .bytes = words * TRI_WORD,
                                 .base = NO_OBJECT,
                                 .limit = address_of(words),
                                 .tiled_to = address_of(words)};

        choose_any_layout(&choices.choices, &layout, ELEMENT_WORDS);
        one_walk(&choices.choices, &range, words);
        drop_program_layout(&layout);
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
