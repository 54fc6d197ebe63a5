/* SPDX-License-Identifier: MIT */
/* Descriptions of types: any fields, programs, tails, sizes. tri_type_build() must refuse what breaks
 * a rule of tricolor/type_build.h, and of the rest make a type whose every word is what the rules,
 * followed a word at a time, say it is. Types that were made become fields and tails of later ones. */
#include <errno.h>

#include <tricolor/type_build.h>

#include "fuzz/fuzz.h"
#include "layout/oracle.h"
#include "layout/type_pointers.h"
#include "tests/naive_gc_program.h"

#define MOST_TYPES 12
#define MOST_FIELDS 8
#define MOST_WORDS ((size_t)1 << 13) /* of a type that is looked at word by word */
#define MOST_MASKED ((size_t)1 << 24) /* larger ones take memory and time for their masks */
#define NO_OBJECT ((uintptr_t)0x700000001000)

/* What is known of a type: a byte a word, 1 for a pointer. */
struct known {
    tri_type type;
    unsigned char words[MOST_WORDS];
};

struct world {
    struct known known[MOST_TYPES];
    size_t count;
    tri_type_field fields[MOST_FIELDS];
    unsigned char words[MOST_WORDS];
};

static void fail(const char *what, size_t number)
{
    fprintf(stderr, "fuzz_type_desc: %s, %zu\n", what, number);
    abort();
}

/* ---- the rules, a word at a time ---- */

static bool is_pointer(const struct world *world, const tri_type *type, size_t word)
{
    for (size_t i = 0; i < world->count; i++)
        if (type == &world->known[i].type)
            return world->known[i].words[word] != 0;
    return type != &tri_type_bytes;
}

static bool has_pointers(const struct world *world, const tri_type *type)
{
    for (size_t word = 0; word < type->size / TRI_WORD; word++)
        if (is_pointer(world, type, word))
            return true;
    return false;
}

static bool is_fit(const tri_type *type)
{
    return type->tail == NULL && type->size != 0;
}

static bool add_element(struct world *world, const tri_type *type, size_t begin)
{
    for (size_t word = 0; word < type->size / TRI_WORD; word++)
        if (is_pointer(world, type, word))
            world->words[begin / TRI_WORD + word] = 1;
    return true;
}

/* Numbers are wide enough that nothing overflows. */
static bool add_field(struct world *world, const tri_type_field *field, size_t size)
{
    const tri_type *type = field->type != NULL ? field->type : &tri_type_ptr;
    unsigned __int128 stride = field->stride != 0 ? field->stride : type->size;
    unsigned __int128 end;

    if (field->count == 0 || !is_fit(type) || stride < type->size)
        return false;
    end = (field->count - 1) * stride + field->offset + type->size;
    if (end > size)
        return false;
    if (!has_pointers(world, type))
        return true;
    if ((field->offset | (size_t)stride | size) % TRI_WORD != 0)
        return false;
    for (size_t i = 0; size <= MOST_WORDS * TRI_WORD && i < field->count; i++)
        add_element(world, type, field->offset + i * (size_t)stride);
    return true;
}

static bool add_program(struct world *world, const tri_type_desc *desc, bool *too_long)
{
    struct naive_program naive = {.words = world->words, .room = MOST_WORDS};
    enum naive_result result = naive_decode(&desc->program, &naive);

    *too_long = result == NAIVE_TOO_LONG;
    return result == NAIVE_GOOD && naive.count * TRI_WORD == desc->size;
}

/* true: a good description, and world->words says what it describes. */
static bool follow_rules(struct world *world, const tri_type_desc *desc, bool *too_long)
{
    *too_long = desc->size > MOST_WORDS * TRI_WORD;
    memset(world->words, 0, sizeof world->words);
    if (desc->flags != 0 || (desc->size == 0 && desc->tail == NULL))
        return false;
    if (desc->tail != NULL &&
        (!is_fit(desc->tail) ||
         (has_pointers(world, desc->tail) && desc->size % TRI_WORD != 0)))
        return false;
    for (size_t i = 0; i < desc->field_count; i++)
        if (!add_field(world, &desc->fields[i], desc->size))
            return false;
    if (desc->program.code == NULL)
        return desc->program.bytes == 0;
    if (desc->field_count != 0 || desc->size % TRI_WORD != 0)
        return false;
    return add_program(world, desc, too_long);
}

/* ---- descriptions ---- */

static const tri_type *choose_type(struct world *world, struct choices *choices)
{
    size_t which = choose(choices, world->count + 3);

    if (which < world->count)
        return &world->known[which].type;
    return which == world->count       ? NULL
           : which == world->count + 1 ? &tri_type_ptr
                                       : &tri_type_bytes;
}

