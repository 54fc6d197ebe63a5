/* SPDX-License-Identifier: MIT */
/* GC programs: one decoder for their steps, and what is made of them. */
#include "layout/gc_program.h"

#include "base/fatal.h"
#include "layout/bit_cursor.h"
#include "layout/heap_bits.h"

/* Counts are bounded by this, so that bytes of the described words are a size. */
#define MOST_WORDS (SIZE_MAX / TRI_WORD)

/* ---- steps ---- */

struct decoder {
    const uint8_t *at, *end;
    const char *error; /* NULL as long as nothing is wrong */
};

struct step {
    size_t bits;
    size_t times;           /* how often they are written */
    const uint8_t *literal; /* NULL: they are the last ones written */
};

static struct decoder decoder_of(const tri_gc_program *program)
{
    return (struct decoder){program->code, program->code + program->bytes, NULL};
}

static bool fail(struct decoder *decoder, const char *error)
{
    decoder->error = error;
    return false;
}

static bool read_number(struct decoder *decoder, size_t *number)
{
    *number = 0;
    for (unsigned shift = 0; decoder->at < decoder->end; shift += 7) {
        uint8_t byte = *decoder->at++;
        size_t digits = byte & 0x7f;

        if (shift >= 64 || digits << shift >> shift != digits)
            return fail(decoder, "its program has a number of more than 64 bits");
        *number |= digits << shift;
        if ((byte & 0x80) == 0)
            return true;
    }
    return fail(decoder, "its program has no end");
}

static bool read_literal(struct decoder *decoder, struct step *step)
{
    size_t bytes = step->bits / 8 + (step->bits % 8 != 0);

    if (bytes > (size_t)(decoder->end - decoder->at))
        return fail(decoder, "its program ends inside a literal");
    step->literal = decoder->at;
    step->times = 1;
    decoder->at += bytes;
    if (step->bits % 8 != 0 && decoder->at[-1] >> step->bits % 8 != 0)
        return fail(decoder, "its program has a literal with bits behind its end");
    return true;
}

static bool read_repetition(struct decoder *decoder, struct step *step)
{
    step->literal = NULL;
    if (!read_number(decoder, &step->times))
        return false;
    if (step->bits == 0 || step->times == 0)
        return fail(decoder, "its program repeats nothing");
    return true;
}

/* false: the end, or an error. */
static bool next_step(struct decoder *decoder, struct step *step)
{
    size_t head;

    if (!read_number(decoder, &head))
        return false;
    step->bits = head / 2;
    if (head % 2 != 0)
        return read_repetition(decoder, step);
    if (head != 0)
        return read_literal(decoder, step);
    return decoder->at == decoder->end ? false : fail(decoder, "its program goes on after its end");
}

/* ---- the check ---- */

/* How many bits of the literal there are up to the last 1. */
static size_t literal_end(const struct step *step)
{
    for (size_t i = step->bits / 8 + (step->bits % 8 != 0); i-- > 0;)
        if (step->literal[i] != 0)
            return 8 * i + 32 - (unsigned)__builtin_clz(step->literal[i]);
    return 0;
}

/* Without writing anything: a repetition has a 1 if the last 1 so far is among the bits that it
 * repeats, and then in the same place of its last round. */
static const char *add_step(struct tri__gc_extent *extent, const struct step *step)
{
    size_t begin = extent->words, added, end;

    if (step->literal == NULL && step->bits > begin)
        return "its program repeats more than it has written";
    if (__builtin_mul_overflow(step->bits, step->times, &added) || added > MOST_WORDS - begin)
        return "its program describes more words than there are addresses";
    extent->words = begin + added;
    end = step->literal != NULL ? literal_end(step) : 0;
    if (end != 0)
        extent->pointer_end = begin + end;
    else if (step->literal == NULL && extent->pointer_end > begin - step->bits)
        extent->pointer_end += added;
    return NULL;
}

const char *tri__gc_program_check(const tri_gc_program *program, struct tri__gc_extent *extent)
{
    struct decoder decoder = decoder_of(program);
    struct step step;

    *extent = (struct tri__gc_extent){0, 0};
    while (next_step(&decoder, &step)) {
        const char *error = add_step(extent, &step);

        if (error != NULL)
            return error;
    }
    return decoder.error;
}

/* ---- the mask ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void write_literal(struct tri__bit_cursor *cursor, const uint8_t *literal, size_t bits)
{
    for (; bits >= 8; bits -= 8)
        tri__bit_cursor_write(cursor, *literal++, 8);
    if (bits != 0)
        tri__bit_cursor_write(cursor, *literal, (unsigned)bits);
}

/* The last `unit` bits, 64 at most, again and again until `bits` are written. */
static void repeat_short(struct tri__bit_cursor *cursor, const uint64_t *mask, size_t at,
                         unsigned unit, size_t bits)
{
    unsigned most = 64 / unit * unit;
    uint64_t pattern = tri__tile_bits(tri__heap_bits_read(mask, at - unit, unit), unit, most);

    if (pattern == 0) {
        tri__bit_cursor_pad(cursor, bits);
        return;
    }
    for (; bits > most; bits -= most)
        tri__bit_cursor_write(cursor, pattern, most);
    tri__bit_cursor_write(cursor, pattern, (unsigned)bits);
}

/* What is read was written 64 bits before at the least, but may still be pending. */
static void repeat_long(struct tri__bit_cursor *cursor, const uint64_t *mask, size_t at,
                        size_t unit, size_t bits)
{
    for (size_t from = at - unit; bits > 0;) {
        unsigned n = (unsigned)least(bits, 64);

        tri__bit_cursor_write(cursor, tri__heap_bits_read(mask, from, n), n);
        tri__bit_cursor_flush(cursor);
        from += n;
        bits -= n;
    }
}

void tri__gc_program_unroll(const tri_gc_program *program, uint64_t *mask, size_t words)
{
    struct decoder decoder = decoder_of(program);
    struct tri__bit_cursor cursor = tri__bit_cursor_at(mask, 0);
    struct step step;

    for (size_t at = 0, n; at < words; at += n) {
        bool more = next_step(&decoder, &step);

        TRI__ASSERT(more);
        n = least(step.bits * step.times, words - at);
        tri__bit_cursor_flush(&cursor); /* for repetitions, which read it */
        if (step.literal != NULL)
            write_literal(&cursor, step.literal, n);
        else if (step.bits <= 64)
            repeat_short(&cursor, mask, at, (unsigned)step.bits, n);
        else
            repeat_long(&cursor, mask, at, step.bits, n);
    }
    tri__bit_cursor_pad(&cursor, -words % 64);
    tri__bit_cursor_flush(&cursor);
}

/* Finds the step that writes the word, and how many words were written before it. */
static size_t find_step(const tri_gc_program *program, size_t word, struct step *step)
{
    struct decoder decoder = decoder_of(program);
    size_t at = 0;

    while (next_step(&decoder, step) && word - at >= step->bits * step->times)
        at += step->bits * step->times;
    TRI__ASSERT(decoder.error == NULL);
    return at;
}

bool tri__gc_program_bit(const tri_gc_program *program, size_t word)
{
    for (;;) {
        struct step step;
        size_t at = find_step(program, word, &step);

        word -= at;
        /* There is such a step: NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
        if (step.literal != NULL)
            return (step.literal[word / 8] >> word % 8 & 1) != 0;
        /* Before this step: NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
        word = at - step.bits + word % step.bits;
    }
}
