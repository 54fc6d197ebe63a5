/* SPDX-License-Identifier: MIT */
/* GC programs: known ones, malformed ones, and random ones against the naive decoder. */
#include <check.h>
#include <string.h>

#include "layout/gc_program.h"
#include "naive_gc_program.h"
#include "random.h"
#include "suite.h"
#include "type_shapes.h"

#define MOST_WORDS ((size_t)70000)
#define RANDOM_PROGRAMS 2000
#define RANDOM_BYTES 30000

static uint64_t seed;

static unsigned char words[MOST_WORDS];

/* A number of many groups. */
#define N5(a, b, c, d, e) 0x80 | (a), 0x80 | (b), 0x80 | (c), 0x80 | (d), (e)
#define LONGEST_NUMBER 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01

#define CODE(...) {(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})}
#define LITERAL TRI_GC_LITERAL
#define REPEAT TRI_GC_REPEAT

/* ------------------------------------------------------------------------------ known programs */

/* The first word in which the mask differs: it has `count` of words[], then zeros, then what was
 * there before. */
static size_t first_difference(const uint64_t *mask, size_t length, size_t count)
{
    for (size_t w = 0; w < 64 * length; w++) {
        bool old = UINT64_C(0xa1a1a1a1a1a1a1a1) >> w % 64 & 1;
        bool want = w < count ? words[w] : w < (count + 63) / 64 * 64 ? false : old;

        if ((mask[w / 64] >> w % 64 & 1) != want)
            return w;
    }
    return SIZE_MAX;
}

static void expect_mask(const tri_gc_program *program, size_t count)
{
    static uint64_t mask[MOST_WORDS / 64 + 3];
    size_t length = count / 64 + 3;

    memset(mask, 0xa1, length * sizeof *mask);
    tri__gc_program_unroll(program, mask, count);
    ck_assert_uint_eq(first_difference(mask, length, count), SIZE_MAX);
}

static void expect_bits(const tri_gc_program *program, size_t count)
{
    size_t w = 0;

    while (w < count && tri__gc_program_bit(program, w) == words[w])
        w += count > 1000 ? 97 : 1;
    ck_assert_uint_ge(w, count);
}

/* The program says `count` words. */
static void expect_words(const tri_gc_program *program, size_t count)
{
    struct naive_program want = {words, count, count};
    struct tri__gc_extent extent;

    ck_assert_ptr_eq(tri__gc_program_check(program, &extent), NULL);
    ck_assert_uint_eq(extent.words, count);
    ck_assert_uint_eq(extent.pointer_end, naive_pointer_end(&want));
    expect_mask(program, count);
    expect_bits(program, count);
}

static const struct {
    tri_gc_program program;
    const char *mask; /* as in type_shapes.h */
} known[] = {
    {CODE(TRI_GC_END), ""},
    {CODE(LITERAL(1), 1, TRI_GC_END), "1"},
    {CODE(LITERAL(1), 0, TRI_GC_END), "0"},
    {CODE(LITERAL(3), 5, TRI_GC_END), "101"},
    {CODE(LITERAL(8), 0x81, TRI_GC_END), "10000001"},
    {CODE(LITERAL(9), 0x81, 1, TRI_GC_END), "100000011"},
    {CODE(LITERAL(63), 0, 0, 0, 0, 0, 0, 0, 0x40, TRI_GC_END), "62*0,1"},
    {CODE(0x80, 1, 1, 0, 0, 0, 0, 0, 0, 0x80, TRI_GC_END), "1,62*0,1"}, /* a head of 2 bytes: 64 */
    {CODE(0x82, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, TRI_GC_END), "1,63*0,1"},
    {CODE(LITERAL(2), 1, REPEAT(2), 4, TRI_GC_END), "5*10"},
    {CODE(LITERAL(3), 5, REPEAT(2), 2, REPEAT(3), 1, TRI_GC_END), "101,01,01,101"},
    {CODE(LITERAL(1), 1, REPEAT(1), 63, TRI_GC_END), "64*1"},
    {CODE(LITERAL(1), 1, REPEAT(1), 64, TRI_GC_END), "65*1"},
    {CODE(LITERAL(1), 1, REPEAT(1), 0x8f, 0x4e, TRI_GC_END), "10000*1"},
    {CODE(LITERAL(1), 1, LITERAL(1), 0, REPEAT(1), 0x8e, 0x4e, LITERAL(1), 1, TRI_GC_END),
     "1,9999*0,1"},
    {CODE(LITERAL(1), 1, LITERAL(1), 0, REPEAT(1), 62, 0x81, 1, 9, TRI_GC_END), "10*1,63*0"},
    {CODE(LITERAL(1), 1, LITERAL(1), 0, REPEAT(1), 63, 0x83, 1, 9, TRI_GC_END), "x65"},
    /* The number 3 in five bytes: long, but a number. */
    {CODE(LITERAL(1), 1, REPEAT(1), N5(3, 0, 0, 0, 0), TRI_GC_END), "4*1"},
    /* 100 pointers and 100 scalars, 4 times: the last scalars are written, too */
    {CODE(LITERAL(1), 1, REPEAT(1), 99, LITERAL(1), 0, REPEAT(1), 99, 0x91, 3, 3, TRI_GC_END),
     "100*1,100*0,100*1,100*0,100*1,100*0,100*1,100*0"},
};