/* Mostly small, mostly whole words; sometimes anything. */
static size_t choose_size(struct choices *choices, size_t limit)
{
    switch (choose(choices, 8)) {
    case 0:
        return choose(choices, 0);
    case 1:
        return choose(choices, limit);
    default:
        return choose(choices, limit / TRI_WORD + 1) * TRI_WORD;
    }
}

static void choose_field(struct world *world, struct choices *choices, tri_type_field *field,
                         size_t size)
{
    field->type = choose_type(world, choices);
    field->offset = choose_size(choices, size + 1);
    field->count = choose(choices, 16) != 0 ? choose(choices, 20) : choose(choices, 0);
    field->stride = choose(choices, 2) != 0 ? 0 : choose_size(choices, 256);
}

static tri_type_desc choose_desc(struct world *world, struct input *input)
{
    static const uint32_t limits[] = {64, 512, 600, 4096, MOST_WORDS * TRI_WORD, 1 << 20};
    struct choices *choices = &input->choices;
    tri_type_desc desc = {.name = choose(choices, 2) != 0 ? "chosen" : NULL};

    desc.size = choose_size(choices, limits[choose(choices, sizeof limits / sizeof *limits)]);
    if (choose(choices, 4) == 0)
        desc.tail = choose_type(world, choices);
    if (choose(choices, 32) == 0)
        desc.flags = (uint32_t)choose(choices, 4);
    if (choose(choices, 3) != 0) {
        desc.fields = world->fields;
        desc.field_count = choose(choices, MOST_FIELDS + 1);
        for (size_t i = 0; i < desc.field_count; i++)
            choose_field(world, choices, &world->fields[i], desc.size);
    }
    if (choose(choices, 3) == 0) {
        size_t left = (size_t)(input->end - input->at);

        desc.program = (tri_gc_program){input->at, choose(choices, left + 1)};
    }
    return desc;
}

/* ---- what was made ---- */

static void compare_walk(const tri_type *type, const unsigned char *words)
{
    uintptr_t limit = NO_OBJECT + type->size / TRI_WORD * TRI_WORD;
    struct tri__type_pointers it = tri__type_pointers_of_type(type, NO_OBJECT, limit);
    uintptr_t slot = tri__type_pointers_next(&it);

    for (size_t word = 0; word < type->size / TRI_WORD; word++) {
        bool here = slot == NO_OBJECT + word * TRI_WORD;

        if (here != (words[word] != 0) || tri__layout_oracle(type, word) != here)
            fail("another layout, word", word);
        if (here)
            slot = tri__type_pointers_next(&it);
    }
    if (slot != 0)
        fail("a pointer behind the end", slot - NO_OBJECT);
}

static void compare_refused(const tri_type *out)
{
    const unsigned char *bytes = (const unsigned char *)out;

    for (size_t i = 0; i < sizeof *out; i++)
        if (bytes[i] != 0x5a)
            fail("refused, and written to, byte", i);
}

static void keep(struct world *world, bool too_long)
{
    struct known *known = &world->known[world->count];

    if (too_long) {
        if (tri_type_retire(&known->type) != 0 || !tri_type_retired(&known->type))
            fail("a type that nothing refers to was not retired", world->count);
        return;
    }
    memcpy(known->words, world->words, sizeof known->words);
    world->count++;
}

static void make_type(struct world *world, struct input *input)
{
    tri_type_desc desc = choose_desc(world, input);
    tri_type *out = &world->known[world->count].type;
    bool too_long, good = follow_rules(world, &desc, &too_long);
    int error;

    if (good && desc.field_count != 0 && desc.size > MOST_MASKED)
        return;
    memset(out, 0x5a, sizeof *out);
    error = tri_type_build(out, &desc);
    if (error == -EINVAL)
        compare_refused(out);
    if (error == -ENOMEM || (too_long && error != 0))
        return;
    if (!too_long && (error == 0) != good)
        fail(good ? "refused, though good" : "accepted, though bad", world->count);
    if (error != 0)
        return;
    if (tri__type_check(out) != NULL)
        fail(tri__type_check(out), world->count);
    if (!too_long)
        compare_walk(out, world->words);
    keep(world, too_long);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    struct input input = input_of(data, size);

    world.count = 0;
    while (input.at < input.end && world.count < MOST_TYPES)
        make_type(&world, &input);
    while (world.count > 0)
        if (tri_type_retire(&world.known[--world.count].type) != 0)
            fail("a type could not be retired", world.count);
    return 0;
}
