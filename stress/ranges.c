/* SPDX-License-Identifier: MIT */
/* stress/ranges.c: bulk operations on ranges of fields, each done to the shadow, too.
 *
 * Elements move by whole elements, so that a pointer never comes to lie where none is expected; but
 * ranges begin and end at any word. */
#include <string.h>

#include "stress/bulk.h"
#include "stress/fields.h"

#define WORD sizeof(uint64_t)
#define HELD_WORDS 700u /* on the stack: more than a barrier buffer has entries */

/* A part of a field that fits on the stack. */
struct held {
    uint64_t words[HELD_WORDS], shadow[HELD_WORDS];
};

/* Mostly short, sometimes as long as there is room. */
static size_t random_length(struct worker *worker, size_t most)
{
    return 1 + below(worker, chance(worker, 10) || most < 40 ? most : 40);
}

static size_t held_elements(const struct field *field)
{
    size_t most = HELD_WORDS / field->element->words;

    return most < field->count ? most : field->count;
}

/* Anything may happen here: the stack is scanned, the phase changes. */
static void pause_at_times(struct worker *worker)
{
    if (chance(worker, 30))
        tri_safepoint();
}

/* --- ways to copy ----------------------------------------------------------------------------- */

/* As a program does that moves memory itself. */
static void copy_by_hand(uint64_t *to, const uint64_t *from, size_t n)
{
    tri_bulk_barrier_pre_write(to, from, n * WORD);
    if (to <= from)
        for (size_t i = 0; i < n; i++)
            set_word(&to[i], __atomic_load_n(&from[i], __ATOMIC_RELAXED));
    else
        for (size_t i = n; i-- > 0;)
            set_word(&to[i], __atomic_load_n(&from[i], __ATOMIC_RELAXED));
}

/* To word `to` of the field. */
static void copy_words(struct worker *worker, struct field *field, size_t to, const uint64_t *from,
                       const uint64_t *shadow, size_t n)
{
    const struct element *element = field->element;
    uint64_t *words = field_words(field) + to;

    if (to % element->words == 0 && n % element->words == 0 && chance(worker, 40))
        tri_copy_array(words, from, element->type, n / element->words);
    else if (chance(worker, 20))
        copy_by_hand(words, from, n);
    else
        tri_memmove(words, from, n * WORD);
    memmove(field->shadow + to, shadow, n * WORD);
}

static void hold(struct held *held, const struct field *field, size_t from, size_t n)
{
    tri_memcpy(held->words, field_words(field) + from, n * WORD);
    memcpy(held->shadow, field->shadow + from, n * WORD);
}

/* --- within one field ------------------------------------------------------------------------- */

static void move_range(struct worker *worker, struct field *field)
{
    size_t unit = field->element->words, size = field_size(field);
    size_t from = below(worker, size), to = from % unit + below(worker, field->count) * unit;
    size_t n = random_length(worker, size - (from > to ? from : to));

    copy_words(worker, field, to, field_words(field) + from, field->shadow + from, n);
}

/* By some elements, which wait on the stack for their new places. */
static void rotate_range(struct worker *worker, struct field *field)
{
    size_t unit = field->element->words, first = below(worker, field->count);
    size_t n = random_length(worker, field->count - first), most = held_elements(field);
    size_t by = below(worker, (n < most ? n : most) + 1);
    size_t at = first * unit, kept = (n - by) * unit, moved = by * unit;
    bool up = chance(worker, 50);
    struct held held;

    if (moved == 0 || kept == 0)
        return;
    hold(&held, field, up ? at + kept : at, moved);
    pause_at_times(worker);
    copy_words(worker, field, up ? at + moved : at, field_words(field) + (up ? at : at + moved),
               field->shadow + (up ? at : at + moved), kept);
    pause_at_times(worker);
    copy_words(worker, field, up ? at : at + kept, held.words, held.shadow, moved);
}

