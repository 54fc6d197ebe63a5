/* SPDX-License-Identifier: MIT */
/* tests/layouts.h: types of every shape, by choices that somebody makes: a generator of random
 * numbers in tests, the input of a fuzzer in fuzz/.
 *
 * Masks are bits or bytes, pointers dense or rare, elements of one word up to more than a page,
 * leaf, plain or flexible. Behind ptr_bytes a mask is noise, as a program's may be. */
#ifndef TRI__TESTS_LAYOUTS_H
#define TRI__TESTS_LAYOUTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/size_class.h"
#include "layout/type.h"
#include "random.h"

/* next: a number below limit; limit 0: any number. */
struct choices {
    uint64_t (*next)(struct choices *choices, uint64_t limit);
};

static inline uint64_t choose(struct choices *choices, uint64_t limit)
{
    return choices->next(choices, limit);
}

struct random_choices {
    struct choices choices;
    struct random random;
};

static inline uint64_t next_random_choice(struct choices *choices, uint64_t limit)
{
    struct random *random = &((struct random_choices *)(void *)choices)->random;

    return limit != 0 ? random_below(random, limit) : random_next(random);
}

static inline struct random_choices random_choices_of(uint64_t seed, uint64_t stream)
{
    return (struct random_choices){{next_random_choice}, random_of(seed, stream)};
}

/* ---- types ---- */

#define LAYOUT_MASK_WORDS 64
#define LAYOUT_MOST_WORDS ((size_t)64 * LAYOUT_MASK_WORDS) /* of an element; a byte mask has less  \
                                                            */

struct layout {
    tri_type type, tail;
    struct tri__type_state state;        /* if the type may get hot */
    uint64_t mask[2][LAYOUT_MASK_WORDS]; /* of type, of tail: bits, or bytes */
    void *cache[2];
    struct spelled_out *spelled_out; /* of a type with a program; else NULL */
};

/* A type, or its tail, with a program: the same without one. */
struct spelled_out {
    tri_type type, tail;
    uint64_t *mask[2];
};

/* What the layout is held against. */
static inline const tri_type *layout_by_the_letter(const struct layout *layout)
{
    return layout->spelled_out != NULL ? &layout->spelled_out->type : &layout->type;
}

static inline void choose_bytes(struct choices *choices, uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = choose(choices, 2) != 0;
}

/* Every second word of bits is sparse in half of the masks: scalars in the middle of elements. */
static inline void choose_bits(struct choices *choices, uint64_t *bits, size_t count)
{
    bool sparse = choose(choices, 2) != 0;

    for (size_t i = 0; i < count; i++)
        bits[i] = choose(choices, 0);
    for (size_t i = 1; sparse && i < count; i += 2)
        bits[i] &= bits[i - 1] & bits[i - 1] >> 32;
}

static inline void choose_mask(struct choices *choices, struct layout *layout, tri_type *type,
                               unsigned which)
{
    size_t words = type->ptr_bytes / TRI_WORD;
    uint64_t *mask = layout->mask[which];

    if (words == 0)
        return;
    type->gc_data = mask;
    if (words <= sizeof layout->mask[which] && choose(choices, 3) == 0) {
        choose_bytes(choices, (uint8_t *)mask, words);
        type->flags |= TRI_TYPE_BYTE_MASK;
        type->cache = &layout->cache[which];
    } else {
        choose_bits(choices, mask, (words + 63) / 64);
    }
}

static inline size_t choose_words(struct choices *choices, size_t most)
{
    static const uint16_t limits[] = {1, 2, 4, 8, 16, 64, 70, 130, 500, LAYOUT_MOST_WORDS};
    size_t limit = limits[choose(choices, sizeof limits / sizeof *limits)];

    return 1 + choose(choices, limit < most ? limit : most);
}

static inline void choose_element(struct choices *choices, struct layout *layout, tri_type *type,
                                  unsigned which, size_t most)
{
    size_t words = choose_words(choices, most);

    *type = (tri_type){.size = words * TRI_WORD, .name = which == 0 ? "chosen" : "chosen tail"};
    if (choose(choices, 8) != 0)
        type->ptr_bytes = (1 + choose(choices, words)) * TRI_WORD;
    else if (which == 0 && choose(choices, 2) != 0)
        type->flags = TRI_TYPE_LEAF;
    choose_mask(choices, layout, type, which);
}

static inline void choose_tail(struct choices *choices, struct layout *layout, size_t most)
{
    choose_element(choices, layout, &layout->tail, 1, most);
    layout->type.flags = (layout->type.flags & TRI_TYPE_BYTE_MASK) | TRI_TYPE_FLEX;
    layout->type.tail = &layout->tail;
    if (choose(choices, 8) == 0) { /* nothing before the tail */
        layout->type.size = layout->type.ptr_bytes = 0;
        layout->type.flags = TRI_TYPE_FLEX;
    }
}

/* Elements have at most `most` words. The layout must not move afterwards: its type points into
 * it. */
static inline void choose_layout(struct choices *choices, struct layout *layout, size_t most)
{
    memset(layout, 0, sizeof *layout);
    choose_element(choices, layout, &layout->type, 0, most);
    if (choose(choices, 3) == 0)
        choose_tail(choices, layout, most);
    if (choose(choices, 2) == 0) /* of the other half byte masks are gathered word by word */
        tri__type_mask(&layout->type);
    if (choose(choices, 2) == 0)
        tri__type_mask(&layout->tail);
}

/* One that may get hot, of so many words, as the macros make it. There must be no heap any more
 * that has spans of the layout that was here before. */
static inline void choose_stateful_layout(struct choices *choices, struct layout *layout,
                                          size_t words)
{
    tri_type *type = &layout->type;
    size_t bytes = words * TRI_WORD, footer = bytes > TRI__BITMAP_BYTES ? TRI__FOOTER_BYTES : 0;

    memset(layout, 0, sizeof *layout);
    *type = (tri_type){.size = bytes, .name = "chosen", .extras = TRI__HAS_STATE, .run_tag = type};
    type->ptr_bytes = (1 + choose(choices, words)) * TRI_WORD;
    choose_mask(choices, layout, type, 0);
    type->cache = &layout->state.mask;
    type->slot_size = (uint16_t)tri__class_info[2 * tri__size_to_class(bytes)].size;
    type->span_class = (uint8_t)(2 * tri__size_to_class(bytes + footer));
}

static inline void drop_layout(struct layout *layout)
{
    free(layout->cache[0]);
    free(layout->cache[1]);
    free(layout->state.mask);
}

static inline void describe_layout(const struct layout *layout)
{
    const tri_type *type = &layout->type, *tail = type->tail;

    fprintf(stderr, "type: size %zu, ptr_bytes %zu, flags %x", type->size, type->ptr_bytes,
            type->flags);
    if (tail != NULL)
        fprintf(stderr, "; tail: size %zu, ptr_bytes %zu, flags %x", tail->size, tail->ptr_bytes,
                tail->flags);
    fprintf(stderr, "\n");
}

#endif
