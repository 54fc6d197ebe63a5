/* SPDX-License-Identifier: MIT */
/* tests/program_layouts.h: types made by tri_type_build() of GC programs, by choices as in
 * layouts.h; beside each the same type with a mask, by the decoder that follows the letter. */
#ifndef TRI__TESTS_PROGRAM_LAYOUTS_H
#define TRI__TESTS_PROGRAM_LAYOUTS_H

#include "layout/type_build.h"
#include "layouts.h"
#include "naive_gc_program.h"

#define PROGRAM_STEPS 8
#define PROGRAM_LITERAL ((size_t)80)
#define PROGRAM_BYTES 160
/* Words up to the last pointer from which on a mask belongs to its object. */
#define PROGRAM_OWN_WORDS (8 * TRI__SHARED_MASK_BYTES)
#define PROGRAM_ROOM (PROGRAM_OWN_WORDS + 2 * LAYOUT_MOST_WORDS)

struct program_text {
    uint8_t code[PROGRAM_BYTES];
    size_t bytes, words; /* words: of the type, so far */
};

static inline void put_program_number(struct program_text *text, uint64_t number)
{
    for (; number >= 128; number /= 128)
        text->code[text->bytes++] = (uint8_t)(number % 128 | 128);
    text->code[text->bytes++] = (uint8_t)number;
}

static inline void choose_literal(struct choices *choices, struct program_text *text, size_t most)
{
    size_t bits = 1 + choose(choices, most < PROGRAM_LITERAL ? most : PROGRAM_LITERAL);

    put_program_number(text, 2 * bits);
    for (size_t left = bits; left > 0; left -= left < 8 ? left : 8) {
        uint64_t limit = left < 8 ? UINT64_C(1) << left : 256;

        text->code[text->bytes++] = (uint8_t)choose(choices, limit);
    }
    text->words += bits;
}

static inline void put_repetition(struct program_text *text, size_t bits, size_t times)
{
    put_program_number(text, 2 * bits + 1);
    put_program_number(text, times);
    text->words += bits * times;
}

static inline void choose_step(struct choices *choices, struct program_text *text, size_t most)
{
    size_t left = most - text->words, bits;

    if (left == 0)
        return;
    if (text->words == 0 || choose(choices, 3) == 0) {
        choose_literal(choices, text, left);
        return;
    }
    bits = 1 + choose(choices, text->words < left ? text->words : left);
    put_repetition(text, bits, 1 + choose(choices, left / bits));
}

/* Of up to `most` words; or of so many that an object needs a mask of its own. */
static inline struct program_text choose_program(struct choices *choices, size_t most, bool own)
{
    struct program_text text = {.bytes = 0};
    uint64_t steps = 1 + choose(choices, PROGRAM_STEPS);

    if (own) { /* it begins with a pointer, so its last one is not far from the end */
        put_program_number(&text, 2 * 1);
        text.code[text.bytes++] = 1;
        text.words = 1;
    }
    for (; steps > 0; steps--)
        choose_step(choices, &text, most);
    if (own)
        put_repetition(&text, text.words, PROGRAM_OWN_WORDS / text.words + 1);
    text.code[text.bytes++] = TRI_GC_END;
    return text;
}

/* ---- the same without a program ---- */

static inline uint64_t *mask_of_words(const unsigned char *words, size_t count)
{
    uint64_t *mask = calloc(count / 64 + 1, sizeof *mask);

    if (mask == NULL)
        abort();
    for (size_t k = 0; k < count; k++)
        mask[k / 64] |= (uint64_t)words[k] << k % 64;
    return mask;
}

static inline void spell_out(tri_type *type, uint64_t **mask, const tri_gc_program *program)
{
    static unsigned char words[PROGRAM_ROOM];
    struct naive_program naive = {.words = words, .room = PROGRAM_ROOM};

    if (naive_decode(program, &naive) != NAIVE_GOOD)
        abort();
    *mask = mask_of_words(words, naive.count);
    *type = (tri_type){.size = naive.count * TRI_WORD,
                       .ptr_bytes = naive_pointer_end(&naive) * TRI_WORD,
                       .gc_data = *mask};
}

/* ---- types ---- */

static inline void build_program_type(struct choices *choices, struct layout *layout,
                                      unsigned which, size_t most, bool own)
{
    struct program_text text = choose_program(choices, most, own);
    struct spelled_out *letter = layout->spelled_out;
    tri_type *type = which == 0 ? &layout->type : &layout->tail;
    tri_type_desc desc = {.name = which == 0 ? "program" : "program tail",
                          .size = text.words * TRI_WORD,
                          .program = {text.code, text.bytes}};

    spell_out(which == 0 ? &letter->type : &letter->tail, &letter->mask[which], &desc.program);
    if (which == 0 && layout->tail.size != 0) {
        desc.tail = &layout->tail;
        letter->type.tail = letter->tail.size != 0 ? &letter->tail : &layout->tail;
    }
    if (tri_type_build(type, &desc) != 0)
        abort();
}

/* A type of tri_type_build() with a program of up to `most` words, and sometimes a tail, with a
 * program or without. own: one of the two is so large that each object has a mask of its own. */
static inline void choose_program_layout(struct choices *choices, struct layout *layout,
                                         size_t most, bool own)
{
    bool flexible = choose(choices, 4) == 0, own_tail = own && flexible;

    memset(layout, 0, sizeof *layout);
    layout->spelled_out = calloc(1, sizeof *layout->spelled_out);
    if (layout->spelled_out == NULL)
        abort();
    if (flexible && (own_tail || choose(choices, 2) == 0))
        build_program_type(choices, layout, 1, most, own_tail);
    else if (flexible)
        choose_element(choices, layout, &layout->tail, 1, most);
    build_program_type(choices, layout, 0, most, own && !flexible);
}

static inline void drop_program_layout(struct layout *layout)
{
    if (layout->spelled_out != NULL) {
        tri__built_free(tri__built_of(&layout->type));
        if ((layout->tail.flags & TRI_TYPE_BUILT) != 0)
            tri__built_free(tri__built_of(&layout->tail));
        free(layout->spelled_out->mask[0]);
        free(layout->spelled_out->mask[1]);
        free(layout->spelled_out);
    }
    drop_layout(layout);
}

#endif
