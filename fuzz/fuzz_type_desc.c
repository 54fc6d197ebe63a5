/* SPDX-License-Identifier: MIT */
/* Descriptions of types: which are refused, and what the others come to, held against the rules of
 * tricolor/type_build.h and a mask put together word by word. Types that were built are used in
 * those built after them. */
#include <stdio.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "layout/oracle.h"
#include "layout/type_build.h"

#define LAYOUTS 4
#define BUILT 8
#define FIELDS 6
#define MOST_WORDS ((size_t)4096)
#define NO_OBJECT ((uintptr_t)0x700000001000)

struct world {
    struct layout layouts[LAYOUTS];
    tri_type built[BUILT];
    size_t layout_count, built_count;
};

static const tri_type odd_leaf = {.size = 13, .flags = TRI_TYPE_LEAF};

static void fail(const tri_type_desc *desc, const char *what, size_t word)
{
    fprintf(stderr, "size %zu, %zu fields, %s; word %zu: %s\n", desc->size, desc->field_count,
            desc->tail != NULL ? "a tail" : "no tail", word, what);
    for (size_t i = 0; i < desc->field_count; i++)
        fprintf(stderr, "  offset %zu, count %zu, stride %zu, type of %zu bytes\n",
                desc->fields[i].offset, desc->fields[i].count, desc->fields[i].stride,
                desc->fields[i].type != NULL ? desc->fields[i].type->size : TRI_WORD);
    abort();
}

/* ---- descriptions ---- */

static const tri_type *choose_type(struct world *world, struct choices *choices)
{
    switch (choose(choices, 6)) {
    case 0:
        return &tri_type_bytes;
    case 1:
        return &odd_leaf;
    case 2:
    case 3:
        if (world->built_count != 0)
            return &world->built[choose(choices, world->built_count)];
        return NULL;
    case 4:
        return &world->layouts[choose(choices, world->layout_count)].type;
    default:
        return NULL;
    }
}

/* Mostly what fits, in words; now and then any number. */
static size_t choose_bytes_in(struct choices *choices, size_t most)
{
    if (choose(choices, 24) == 0)
        return choose(choices, 0);
    return choose(choices, most / TRI_WORD + 2) * TRI_WORD +
           (choose(choices, 16) == 0 ? choose(choices, TRI_WORD) : 0);
}

static void choose_field(struct world *world, struct choices *choices, tri_type_field *field,
                         size_t size)
{
    field->type = choose_type(world, choices);
    field->offset = choose_bytes_in(choices, size);
    field->stride = choose(choices, 2) == 0 ? 0 : choose_bytes_in(choices, size / 4);
    field->count = choose(choices, 16) == 0 ? choose(choices, 0) : choose(choices, 40);
    if (choose(choices, 2) == 0)
        field->count = 1;
}

/* ---- the rules ---- */

static const tri_type *type_of(const tri_type_field *field)
{
    return field->type != NULL ? field->type : &tri_type_ptr;
}

static size_t stride_of(const tri_type_field *field)
{
    return field->stride != 0 ? field->stride : type_of(field)->size;
}

static bool field_is_sound(const tri_type_field *field, size_t size)
{
    const tri_type *type = type_of(field);
    unsigned __int128 end = (unsigned __int128)stride_of(field) * (field->count - 1);

    if (field->count == 0 || type->tail != NULL || stride_of(field) < type->size)
        return false;
    if (end + field->offset + type->size > size)
        return false;
    return type->ptr_bytes == 0 || (field->offset % TRI_WORD == 0 &&
                                    stride_of(field) % TRI_WORD == 0 && size % TRI_WORD == 0);
}

static bool desc_is_sound(const tri_type_desc *desc)
{
    if (desc->size == 0 && desc->tail == NULL)
        return false;
    for (size_t i = 0; i < desc->field_count; i++)
        if (!field_is_sound(&desc->fields[i], desc->size))
            return false;
    return desc->tail == NULL ||
           (desc->tail->tail == NULL && (desc->tail->ptr_bytes == 0 || desc->size % TRI_WORD == 0));
}

/* ---- the mask ---- */

static void want_field(unsigned char *want, const tri_type_field *field)
{
    const tri_type *type = type_of(field);

    for (size_t i = 0; type->ptr_bytes != 0 && i < field->count; i++)
        for (size_t w = 0; w < type->size / TRI_WORD; w++)
            if (tri__layout_oracle(type, w))
                want[(field->offset + i * stride_of(field)) / TRI_WORD + w] = 1;
}

static void expect_layout(const tri_type *type, const tri_type_desc *desc)
{
    static unsigned char want[2 * MOST_WORDS + 2];
    size_t words = desc->size / TRI_WORD, tail = 0;
    uintptr_t limit, difference;

    memset(want, 0, words);
    for (size_t i = 0; i < desc->field_count; i++)
        want_field(want, &desc->fields[i]);
    for (size_t w = 0; w < words; w++)
        if (tri__layout_oracle(type, w) != want[w])
            fail(desc, "a wrong bit", w);
    if (desc->tail != NULL && desc->size % TRI_WORD == 0)
        tail = 3 * (desc->tail->size / TRI_WORD);
    for (size_t w = 0; w < tail; w++)
        if (tri__layout_oracle(type, words + w) != tri__layout_oracle(desc->tail, w))
            fail(desc, "a wrong bit of the tail", w);
    limit = NO_OBJECT + (words + tail) * TRI_WORD;
    difference = tri__layout_oracle_compare(tri__type_pointers_of_type(type, NO_OBJECT, limit),
                                            type, NO_OBJECT, NO_OBJECT, limit);
    if (difference != 0)
        fail(desc, "the iterator is wrong", (difference - NO_OBJECT) / TRI_WORD);
}

static void build(struct world *world, struct choices *choices)
{
    tri_type_field fields[FIELDS] = {{0}};
    tri_type_desc desc = {.name = choose(choices, 2) != 0 ? "fuzzed" : NULL, .fields = fields};
    tri_type *type = &world->built[world->built_count];
    int error;

    desc.size = choose(choices, MOST_WORDS >> choose(choices, 12)) * TRI_WORD;
    if (choose(choices, 8) == 0)
        desc.size += choose(choices, TRI_WORD);
    desc.field_count = choose(choices, FIELDS + 1);
    for (size_t i = 0; i < desc.field_count; i++)
        choose_field(world, choices, &fields[i], desc.size);
    if (choose(choices, 4) == 0)
        desc.tail = choose_type(world, choices);
    error = tri_type_build(type, &desc);
    if ((error == 0) != desc_is_sound(&desc))
        fail(&desc, error == 0 ? "taken" : "refused", 0);
    if (error != 0)
        return;
    world->built_count++;
    expect_layout(type, &desc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    static struct world world;

    world.layout_count = world.built_count = 0;
    while (world.layout_count < LAYOUTS)
        choose_layout(&input.choices, &world.layouts[world.layout_count++], 100);
    while (input.at < input.end && world.built_count < BUILT)
        build(&world, &input.choices);
    while (world.built_count > 0)
        tri__built_free(tri__built_of(&world.built[--world.built_count]));
    for (size_t i = 0; i < LAYOUTS; i++)
        drop_layout(&world.layouts[i]);
    return 0;
}