static void reverse_range(struct worker *worker, struct field *field)
{
    size_t unit = field->element->words, first = below(worker, field->count);
    size_t most = held_elements(field), left = field->count - first;
    size_t n = random_length(worker, left < most ? left : most);
    struct held held, reversed;

    hold(&held, field, first * unit, n * unit);
    for (size_t i = 0; i < n; i++) {
        memcpy(&reversed.words[i * unit], &held.words[(n - 1 - i) * unit], unit * WORD);
        memcpy(&reversed.shadow[i * unit], &held.shadow[(n - 1 - i) * unit], unit * WORD);
    }
    pause_at_times(worker);
    copy_words(worker, field, first * unit, reversed.words, reversed.shadow, n * unit);
}

static void clear_range(struct worker *worker, struct field *field)
{
    size_t size = field_size(field), from = below(worker, size);
    size_t n = random_length(worker, size - from);

    tri_memclr(field_words(field) + from, n * WORD);
    memset(field->shadow + from, 0, n * WORD);
}

/* With new objects that only the stack leads to; mostly not all words of the elements. */
static void fill_range(struct worker *worker, struct field *field)
{
    size_t unit = field->element->words, first = below(worker, field->count);
    size_t most = held_elements(field), left = field->count - first;
    size_t n = random_length(worker, left < most ? left : most), skip = 0, cut = 0;
    struct held held;

    make_elements(worker, field->element, held.words, held.shadow, n);
    if (chance(worker, 60)) {
        skip = below(worker, unit);
        cut = below(worker, unit);
    }
    if (skip + cut < n * unit)
        copy_words(worker, field, first * unit + skip, held.words + skip, held.shadow + skip,
                   n * unit - skip - cut);
}

/* Into an array that nobody else knows yet. */
static void *copy_of(struct worker *worker, const struct field *field)
{
    size_t bytes = field_size(field) * WORD;
    uint64_t *fresh;

    if (chance(worker, 30))
        return tri_grow(*field->base, field->element->type, field->count, field->count);
    fresh = tri_alloc_array(field->element->type, field->count);
    if (fresh == NULL)
        return NULL;
    if (chance(worker, 50)) {
        tri_memcpy(fresh, *field->base, bytes);
        return fresh;
    }
    tri_bulk_barrier_pre_write_src_only(fresh, *field->base, bytes);
    for (size_t i = 0; i < field_size(field); i++)
        set_word(&fresh[i], field_words(field)[i]);
    return fresh;
}

static void renew(struct worker *worker, struct field *field)
{
    void *fresh;

    if (!field->is_object)
        return;
    fresh = copy_of(worker, field);
    if (fresh == NULL)
        give_up("out of memory");
    tri_memcpy(field->base, &fresh, sizeof fresh);
}

/* --- between two ------------------------------------------------------------------------------ */

static void copy_range(struct worker *worker, struct field *to, const struct field *from)
{
    size_t unit = to->element->words, at = below(worker, field_size(from));
    size_t there = at % unit + below(worker, to->count) * unit;
    size_t left = field_size(from) - at, room = field_size(to) - there;
    size_t n = random_length(worker, left < room ? left : room);

    copy_words(worker, to, there, field_words(from) + at, from->shadow + at, n);
}

/* --- the choice ------------------------------------------------------------------------------- */

static void check_some(struct worker *worker, const struct field *field)
{
    size_t size = field_size(field), first = below(worker, size);
    size_t n = chance(worker, 2) ? size - first : random_length(worker, size - first);

    field_check(worker, field, first, n, "a field");
}

static void change(struct worker *worker, struct field *field)
{
    unsigned kind = (unsigned)below(worker, 100);

    if (kind < 30)
        rotate_range(worker, field);
    else if (kind < 45)
        reverse_range(worker, field);
    else if (kind < 60)
        move_range(worker, field);
    else if (kind < 68)
        clear_range(worker, field);
    else if (kind < 98)
        fill_range(worker, field);
    else
        renew(worker, field);
}

void act_range(struct worker *worker)
{
    struct field *other, *field = field_enter_two(worker, &other);

    worker->act = "range";
    if (other != NULL)
        copy_range(worker, field, other);
    else
        change(worker, field);
    check_some(worker, field);
    if (other != NULL)
        field_leave(other);
    field_leave(field);
}
