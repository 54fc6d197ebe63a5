/* SPDX-License-Identifier: MIT */
/* Writing heap bitmaps. */
#include "layout/heap_bits.h"

#include "base/fault.h"

static void replace(uint64_t *word, uint64_t field, uint64_t value)
{
    tri__store_relaxed(word, (tri__load_relaxed(word) & ~field) | value);
}

void tri__heap_bits_write(uint64_t *bits, size_t first_word, unsigned words, uint64_t mask)
{
    unsigned shift = (unsigned)(first_word % 64);
    uint64_t field = tri__low_bits(words);
    uint64_t *word = &bits[first_word / 64];

    mask &= field;
    replace(word, field << shift, mask << shift);
    if (shift + words > 64)
        replace(word + 1, field >> (64 - shift), mask >> (64 - shift));
}

/* The pattern's period divides 64: after the first word's part is written, turned by as much, it is
 * the same in every word. */
static void fill_words(uint64_t *bits, size_t word, size_t end, uint64_t pattern)
{
    unsigned head = (unsigned)(-word % 64);

    if (head != 0 && head <= end - word) {
        tri__heap_bits_write(bits, word, head, pattern);
        pattern = pattern >> head | pattern << (64 - head);
        word += head;
    }
    for (; end - word >= 64; word += 64)
        tri__store_relaxed(&bits[word / 64], pattern);
    if (word < end)
        tri__heap_bits_write(bits, word, (unsigned)(end - word), pattern);
}

void tri__heap_bits_fill(uint64_t *bits, size_t first_word, unsigned slot_words, size_t slots,
                         uint64_t mask)
{
    unsigned chunk = 64 / slot_words * slot_words;
    uint64_t pattern = tri__tile_bits(mask & tri__low_bits(slot_words), slot_words, chunk);
    size_t end = first_word + slots * slot_words;

    if (chunk == 64) {
        fill_words(bits, first_word, end, pattern);
        return;
    }
    for (; end - first_word > chunk; first_word += chunk)
        tri__heap_bits_write(bits, first_word, chunk, pattern);
    if (first_word < end)
        tri__heap_bits_write(bits, first_word, (unsigned)(end - first_word), pattern);
}

/* Elements side by side in `words` words. */
static uint64_t tiled_mask(const tri_type *type, unsigned words)
{
    size_t unit = type->size / TRI_WORD;

    if (type->ptr_bytes == 0)
        return 0;
    return tri__tile_bits(tri__type_mask_word(type, 0), unit < 64 ? (unsigned)unit : 64, words);
}

static uint64_t flex_mask(const tri_type *type, unsigned words)
{
    size_t fixed = type->size / TRI_WORD;
    uint64_t mask = tri__type_mask_word(type, 0) & tri__low_bits(words);

    if (fixed >= words)
        return mask;
    return mask | tiled_mask(type->tail, words - (unsigned)fixed) << fixed;
}

uint64_t tri__type_object_mask(const tri_type *type, size_t bytes)
{
    unsigned words = bytes < TRI__BITMAP_BYTES ? (unsigned)(bytes / TRI_WORD) : 64;

    return (type->tail != NULL ? flex_mask(type, words) : tiled_mask(type, words)) ^
           (uint64_t)tri__fault(TRI__FAULT_CORRUPT_LAYOUT);
}
