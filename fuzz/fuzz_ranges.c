/* SPDX-License-Identifier: MIT */
/* Types, objects and ranges of any kind: what the iterator finds, held against the layout oracle.
 *
 * The input is a list of steps: make a type, with a program or a mask, make it hot, allocate an
 * object or a value in an arena, walk a range of one, walk a range of memory that is no object. At
 * the end all objects are walked again: none has changed its neighbours' bits. */
#include "fuzz/fuzz.h"
#include "heap/double_check.h"
#include "tests/laid_out.h"

#define RESERVE ((size_t)64 << 20)
#define TYPES 16
#define OBJECTS 32
#define STEPS 100
#define MOST_BYTES ((size_t)64 << 10) /* of an object */
#define NO_OBJECT ((uintptr_t)0x700000001000)

#define OWN_MASKS 2 /* types whose objects have masks of their own, and take long */

struct world {
    struct layout layouts[TYPES];
    struct laid_out objects[OBJECTS];
    size_t types, count, own_masks;
    tri_arena *arena;
};

static void choose_plain(struct choices *choices, struct layout *layout)
{
    tri_type *type = &layout->type;

    choose_layout(choices, layout, LAYOUT_MOST_WORDS);
    /* As the macros do: the slots of a run are laid out for it at once. */
    if (choose(choices, 2) == 0 && type->size - 1 < TRI__BITMAP_BYTES && type->tail == NULL)
        type->run_tag = type;
}

static void choose_with_program(struct world *world, struct choices *choices, struct layout *layout)
{
    bool own = choose(choices, 16) == 0 && world->own_masks < OWN_MASKS;

    choose_program_layout(choices, layout, LAYOUT_MOST_WORDS, own);
    world->own_masks += own;
}

static void make_type(struct world *world, struct choices *choices)
{
    struct layout *layout = &world->layouts[world->types];

    if (world->types == TYPES)
        return;
    switch (choose(choices, 4)) {
    case 0:
        choose_with_program(world, choices, layout);
        break;
    case 1:
        choose_stateful_layout(choices, layout, choose_words(choices, LAYOUT_MOST_WORDS));
        break;
    default:
        choose_plain(choices, layout);
    }
    if (tri__type_check(&layout->type) != NULL)
        abort();
    world->types++;
}

static void make_hot(struct world *world, struct choices *choices)
{
    const struct layout *layout;

    if (world->types == 0)
        return;
    layout = &world->layouts[choose(choices, world->types)];
    if (tri__type_has_state(&layout->type))
        heat_up(layout);
}

/* Elements that fill up to so many bytes, and one more; or one, which is what a hot type is for. */
static size_t choose_count(struct choices *choices, const struct layout *layout)
{
    static const uint32_t limits[] = {64, TRI__BITMAP_BYTES, 4096, TRI__SMALL_MAX, MOST_BYTES};
    size_t limit = limits[choose(choices, sizeof limits / sizeof *limits)];
    const tri_type *type = &layout->type, *element = type->tail != NULL ? type->tail : type;

    if (choose(choices, 2) == 0)
        return 1;
    limit = limit > type->size ? limit - type->size : 0;
    return choose(choices, limit / element->size + 2);
}

static void make_object(struct world *world, struct choices *choices)
{
    struct laid_out *object = &world->objects[world->count];
    const struct layout *layout;
    bool in_arena = choose(choices, 3) == 0;
    size_t count;

    if (world->types == 0 || world->count == OBJECTS)
        return;
    layout = &world->layouts[choose(choices, world->types)];
    count = choose_count(choices, layout);
    if (in_arena ? !lay_out_value(object, layout, world->arena, count)
                 : !lay_out_object(object, layout, count))
        return;
    expect_whole(object);
    world->count++;
}

static void choose_range(struct choices *choices, size_t words, size_t *from, size_t *to)
{
    *from = choose(choices, words + 1);
    *to = *from + choose(choices, words + 1 - *from);
}

static void walk_object(struct world *world, struct choices *choices)
{
    const struct laid_out *object;
    size_t from, to;

    if (world->count == 0)
        return;
    object = &world->objects[choose(choices, world->count)];
    choose_range(choices, laid_out_words(object), &from, &to);
    if (from < laid_out_words(object)) /* past the last word another object begins */
        expect_range(object, from, to);
}

/* Steps, then goes on from elsewhere, twice. */
static void walk_anything(struct world *world, struct choices *choices)
{
    struct laid_out range = {.base = NO_OBJECT};
    struct tri__type_pointers it;
    size_t words, at = 0;

    if (world->types == 0)
        return;
    range.layout = &world->layouts[choose(choices, world->types)];
    words = choose(choices, 10000);
    range.bytes = words * TRI_WORD;
    range.limit = range.tiled_to = NO_OBJECT + range.bytes;
    it = tri__type_pointers_of_type(&range.layout->type, range.base, range.limit);
    for (int turn = 0; turn < 2; turn++) {
        size_t from, to;

        for (uint64_t steps = choose(choices, 256); steps > 0; steps--) {
            uintptr_t slot = tri__type_pointers_next(&it);
            at = slot != 0 ? (slot - NO_OBJECT) / TRI_WORD + 1 : words;
        }
        choose_range(choices, words, &from, &to);
        tri__type_pointers_fast_forward(&it, NO_OBJECT + from * TRI_WORD,
                                        NO_OBJECT + to * TRI_WORD);
        at = from > at ? from : at;
        words = to;
        expect_pointers(&range, "of_type, fast_forward", it, NO_OBJECT + at * TRI_WORD,
                        NO_OBJECT + words * TRI_WORD);
    }
}

static void step(struct world *world, struct choices *choices)
{
    switch (choose(choices, 9)) {
    case 0:
        make_type(world, choices);
        break;
    case 1:
    case 2:
    case 3:
        make_object(world, choices);
        break;
    case 4:
        make_hot(world, choices);
        break;
    case 5:
        walk_anything(world, choices);
        break;
    default:
        walk_object(world, choices);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    static struct world world;

    tri__double_check_init(false, 0); /* the harness itself holds everything against the oracle */
    laid_out_start(RESERVE);
    world.types = world.count = world.own_masks = 0;
    world.arena = tri_arena_new();
    for (int i = 0; i < STEPS && input.at < input.end; i++)
        step(&world, &input.choices);
    for (size_t i = 0; i < world.count; i++)
        expect_whole(&world.objects[i]);
    laid_out_stop();
    for (size_t i = 0; i < world.types; i++)
        drop_program_layout(&world.layouts[i]);
    return 0;
}
