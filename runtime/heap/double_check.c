/* SPDX-License-Identifier: MIT */
/* Reading layouts back; see the header. */
#include "heap/double_check.h"

#ifdef TRI__DEBUG

#include <tricolor/inspect.h>

#include <unistd.h>

#include "base/fatal.h"
#include "heap/arena_chunk.h"
#include "heap/dump.h"
#include "layout/dump.h"
#include "layout/mask_check.h"
#include "layout/oracle.h"

#define ROW_WORDS 64u
#define ROWS_AROUND 3u /* shown before and after the one with the difference */

/* What is compared: the words [from, to) of an object. Behind `data_end` no word is a pointer. */
struct check {
    struct tri__ref ref;
    const tri_type *type;
    size_t bytes;
    uintptr_t data_end;
    uintptr_t from, to;
    bool arena_bits; /* the chunk's bitmap is compared, not the iterator */
};

static bool enabled = true;   /* const after init */
static uint64_t random_state; /* atomic */

void tri__double_check_init(bool on, uint64_t seed)
{
    enabled = on;
    tri__mask_check_init(on);
    tri__store_relaxed(&random_state, seed);
}

/* The splitmix64 sequence: any state is good. */
static uint64_t random_below(uint64_t limit)
{
    const uint64_t step = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = tri__fetch_add_relaxed(&random_state, step) + step;

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % limit;
}

/* ---- both, bit by bit ---- */

static struct tri__type_pointers iterator_of(const struct check *check)
{
    return tri__type_pointers_of_range(&check->ref, check->from, check->to - check->from);
}

static bool is_wanted(const struct check *check, uintptr_t word)
{
    return word >= check->from && word < check->to && word < check->data_end &&
           tri__layout_oracle(check->type, (word - check->ref.base) / TRI_WORD);
}

static uint64_t wanted_row(const struct check *check, uintptr_t row)
{
    uint64_t mask = 0;

    for (unsigned k = 0; k < ROW_WORDS; k++)
        mask |= (uint64_t)is_wanted(check, row + k * TRI_WORD) << k;
    return mask;
}

/* Of an arena the collector does not walk the values' types, but the bits of the chunk. */
static uint64_t arena_row(const struct check *check, uintptr_t row)
{
    const struct tri__arena_chunk *chunk = tri__arena_chunk_of(tri__span_at(row));
    size_t words = row < check->to ? (check->to - row) / TRI_WORD : 0;

    if (words == 0)
        return 0;
    return tri__heap_bits_read(chunk->bits, (row - chunk->span.base) / TRI_WORD,
                               words < ROW_WORDS ? (unsigned)words : ROW_WORDS);
}

/* A broken iterator may run anywhere, but not for ever. */
static uint64_t iterator_row(const struct check *check, uintptr_t row)
{
    struct tri__type_pointers it = iterator_of(check);
    size_t steps = (check->to - check->from) / TRI_WORD + 1;
    uint64_t mask = 0;

    for (; steps > 0; steps--) {
        uintptr_t slot = tri__type_pointers_next(&it);

        if (slot - row < ROW_WORDS * TRI_WORD)
            mask |= UINT64_C(1) << (slot - row) / TRI_WORD;
    }
    return mask;
}

static uint64_t visited_row(const struct check *check, uintptr_t row)
{
    return check->arena_bits ? arena_row(check, row) : iterator_row(check, row);
}

static void put_carets(struct tri__print *out, uint64_t difference)
{
    tri__put(out, "                  ");
    for (unsigned k = 0; k < ROW_WORDS && difference >> k != 0; k++)
        tri__put(out, "%s%c", k % 8 == 0 && k != 0 ? " " : "",
                 (difference >> k & 1) != 0 ? '^' : ' ');
    tri__put(out, "\n");
}

static void put_row(struct tri__print *out, const struct check *check, uintptr_t row)
{
    uint64_t wanted = wanted_row(check, row), visited = visited_row(check, row);

    tri__put(out, "  %8zu wanted ", (size_t)(row - check->ref.base) / TRI_WORD);
    tri__put_bits(out, wanted, ROW_WORDS);
    tri__put(out, "\n             has ");
    tri__put_bits(out, visited, ROW_WORDS);
    tri__put(out, "\n");
    if (wanted != visited)
        put_carets(out, wanted ^ visited);
}

static void put_rows(struct tri__print *out, const struct check *check, uintptr_t difference)
{
    size_t last = (check->to - check->ref.base - 1) / (ROW_WORDS * TRI_WORD);
    size_t middle = (difference - check->ref.base) / (ROW_WORDS * TRI_WORD);
    size_t row = middle > ROWS_AROUND ? middle - ROWS_AROUND : 0;

    for (; row <= last && row <= middle + ROWS_AROUND; row++)
        put_row(out, check, check->ref.base + row * ROW_WORDS * TRI_WORD);
}

/* Where the iterator stands when it has come to the difference. */
static void put_iterators(struct tri__print *out, const struct check *check, uintptr_t difference)
{
    struct tri__type_pointers it = iterator_of(check), before = it;
    uintptr_t slot;

    tri__put(out, "  the iterator at its start:\n");
    tri__put_type_pointers(out, &it);
    while ((slot = tri__type_pointers_next(&it)) != 0 && slot < difference)
        before = it;
    tri__put(out, "  the iterator before the difference:\n");
    tri__put_type_pointers(out, &before);
}