/* Ten times a 1 and so many zeros; shapes cannot say it. */
static size_t ones_apart(size_t zeros)
{
    memset(words, 0, sizeof words);
    for (size_t i = 0; i < 10; i++)
        words[i * (zeros + 1)] = 1;
    return 10 * (zeros + 1);
}

START_TEST(known_programs)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char *mask = known[i].mask;
        size_t count = strcmp(mask, "10*1,63*0") == 0 ? ones_apart(63)
                       : strcmp(mask, "x65") == 0     ? ones_apart(64)
                                                      : shape_words(mask, words, MOST_WORDS);

        expect_words(&known[i].program, count);
    }
}
END_TEST

/* The one in gc_program.h. */
START_TEST(the_example)
{
    static const uint8_t code[] = {
        TRI_GC_LITERAL(2), 0x01,
        TRI_GC_REPEAT(1), 0xe6, 0x07,
        0xd1, 0x0f, 0xf3, 0x03,
        TRI_GC_END,
    };
    tri_gc_program program = {code, sizeof code};
    struct tri__gc_extent extent;

    ck_assert_ptr_eq(tri__gc_program_check(&program, &extent), NULL);
    ck_assert_uint_eq(extent.words, 500 * 1000);
    ck_assert_uint_eq(extent.pointer_end, 499 * 1000 + 1);
    for (size_t i = 0; i < 500; i++) {
        ck_assert(tri__gc_program_bit(&program, 1000 * i));
        ck_assert(!tri__gc_program_bit(&program, 1000 * i + 1 + i));
    }
}
END_TEST

/* Only as many words as there is room for, wherever that ends. */
START_TEST(a_mask_may_be_shorter)
{
    static const uint8_t code[] = {LITERAL(5), 0x13, REPEAT(5), 40, REPEAT(3), 99, TRI_GC_END};
    tri_gc_program program = {code, sizeof code};
    struct naive_program all = {words, 0, MOST_WORDS};

    ck_assert_int_eq(naive_decode(&program, &all), NAIVE_GOOD);
    for (size_t count = 0; count <= all.count; count++)
        expect_mask(&program, count);
}
END_TEST

/* --------------------------------------------------------------------------- malformed programs */

