/* SPDX-License-Identifier: MIT */
/* Reading masks back; see the header. */
#include "layout/mask_check.h"

#ifdef TRI__DEBUG

#include <unistd.h>

#include "base/fatal.h"
#include "layout/bits.h"
#include "layout/dump.h"
#include "layout/oracle.h"

static bool enabled = true; /* const after init */

void tri__mask_check_init(bool on)
{
    enabled = on;
}

/* 64 words from `word` on, of the first `end`. */
static uint64_t wanted_row(const tri_type *type, size_t word, size_t end)
{
    uint64_t row = 0;

    for (unsigned k = 0; k < 64 && word + k < end; k++)
        row |= (uint64_t)tri__layout_oracle(type, word + k) << k;
    return row;
}

__attribute__((noinline, cold)) static void report(const tri_type *type, size_t word,
                                                   uint64_t wanted, uint64_t has)
{
    struct tri__print out = tri__print_to(STDERR_FILENO);

    tri__put(&out, "tricolor: a mask is not what its source says. Of ");
    tri__put_type(&out, type);
    tri__put(&out, "\n  %8zu wanted ", word);
    tri__put_bits(&out, wanted, 64);
    tri__put(&out, "\n             has ");
    tri__put_bits(&out, has, 64);
    tri__put(&out, "\n");
    tri__print_end(&out);
    tri__fatal("word %zu of type '%s' has the wrong bit in the mask that was made of its %s. This "
               "is a bug in tricolor, or the type was changed while in use.",
               word + (unsigned)__builtin_ctzll(wanted ^ has),
               type->name != NULL ? type->name : "?",
               (type->flags & TRI_TYPE_GC_PROGRAM) != 0 ? "program" : "byte mask");
}

/* [from, to) in rows of 64; bits behind `end` mean nothing. */
static void check_rows(const tri_type *type, const uint64_t *mask, size_t from, size_t to,
                       size_t end)
{
    for (size_t word = from / 64 * 64; word < to; word += 64) {
        size_t left = end - word;
        uint64_t valid = tri__low_bits(left < 64 ? (unsigned)left : 64);
        uint64_t wanted = wanted_row(type, word, end), has = mask[word / 64] & valid;

        if (wanted != has)
            report(type, word, wanted, has);
    }
}

void tri__mask_check(const tri_type *type, const uint64_t *mask)
{
    size_t words = type->ptr_bytes / TRI_WORD;

    if (!enabled)
        return;
    if (!tri__oracle_is_slow(type) || words <= 2 * TRI__SLOW_WORDS) {
        check_rows(type, mask, 0, words, words);
        return;
    }
    check_rows(type, mask, 0, TRI__SLOW_WORDS, words);
    check_rows(type, mask, words - TRI__SLOW_WORDS, words, words);
}

#endif