__attribute__((noinline, cold)) static void report(const struct check *check, uintptr_t difference)
{
    struct tri__print out = tri__print_to(STDERR_FILENO);
    size_t word = (difference - check->ref.base) / TRI_WORD;

    tri__put(&out, "tricolor: a layout is not what its type says. %zu bytes of ", check->bytes);
    tri__put_type(&out, check->type);
    tri__put(&out, " in\n");
    tri__put_object(&out, &check->ref, difference);
    tri__put(&out, "  words [%zu, %zu) by the definition (wanted) and by the iterator (has):\n",
             (size_t)(check->from - check->ref.base) / TRI_WORD,
             (size_t)(check->to - check->ref.base) / TRI_WORD);
    put_rows(&out, check, difference);
    put_iterators(&out, check, difference);
    tri__print_end(&out);
    tri__fatal("word %zu of the object at %p should %sbe a pointer by its type, but the collector "
               "would %sread it. This is a bug in tricolor, or the type or the heap's metadata was "
               "overwritten.",
               word, (void *)check->ref.base, is_wanted(check, difference) ? "" : "not ",
               is_wanted(check, difference) ? "not " : "");
}

/* ---- what is checked ---- */

static void compare(const struct check *check)
{
    uintptr_t end = check->to < check->data_end ? check->to : check->data_end;
    uintptr_t difference = tri__layout_oracle_compare(iterator_of(check), check->type,
                                                      check->ref.base, check->from, end);

    if (difference != 0)
        report(check, difference);
}

/* The first word of the value of which the chunk's bitmap is wrong; 0: none. */
static uintptr_t wrong_arena_bit(const struct check *check)
{
    for (uintptr_t row = check->from; row < check->to; row += ROW_WORDS * TRI_WORD) {
        uint64_t difference = arena_row(check, row) ^ wanted_row(check, row);

        if (difference != 0)
            return row + (unsigned)__builtin_ctzll(difference) * TRI_WORD;
    }
    return 0;
}

static void compare_arena_bits(struct check *check)
{
    uintptr_t difference = wrong_arena_bit(check);

    check->arena_bits = true;
    if (difference != 0)
        report(check, difference);
    check->arena_bits = false;
}

static void compare_range(struct check *check, size_t first, size_t words)
{
    check->from = check->ref.base + first * TRI_WORD;
    check->to = check->from + words * TRI_WORD;
    compare(check);
}

/* The most words that are compared at a time. */
static size_t most_words(const struct check *check)
{
    return tri__oracle_is_slow(check->type) ? TRI__SLOW_WORDS : SIZE_MAX;
}

/* Not empty, and often short. */
static void compare_random_range(struct check *check, size_t words)
{
    size_t first = random_below(words), count = 1 + random_below(words - first);

    compare_range(check, first, count < most_words(check) ? count : most_words(check));
}

static void compare_whole(struct check *check, size_t words)
{
    size_t most = most_words(check);

    if (words <= most) {
        compare_range(check, 0, words);
        return;
    }
    compare_range(check, 0, most);
    compare_range(check, words - most, most);
}

/* Of a bitmap or typed object the pointers end with the data; types are tiled on, up to the
 * limit. */
static uintptr_t data_end(const struct check *check, uintptr_t limit)
{
    uint8_t kind = tri__class_info[check->ref.span_class].kind;

    if (kind == TRI__KIND_BITMAP || kind == TRI__KIND_TYPED)
        return check->ref.base + check->bytes / TRI_WORD * TRI_WORD;
    return limit;
}

/* Compares the whole object; returns how many words it has, for more to be compared. */
static size_t check_whole(struct check *check, uintptr_t base)
{
    uintptr_t limit;

    TRI__ASSERT(tri__locate_object(base, &check->ref) && check->ref.base == base);
    limit = tri__ref_limit(&check->ref);
    check->data_end = data_end(check, limit);
    compare_whole(check, (limit - base) / TRI_WORD);
    if (check->ref.span_class == TRI__ARENA_SPAN)
        compare_arena_bits(check);
    return (limit - base) / TRI_WORD;
}

static void check_layout(uintptr_t base, const tri_type *type, size_t bytes)
{
    struct check check = {.type = type, .bytes = bytes};
    size_t words = check_whole(&check, base);

    compare_random_range(&check, words);
}

__attribute__((noinline, cold)) static void report_rest(uintptr_t at)
{
    tri_dump_object((void *)at, STDERR_FILENO);
    tri__fatal(
        "the word at %p of a new object should be zero and is %#zx. It was written through a "
        "pointer to an object that had died, or past the end of another one; or this is a "
        "bug in tricolor.",
        (void *)at, *(const size_t *)at);
}

/* Whole words, which is what the collector reads. */
static void check_zero(uintptr_t from, uintptr_t to)
{
    for (from = (from + TRI_WORD - 1) & ~(uintptr_t)(TRI_WORD - 1); from < to; from += TRI_WORD)
        if (*(const size_t *)from != 0)
            report_rest(from);
}

void tri__double_check_object(uintptr_t base, const tri_type *type, size_t bytes)
{
    struct tri__ref ref;

    if (!enabled || type == NULL || bytes == 0) /* an arena's array of no elements has no bits */
        return;
    check_layout(base, type, bytes);
    if (tri__locate_object(base, &ref))
        check_zero(base + bytes, tri__ref_limit(&ref)); /* [inv.layout.slack] */
}

void tri__double_check_run(const struct tri__span *span, uint32_t first, uint32_t count,
                           const tri_type *type)
{
    uintptr_t start = span->base + first * span->slot_bytes;
    struct check check = {.type = type, .bytes = type->size};

    if (!enabled)
        return;
    check_zero(start, start + count * span->slot_bytes);
    for (uint32_t slot = 0; slot < count; slot++)
        check_whole(&check, start + slot * span->slot_bytes);
    check_layout(start + random_below(count) * span->slot_bytes, type, type->size);
}

#endif
