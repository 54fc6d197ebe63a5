/* SPDX-License-Identifier: MIT */
/* Finding pointers in words that are declared as something else.
 *
 * A word that holds the address of a slot may be a number by chance; that is rare where addresses
 * have 47 bits, and what is reported says how often it was seen in one walk and gives an example.
 * Threads: the coordinator. */
#include "collector/verify_layout.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/fatal.h"
#include "collector/words.h"
#include "heap/type_notes.h"
#include "mutator/stack.h"

#define SUSPECTS 256u /* words of types that are told apart; a program has few */

/* The word of a type: at this offset of each element. */
struct suspect {
    const tri_type *type; /* NULL: the entry is free */
    size_t offset;
    uint64_t seen;         /* in this walk */
    uintptr_t base, value; /* an example */
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
static struct suspect *suspect_of(const tri_type *type, size_t offset)
{
    uintptr_t hash = ((uintptr_t)type >> 4) * 31 + offset / TRI_WORD;

    for (unsigned i = 0; i < SUSPECTS; i++) {
        struct suspect *suspect = &suspects[(hash + i) % SUSPECTS];

        if (suspect->type == NULL)
            *suspect = (struct suspect){.type = type, .offset = offset};
        if (suspect->type == type && suspect->offset == offset)
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

static void suspect_word(const struct tri__ref *ref, const tri_type *type, uintptr_t slot,
                         uintptr_t value)
{
    struct suspect *suspect = suspect_of(type, offset_in_element(type, slot - ref->base));

    if (suspect == NULL)
        return;
    suspect->seen++;
    suspect->base = ref->base;
    suspect->value = value;
}

static bool is_address(uintptr_t value)
{
    struct tri__ref ref;

    return tri__locate(value, &ref) && tri__is_allocated(&ref);
}

/* The program reads and writes these words as it likes: so they are read like those of stacks. */
static void look_at(const struct tri__ref *ref, const tri_type *type)
{
    struct tri__type_pointers it = tri__type_pointers_of_ref(ref);
    uintptr_t limit = tri__ref_limit(ref), pointer = tri__type_pointers_next(&it);

    for (uintptr_t slot = ref->base; slot + TRI_WORD <= limit; slot += TRI_WORD) {
        uintptr_t value;

        if (slot == pointer) {
            pointer = tri__type_pointers_next(&it);
            continue;
        }
        value = tri__stack_word(slot);
        if (TRI__UNLIKELY(is_address(value)))
            suspect_word(ref, type, slot, value);
    }
}

static void look_at_span(struct tri__span *span, void *unused)
{
    (void)unused;
    for (uint32_t slot = 0; slot < span->slots; slot++) {
        const tri_type *type;
        struct tri__ref ref;

        if (!tri__is_black(&span->colours[slot]) ||
            !tri__resolve(span->base + slot * span->slot_bytes, &ref))
            continue;
        type = tri__noted_type(&ref);
        if (type != NULL && type->size != 0 && (type->flags & TRI_TYPE_CONSERVATIVE) == 0)
            look_at(&ref, type);
    }
}

static void report(struct suspect *suspect)
{
    const char *name = suspect->type->name != NULL ? suspect->type->name : "a type without a name";

    suspect->reported = true;
    tri__warn(
        "the word at offset %zu of \"%s\" is declared as no pointer, and holds the address of "
        "an object in %llu objects, of which the one at %#zx holds %#zx: if it is a pointer, "
        "name it in TRI_TYPE, or the collector does not see it; docs/verify-layout.md",
        suspect->offset, name, (unsigned long long)suspect->seen, (size_t)suspect->base,
        (size_t)suspect->value);
}

void tri__verify_layouts(void)
{
    for (unsigned i = 0; i < SUSPECTS; i++)
        suspects[i].seen = 0;
    tri__pointer_spans_each(look_at_span, NULL);
    for (unsigned i = 0; i < SUSPECTS; i++)
        if (suspects[i].seen != 0 && !suspects[i].reported)
            report(&suspects[i]);
}
