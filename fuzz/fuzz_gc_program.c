/* SPDX-License-Identifier: MIT */
/* GC programs: any bytes are one. What the library says of it is held against a decoder that follows
 * the letter of tricolor/gc_program.h, and so is each bit, whichever way it is asked for. */
#include "fuzz/fuzz.h"
#include "layout/gc_program.h"
#include "tests/naive_gc_program.h"

#define ROOM ((size_t)1 << 16) /* words of the longest program that is looked at bit by bit */
#define SINGLE_BITS 300        /* asked for one by one, which is slow */

static void fail(const char *what, size_t word)
{
    fprintf(stderr, "fuzz_gc_program: %s, word %zu\n", what, word);
    abort();
}

/* Into memory of exactly the size that is promised to be enough. */
static void compare_mask(const tri_gc_program *program, const struct naive_program *wanted,
                         size_t words)
{
    size_t length = (words + 63) / 64;
    uint64_t *mask = malloc(length * sizeof *mask + (length == 0));

    if (mask == NULL)
        abort();
    memset(mask, 0xa1, length * sizeof *mask);
    tri__gc_program_unroll(program, mask, words);
    for (size_t k = 0; k < length * 64; k++)
        if ((mask[k / 64] >> k % 64 & 1) != (k < words && wanted->words[k]))
            fail("the mask differs", k);
    free(mask);
}

static void compare(const tri_gc_program *program, const struct naive_program *wanted,
                    const struct tri__gc_extent *extent, uint64_t choice)
{
    if (extent->words != wanted->count)
        fail("another number of words", extent->words);
    if (extent->pointer_end != naive_pointer_end(wanted))
        fail("the last pointer is elsewhere", extent->pointer_end);
    compare_mask(program, wanted, wanted->count);
    compare_mask(program, wanted, choice % (wanted->count + 1));
    for (size_t k = 0; k < SINGLE_BITS && wanted->count != 0; k++) {
        size_t word = (size_t)(choice + k * 977) % wanted->count;

        if (tri__gc_program_bit(program, word) != wanted->words[word])
            fail("a single bit differs", word);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char words[ROOM];
    struct naive_program naive = {.words = words, .room = ROOM};
    struct input input = input_of(data, size);
    uint64_t choice = input_number(&input, 2);
    tri_gc_program program = {input.at, (size_t)(input.end - input.at)};
    struct tri__gc_extent extent = {0};
    const char *message;
    enum naive_result wanted;

    if (program.bytes == 0)
        return 0;
    message = tri__gc_program_check(&program, &extent);
    wanted = naive_decode(&program, &naive);
    if (wanted == NAIVE_GOOD && message != NULL)
        fail(message, naive.count);
    if (wanted == NAIVE_MALFORMED && message == NULL)
        fail("accepted, though malformed", extent.words);
    if (wanted == NAIVE_GOOD)
        compare(&program, &naive, &extent, choice);
    return 0;
}
