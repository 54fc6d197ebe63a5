/* SPDX-License-Identifier: MIT */
/* Finding pointers in words that are declared as something else.
 *
 * A word that holds the address of a slot may be a number by chance; that is rare where addresses
 * have 47 bits, and what is reported says how often it was seen in one walk and gives an example.
 * Threads: the coordinator. */
#include "collector/verify_layout.h"

#include <stdint.h>
#include <string.h>

#include "base/fatal.h"
#include "collector/scalars.h"

#define SUSPECTS 256u /* words of types that are told apart; a program has few */
#define PAST_END SIZE_MAX

/* The word of a type: at this offset of each element; or all words behind the last element. */
struct suspect {
    const tri_type *type; /* NULL: the entry is free */
    enum tri__holder_kind kind;
    size_t offset;
    uint64_t seen; /* in this walk */
    struct tri__scalar example;
    bool reported;
};

static bool is_on;
static struct suspect suspects[SUSPECTS];

void tri__verify_layout_init(bool on)
{
    is_on = on;
    memset(suspects, 0, sizeof suspects);
}

bool tri__verify_layout_is_on(void)
{
    return is_on;
}

/* NULL: there are too many. */
static struct suspect *suspect_of(const tri_type *type, enum tri__holder_kind kind, size_t offset)
{
    uintptr_t hash = ((uintptr_t)type >> 4) * 31 + offset / TRI_WORD;

    for (unsigned i = 0; i < SUSPECTS; i++) {
        struct suspect *suspect = &suspects[(hash + i) % SUSPECTS];

        if (suspect->type == NULL)
            *suspect = (struct suspect){.type = type, .kind = kind, .offset = offset};
        if (suspect->type == type && suspect->kind == kind && suspect->offset == offset)
            return suspect;
    }
    return NULL;
}

/* Offsets of array elements and of flexible tails are those in one element. */
static size_t offset_in_element(const tri_type *type, size_t offset)
{
    if (offset < type->size)
        return offset;
    if (type->tail == NULL)
        return offset % type->size;
    return type->size + (offset - type->size) % type->tail->size;
}

static void note(const struct tri__scalar *scalar, void *unused)
{
    size_t offset = scalar->is_past_end
                        ? PAST_END
                        : offset_in_element(scalar->type, scalar->slot - scalar->base);
    struct suspect *suspect = suspect_of(scalar->type, scalar->kind, offset);

    (void)unused;
    if (suspect == NULL)
        return;
    suspect->seen++;
    suspect->example = *scalar;
}

/* ---- messages ---- */

/* Of roots and values of arenas each element counts. */
static void report_undeclared(const struct suspect *suspect)
{
    static const char *const holders[] = {[TRI__HOLDER_ROOT] = "elements of roots",
                                          [TRI__HOLDER_ARENA] = "values in arenas",
                                          [TRI__HOLDER_OBJECT] = "objects"};
    const struct tri__scalar *example = &suspect->example;

    tri__warn(
        "the word at offset %zu of \"%s\" is declared as no pointer, and holds the address of "
        "an object in %llu %s, of which the one at %#zx holds %#zx: if it is a pointer, "
        "name it in TRI_TYPE, or the collector does not see it; docs/verify-layout.md",
        suspect->offset, tri__type_label(suspect->type), (unsigned long long)suspect->seen,
        holders[suspect->kind], (size_t)example->base, (size_t)example->value);
}

static void report_past_end(const struct suspect *suspect)
{
    const struct tri__scalar *example = &suspect->example;

    tri__warn("%llu word%s past the end of \"%s\" hold%s the address of an object: offset %zu of "
              "the one at %#zx, which was allocated for %zu element%s, %zu bytes, holds %#zx. "
              "Allocate as many elements as are used: the collector does not see what lies behind "
              "them; docs/verify-layout.md",
              (unsigned long long)suspect->seen, suspect->seen == 1 ? "" : "s",
              tri__type_label(suspect->type), suspect->seen == 1 ? "s" : "",
              example->slot - example->base, (size_t)example->base, example->elements,
              example->elements == 1 ? "" : "s", example->bytes, (size_t)example->value);
}

static void report(struct suspect *suspect)
{
    suspect->reported = true;
    if (suspect->offset == PAST_END)
        report_past_end(suspect);
    else
        report_undeclared(suspect);
}

void tri__verify_layouts(void)
{
    for (unsigned i = 0; i < SUSPECTS; i++)
        suspects[i].seen = 0;
    tri__scalars_each(note, NULL);
    for (unsigned i = 0; i < SUSPECTS; i++)
        if (suspects[i].seen != 0 && !suspects[i].reported)
            report(&suspects[i]);
}
