/* SPDX-License-Identifier: MIT */
/* Bitmaps of the 512 pages of a chunk: find, set, clear and count ranges, and sum up the free runs.
 *
 * A set bit is a page in use (or dirty: the meaning is the user's). Pure functions on plain words.
 * Threads: whoever owns the bitmap; the page heap calls them under its lock. */
#ifndef TRI__HEAP_PAGE_BITS_H
#define TRI__HEAP_PAGE_BITS_H

#include <tricolor/size_class.h>

#define TRI__CHUNK_SHIFT 22
#define TRI__CHUNK_BYTES ((size_t)1 << TRI__CHUNK_SHIFT)
#define TRI__CHUNK_PAGES (1u << (TRI__CHUNK_SHIFT - TRI__PAGE_SHIFT))

#define TRI__PAGE_BITS_WORDS (TRI__CHUNK_PAGES / 64)

struct tri__page_bits {
    uint64_t word[TRI__PAGE_BITS_WORDS];
};

/* The free runs of some consecutive pages: those that touch the two ends, and the longest of all.
 * All zero is "nothing free", which is also what memory never touched says. */
struct tri__page_summary {
    uint32_t start;
    uint32_t max;
    uint32_t end;
};

/* Bits [first, first + count) of a word; first + count <= 64, count >= 1. */
static inline uint64_t tri__bit_range64(unsigned first, unsigned count)
{
    /* count is not 0: NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
    return (UINT64_MAX >> (64 - count)) << first;
}

static inline unsigned tri__trailing_ones64(uint64_t word)
{
    return word == UINT64_MAX ? 64 : (unsigned)__builtin_ctzll(~word);
}

static inline unsigned tri__leading_ones64(uint64_t word)
{
    return word == UINT64_MAX ? 64 : (unsigned)__builtin_clzll(~word);
}

/* The lowest place of `count` (1 … 64) consecutive ones, 64 if there is none.
 *
 * While bit i says "ones at i … i + have - 1", and-ing the word with itself shifted by `step`
 * makes that have + step, as long as step <= have. So the length doubles, and a last shorter
 * step makes it exact. */
static inline unsigned tri__find_bit_range64(uint64_t word, unsigned count)
{
    unsigned have = 1;
    while (have < count && word != 0) {
        unsigned step = count - have < have ? count - have : have;
        word &= word >> step;
        have += step;
    }
    return word == 0 ? 64 : (unsigned)__builtin_ctzll(word);
}

/* The part of pages [first, first + count) that lies in word w, as a mask of that word. */
static inline uint64_t tri__page_bits_mask(unsigned w, unsigned first, unsigned count)
{
    unsigned low = first > 64 * w ? first - 64 * w : 0;
    unsigned high = first + count < 64 * w + 64 ? first + count - 64 * w : 64;
    return tri__bit_range64(low, high - low);
}

/* Ranges are not empty and end inside the chunk. */
static inline void tri__page_bits_set_range(struct tri__page_bits *bits, unsigned first,
                                            unsigned count)
{
    for (unsigned w = first / 64; w <= (first + count - 1) / 64; w++)
        bits->word[w] |= tri__page_bits_mask(w, first, count);
}

static inline void tri__page_bits_clear_range(struct tri__page_bits *bits, unsigned first,
                                              unsigned count)
{
    for (unsigned w = first / 64; w <= (first + count - 1) / 64; w++)
        bits->word[w] &= ~tri__page_bits_mask(w, first, count);
}

static inline unsigned tri__page_bits_count_range(const struct tri__page_bits *bits, unsigned first,
                                                  unsigned count)
{
    int ones = 0;
    for (unsigned w = first / 64; w <= (first + count - 1) / 64; w++)
        ones += __builtin_popcountll(bits->word[w] & tri__page_bits_mask(w, first, count));
    return (unsigned)ones;
}

/* The first of the lowest `count` (>= 1) consecutive clear bits, TRI__CHUNK_PAGES if there are
 * none. */
static inline unsigned tri__page_bits_find(const struct tri__page_bits *bits, unsigned count)
{
    unsigned run = 0; /* clear bits that end where word w begins */
    for (unsigned w = 0; w < TRI__PAGE_BITS_WORDS; w++) {
        uint64_t clear = ~bits->word[w];
        if (run + tri__trailing_ones64(clear) >= count)
            return 64 * w - run;
        unsigned inside = count <= 64 ? tri__find_bit_range64(clear, count) : 64;
        if (inside < 64)
            return 64 * w + inside;
        run = clear == UINT64_MAX ? run + 64 : tri__leading_ones64(clear);
    }
    return TRI__CHUNK_PAGES;
}

/* The longest run of ones in a word that is not all ones.
 *
 * In runs[k] bit i says "ones at i … i + 2^k - 1". The highest k with any bit gives the highest
 * binary digit of the length; the lower digits follow by trying to append a run of each. */
static inline unsigned tri__longest_ones64(uint64_t word)
{
    uint64_t runs[6] = {word}, found;
    unsigned k = 0, length;
    while (k < 5 && (runs[k] & runs[k] >> (1u << k)) != 0) {
        runs[k + 1] = runs[k] & runs[k] >> (1u << k);
        k++;
    }
    found = runs[k];
    length = found != 0 ? 1u << k : 0;
    while (k-- > 0) {
        uint64_t longer = found & runs[k] >> length;
        if (longer != 0) {
            found = longer;
            length += 1u << k;
        }
    }
    return length;
}

/* The runs of clear bits. */
static inline struct tri__page_summary tri__page_bits_summarize(const struct tri__page_bits *bits)
{
    unsigned start = TRI__CHUNK_PAGES, max = 0, run = 0;
    for (unsigned w = 0; w < TRI__PAGE_BITS_WORDS; w++) {
        uint64_t clear = ~bits->word[w];
        unsigned across = run + tri__trailing_ones64(clear);
        if (across > max)
            max = across;
        if (clear == UINT64_MAX) {
            run = across;
            continue;
        }
        if (start == TRI__CHUNK_PAGES)
            start = across;
        unsigned inside = tri__longest_ones64(clear);
        if (inside > max)
            max = inside;
        run = tri__leading_ones64(clear);
    }
    return (struct tri__page_summary){.start = start, .max = max, .end = run};
}

#endif