static const struct {
    tri_gc_program program;
    const char *message;
} malformed[] = {
    {{NULL, 0}, "no end"},
    {CODE(LITERAL(1), 1), "no end"},
    {CODE(LITERAL(8)), "inside a literal"},
    {CODE(LITERAL(9), 1), "inside a literal"},
    {CODE(0x80), "no end"},
    {CODE(LITERAL(1), 1, REPEAT(1)), "no end"},
    {CODE(LITERAL(1), 1, REPEAT(1), 0x80), "no end"},
    {CODE(LITERAL(1), 1, TRI_GC_END, TRI_GC_END), "after its end"},
    {CODE(LITERAL(1), 3, TRI_GC_END), "behind its end"},
    {CODE(LITERAL(7), 0x80, TRI_GC_END), "behind its end"},
    {CODE(REPEAT(1), 1, TRI_GC_END), "more than it has written"},
    {CODE(LITERAL(2), 1, REPEAT(3), 1, TRI_GC_END), "more than it has written"},
    {CODE(LITERAL(2), 1, REPEAT(0), 1, TRI_GC_END), "repeats nothing"},
    {CODE(LITERAL(2), 1, REPEAT(1), 0, TRI_GC_END), "repeats nothing"},
    {CODE(LONGEST_NUMBER, 1, TRI_GC_END), "more than it has written"},
    {CODE(0xfe, LONGEST_NUMBER, TRI_GC_END), "64 bits"},
    {CODE(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, TRI_GC_END), "64 bits"},
    {CODE(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, TRI_GC_END), "64 bits"},
    {CODE(0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 1, 0), "inside a literal"},
    {CODE(LITERAL(1), 1, REPEAT(1), LONGEST_NUMBER, TRI_GC_END), "more words than"},
    {CODE(LITERAL(2), 1, REPEAT(2), LONGEST_NUMBER, TRI_GC_END), "more words than"},
    {CODE(LITERAL(1), 1, REPEAT(1), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f,
          TRI_GC_END),
     "more words than"}, /* 2^61 */
};

START_TEST(malformed_programs)
{
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        struct naive_program none = {words, 0, MOST_WORDS};
        struct tri__gc_extent extent;
        const char *message = tri__gc_program_check(&malformed[i].program, &extent);

        ck_assert_msg(message != NULL && strstr(message, malformed[i].message) != NULL,
                      "%zu: \"%s\" instead of \"%s\"", i, message ? message : "nothing",
                      malformed[i].message);
        ck_assert_int_eq(naive_decode(&malformed[i].program, &none), NAIVE_MALFORMED);
    }
}
END_TEST

/* Counts near the limit, and repetitions of repetitions: the check takes no longer for it. */
START_TEST(the_check_does_not_count)
{
    static const uint8_t most[] = {LITERAL(1), 1, REPEAT(1), 0xfe, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0xff, 0x1f, TRI_GC_END};
    static uint8_t doubled[4 * 61 + 3];
    tri_gc_program program = {most, sizeof most};
    struct tri__gc_extent extent;
    size_t at = 0;

    ck_assert_ptr_eq(tri__gc_program_check(&program, &extent), NULL);
    ck_assert_uint_eq(extent.words, SIZE_MAX / TRI_WORD);
    ck_assert_uint_eq(extent.pointer_end, extent.words);
    doubled[at++] = LITERAL(2);
    doubled[at++] = 1;
    for (unsigned i = 0; i < 30; i++) { /* the last 2 bits, then twice as many, and so on */
        uint64_t head = 2 * (UINT64_C(2) << i) + 1;

        for (; head >= 128; head >>= 7)
            doubled[at++] = (uint8_t)(head | 128);
        doubled[at++] = (uint8_t)head;
        doubled[at++] = 1;
        ck_assert_uint_lt(at, sizeof doubled);
    }
    doubled[at++] = TRI_GC_END;
    program = (tri_gc_program){doubled, at};
    ck_assert_ptr_eq(tri__gc_program_check(&program, &extent), NULL);
    ck_assert_uint_eq(extent.words, UINT64_C(2) << 30);
    ck_assert_uint_eq(extent.pointer_end, extent.words - 1);
    for (size_t w = 0; w < extent.words; w += 123456789)
        ck_assert(tri__gc_program_bit(&program, w) == (w % 2 == 0));
}
END_TEST

/* -------------------------------------------------------------------------------- random programs */

struct writer {
    uint8_t code[4096];
    size_t at, words;
};

