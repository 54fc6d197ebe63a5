/* SPDX-License-Identifier: MIT */
/* GC programs, any bytes or nearly sound ones: what is refused, what they describe, and the types
 * made of them, held against a decoder that works word by word. */
#include <stdio.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "layout/gc_program.h"
#include "layout/oracle.h"
#include "layout/type_build.h"
#include "tests/naive_gc_program.h"

#define ROOM ((size_t)1 << 16)
#define CODE_BYTES 512
#define NO_OBJECT ((uintptr_t)0x700000001000)
#define SENTINEL UINT64_C(0xa1a1a1a1a1a1a1a1)

static void fail(const char *what, size_t word)
{
    fprintf(stderr, "%s, word %zu\n", what, word);
    abort();
}

/* ---- programs that are sound, or were before a byte was changed ---- */

struct code {
    uint8_t bytes[CODE_BYTES];
    size_t used;
};

static void put(struct code *code, uint8_t byte)
{
    if (code->used < sizeof code->bytes)
        code->bytes[code->used++] = byte;
}

static void put_number(struct code *code, uint64_t number)
{
    for (; number >= 128; number /= 128)
        put(code, (uint8_t)(number % 128 + 128));
    put(code, (uint8_t)number);
}

static uint64_t put_literal(struct code *code, struct choices *choices)
{
    uint64_t bits = 1 + choose(choices, 70);

    put_number(code, 2 * bits);
    for (uint64_t k = 0; k < bits; k += 8)
        put(code, (uint8_t)choose(choices, bits - k >= 8 ? 256 : UINT64_C(1) << (bits - k)));
    return bits;
}

static uint64_t put_repetition(struct code *code, struct choices *choices, uint64_t written)
{
    uint64_t bits = 1 + choose(choices, choose(choices, 4) != 0 && written > 64 ? 64 : written);
    uint64_t times = 1 + choose(choices, choose(choices, 4) != 0 ? 10 : 3000);

    put_number(code, 2 * bits + 1);
    put_number(code, times);
    return bits * times;
}

static void make_code(struct code *code, struct choices *choices)
{
    uint64_t written = put_literal(code, choices), steps = choose(choices, 12);

    for (uint64_t i = 0; i < steps && written < ROOM; i++)
        written += choose(choices, 2) != 0 ? put_literal(code, choices)
                                           : put_repetition(code, choices, written);
    put(code, TRI_GC_END);
    if (choose(choices, 4) == 0)
        code->bytes[choose(choices, code->used)] ^= (uint8_t)choose(choices, 256);
    if (choose(choices, 8) == 0)
        code->used = choose(choices, code->used + 1);
}

/* ---- held against the naive decoder ---- */

static void expect_mask(const tri_gc_program *program, const struct naive_program *naive)
{
    static uint64_t mask[ROOM / 64 + 1];
    size_t words = (naive->count + 63) / 64;

    mask[words] = SENTINEL;
    tri__gc_program_unroll(program, mask, naive->count);
    if (mask[words] != SENTINEL)
        fail("written past the end", words * 64);
    for (size_t w = 0; w < words * 64; w++)
        if ((mask[w / 64] >> w % 64 & 1) != (w < naive->count && naive->words[w]))
            fail("unrolled to a wrong bit", w);
    for (size_t w = 0; w < naive->count; w += 1 + w / 16)
        if (tri__gc_program_bit(program, w) != naive->words[w])
            fail("a wrong bit alone", w);
}

/* Of two elements, whole and from somewhere on. */
static void expect_walk(const tri_type *type, const struct naive_program *naive, size_t from)
{
    uintptr_t limit = NO_OBJECT + 2 * type->size, slot;
    struct tri__type_pointers it = tri__type_pointers_of_type(type, NO_OBJECT, limit);

    tri__type_pointers_fast_forward(&it, NO_OBJECT + from * TRI_WORD, limit);
    slot = tri__type_pointers_next(&it);
    for (size_t w = from; w < 2 * naive->count; w++) {
        bool visited = slot == NO_OBJECT + w * TRI_WORD;

        if (visited != naive->words[w % naive->count])
            fail("the iterator is wrong", w);
        if (visited)
            slot = tri__type_pointers_next(&it);
    }
    if (slot != 0)
        fail("the iterator goes on", (slot - NO_OBJECT) / TRI_WORD);
}

static void expect_type(const tri_gc_program *program, const struct naive_program *naive,
                        size_t from)
{
    tri_type_desc desc = {.name = "program", .size = naive->count * TRI_WORD, .program = *program};
    tri_type type;

    if (tri_type_build(&type, &desc) != 0)
        fail("a sound program is refused", naive->count);
    expect_walk(&type, naive, 0);
    expect_walk(&type, naive, from % (2 * naive->count));
    tri__built_free(tri__built_of(&type));
    desc.size += TRI_WORD;
    if (tri_type_build(&type, &desc) == 0)
        fail("a program of another size is taken", naive->count);
}

static void try_program(const tri_gc_program *program, size_t from)
{
    static unsigned char words[ROOM];
    struct naive_program naive = {words, 0, ROOM};
    struct tri__gc_extent extent;
    enum naive_result result = naive_decode(program, &naive);
    const char *error = tri__gc_program_check(program, &extent);

    if (result == NAIVE_TOO_LONG)
        return;
    if ((error == NULL) != (result == NAIVE_GOOD))
        fail(error != NULL ? error : "a malformed program is taken", naive.count);
    if (error != NULL)
        return;
    if (extent.words != naive.count || extent.pointer_end != naive_pointer_end(&naive))
        fail("wrong about its length", naive.count);
    expect_mask(program, &naive);
    if (naive.count != 0)
        expect_type(program, &naive, from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    struct code code = {.used = 0};
    size_t from = input_number(&input, 2);
    bool raw = choose(&input.choices, 2) != 0;
    uint8_t *exact;

    if (!raw)
        make_code(&code, &input.choices);
    for (; raw && input.at < input.end && code.used < sizeof code.bytes; input.at++)
        put(&code, *input.at);
    /* A block of exactly its size, so that ASan sees who reads past the end. */
    exact = malloc(code.used + (code.used == 0));
    if (exact == NULL)
        return 0;
    memcpy(exact, code.bytes, code.used);
    try_program(&(tri_gc_program){exact, code.used}, from);
    free(exact);
    return 0;
}