static void put_number(struct writer *writer, uint64_t number)
{
    for (; number >= 128; number >>= 7)
        writer->code[writer->at++] = (uint8_t)(number | 128);
    writer->code[writer->at++] = (uint8_t)number;
}

static void put_literal(struct writer *writer, struct random *random)
{
    uint64_t n = 1 + random_below(random, random_below(random, 2) ? 200 : 12);

    put_number(writer, 2 * n);
    for (uint64_t k = 0; k < n; k += 8) {
        unsigned byte = (unsigned)(random_next(random) & random_next(random)) & 0xff;

        writer->code[writer->at++] = (uint8_t)(n - k < 8 ? byte & ((1u << (n - k)) - 1) : byte);
    }
    writer->words += n;
}

/* What is repeated: a word, around a mask word, anything. */
static void put_repetition(struct writer *writer, struct random *random)
{
    static const uint8_t near[] = {1, 2, 3, 31, 32, 33, 63, 64, 65, 127, 128, 129};
    uint64_t n = near[random_below(random, sizeof near)], c = 1 + random_below(random, 30);

    if (writer->words == 0)
        return;
    if (n > writer->words || random_below(random, 3) == 0)
        n = 1 + random_below(random, writer->words);
    if (writer->words + n * c > MOST_WORDS - 12 * 200) /* literals may follow */
        return;
    put_number(writer, 2 * n + 1);
    put_number(writer, c);
    writer->words += n * c;
}

START_TEST(random_programs)
{
    struct random random = random_of(seed, 1);

    for (int i = 0; i < RANDOM_PROGRAMS; i++) {
        struct writer writer = {.at = 0};
        struct naive_program all = {words, 0, MOST_WORDS};
        tri_gc_program program;

        for (uint64_t steps = random_below(&random, 12); steps > 0; steps--)
            (random_below(&random, 2) ? put_literal : put_repetition)(&writer, &random);
        writer.code[writer.at++] = TRI_GC_END;
        program = (tri_gc_program){writer.code, writer.at};
        ck_assert_int_eq(naive_decode(&program, &all), NAIVE_GOOD);
        ck_assert_uint_eq(all.count, writer.words);
        expect_words(&program, all.count);
    }
}
END_TEST

/* Bytes of no sense: both decoders accept the same ones, and from a buffer that ends with them. */
static bool try_bytes(struct random *random)
{
    size_t bytes = random_below(random, 12);
    uint8_t *code = malloc(bytes + (bytes == 0));
    tri_gc_program program = {code, bytes};
    struct naive_program all = {words, 0, MOST_WORDS};
    struct tri__gc_extent extent;
    enum naive_result want;
    bool accepted;

    for (size_t k = 0; k < bytes; k++)
        code[k] = (uint8_t)(random_below(random, 2) ? random_below(random, 8)
                                                    : random_next(random));
    if (bytes != 0)
        code[bytes - 1] = 0;
    want = naive_decode(&program, &all);
    accepted = tri__gc_program_check(&program, &extent) == NULL;
    if (want != NAIVE_TOO_LONG)
        ck_assert(accepted == (want == NAIVE_GOOD));
    if (want == NAIVE_GOOD)
        expect_words(&program, all.count);
    free(code);
    return accepted;
}

START_TEST(random_bytes)
{
    struct random random = random_of(seed, 2);
    size_t good = 0;

    for (int i = 0; i < RANDOM_BYTES; i++)
        good += try_bytes(&random);
    ck_assert_uint_gt(good, RANDOM_BYTES / 100);
}
END_TEST

int main(int argc, char **argv)
{
    seed = random_start(argc, argv);
    Suite *suite = suite_create("gc_program");
    TCase *tcase = tcase_create("gc_program");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, known_programs);
    tcase_add_test(tcase, the_example);
    tcase_add_test(tcase, a_mask_may_be_shorter);
    tcase_add_test(tcase, malformed_programs);
    tcase_add_test(tcase, the_check_does_not_count);
    tcase_add_test(tcase, random_programs);
    tcase_add_test(tcase, random_bytes);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
