/* SPDX-License-Identifier: MIT */
/* stress/roots.c: roots that come and go: ranges of malloc'd memory, registered for a moment and
 * freed at once, handles, global variables; each is for a while all that keeps its objects alive.
 * See stress/driver.h for how it is called.
 *
 * The shadow: a word beside every pointer, in memory that is no root (stress/shadow.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stress/driver.h"
#include "stress/parcel.h"

#define RANGES 12u
#define RANGE_MOST 600u
#define HANDLES 200u
#define GLOBALS 64u

/* Pointers in memory of malloc's, of one of three layouts. */
struct range {
    enum layout { POINTERS, SLOTS, APART, LAYOUTS } layout;
    size_t count; /* 0: there is none */
    void *memory; /* what is registered */
    struct place at;
    uint64_t *wanted; /* of POINTERS: the words are elsewhere */
};

struct holding {
    tri_handle *handle; /* NULL: there is none */
    uint64_t want;
};

struct mine {
    struct range ranges[RANGES];
    struct holding holdings[HANDLES];
};

/* Shared by all, each under its lock. */
TRI_ROOT static slot globals[GLOBALS];
static pthread_mutex_t global_locks[GLOBALS];

/* ---- ranges ---- */

typedef struct apart {
    void *first, *second;
    uint64_t wants[2];
} apart;
TRI_TYPE(apart, first, second);

static const tri_type *type_of(enum layout layout)
{
    return layout == POINTERS ? &tri_type_ptr : layout == SLOTS ? &tri_type_slot : &tri_type_apart;
}

static void **pointer_at(const struct range *range, size_t i)
{
    apart *pairs = range->memory;

    if (range->layout != APART)
        return &range->at.p[i * range->at.step];
    return i % 2 == 0 ? &pairs[i / 2].first : &pairs[i / 2].second;
}

static uint64_t *want_at(const struct range *range, size_t i)
{
    apart *pairs = range->memory;

    if (range->layout != APART)
        return &range->at.want[i * range->at.step];
    return &pairs[i / 2].wants[i % 2];
}

static void set_in_range(const struct range *range, size_t i, slot value)
{
    tri_store(pointer_at(range, i), value.p);
    *want_at(range, i) = value.want;
}

static slot get_in_range(const struct range *range, size_t i)
{
    return (slot){*pointer_at(range, i), *want_at(range, i)};
}

static void place_range(struct range *range)
{
    if (range->layout == SLOTS)
        range->at = place_of_slots(range->memory, range->count);
    else
        range->at = (struct place){range->memory, range->wanted, range->count, 1};
}

static void add_range(struct worker *worker, struct range *range)
{
    size_t pairs = 1 + below(worker, 1 + below(worker, RANGE_MOST / 2));

    range->layout = (enum layout)below(worker, LAYOUTS);
    range->count = 2 * pairs;
    range->memory = calloc(range->count, sizeof(slot)); /* twice what POINTERS need */
    range->wanted = calloc(range->count, sizeof *range->wanted);
    if (range->memory == NULL || range->wanted == NULL)
        give_up("out of memory");
    place_range(range);
    if (tri_root_add(range->memory, type_of(range->layout),
                     range->layout == APART ? pairs : range->count) != 0)
        give_up("no root");
}

static void remove_range(struct worker *worker, struct range *range)
{
    for (size_t i = 0; i < range->count; i++)
        check_slot(worker, get_in_range(range, i), "a range of roots");
    if (tri_root_remove(range->memory) != 0)
        lost(worker, nothing, "the roots", "no range of %zu", range->count);
    memset(range->memory, 0xee, range->count * sizeof(slot));
    free(range->memory);
    free(range->wanted);
    range->count = 0;
}

static slot thing_new(struct worker *worker)
{
    node *fresh;
    struct place place;

    if (chance(worker, 60))
        return leaf_new(worker);
    fresh = node_new(worker, 2);
    place = place_of(fresh);
    fill_slot(&place, 0, leaf_new(worker));
    fill_slot(&place, 1, leaf_new(worker));
    return point_to(worker, fresh);
}

/* To the place of another one: from range to range nothing else holds it meanwhile. */
static void move_in_ranges(struct worker *worker, const struct range *from, const struct range *to)
{
    size_t i = below(worker, from->count), j = below(worker, to->count);
    slot value = get_in_range(from, i);

    check_slot(worker, value, "a range of roots");
    set_in_range(to, j, value);
    if (from != to || i != j)
        set_in_range(from, i, nothing);
}

static void act_range(struct worker *worker, struct mine *mine)
{
    struct range *range = &mine->ranges[below(worker, RANGES)];
    struct range *other = &mine->ranges[below(worker, RANGES)];

    worker_begins(worker, "ranges");
    if (range->count == 0)
        add_range(worker, range);
    else if (chance(worker, 10))
        remove_range(worker, range);
    for (uint64_t left = below(worker, 60); left > 0 && range->count > 0; left--) {
        if (chance(worker, 50))
            set_in_range(range, below(worker, range->count), thing_new(worker));
        else if (other->count > 0)
            move_in_ranges(worker, range, other);
    }
}

/* ---- handles ---- */

static void set_holding(struct holding *at, slot value)
{
    if (at->handle != NULL)
        tri_handle_set(at->handle, value.p);
    else
        at->handle = tri_handle_new(value.p);
    if (at->handle == NULL)
        give_up("no handle");
    at->want = value.want;
}

static void free_holding(struct worker *worker, struct holding *at)
{
    slot value = {tri_handle_get(at->handle), at->want};

    check_slot(worker, value, "a handle");
    tri_handle_free(at->handle);
    at->handle = NULL;
    check_slot(worker, value, "a handle that is gone");
}

static void act_handle(struct worker *worker, struct mine *mine)
{
    worker_begins(worker, "handles");
    for (uint64_t left = below(worker, 80); left > 0; left--) {
        struct holding *at = &mine->holdings[below(worker, HANDLES)];

        if (at->handle == NULL || chance(worker, 40))
            set_holding(at, thing_new(worker));
        else if (chance(worker, 50))
            free_holding(worker, at);
        else
            check_slot(worker, (slot){tri_handle_get(at->handle), at->want}, "a handle");
    }
}

/* ---- globals ---- */

static void act_global(struct worker *worker)
{
    size_t i = below(worker, GLOBALS);
    slot fresh = thing_new(worker), old;

    worker_begins(worker, "globals");
    lock_enter(&global_locks[i]);
    old = globals[i];
    tri_store(&globals[i].p, fresh.p);
    set_word(&globals[i].want, fresh.want); /* the collector reads all of it */
    pthread_mutex_unlock(&global_locks[i]);
    check_slot(worker, old, "a global variable");
}

/* ---- the program ---- */

static void clear(struct worker *worker, struct mine *mine)
{
    for (size_t i = 0; i < RANGES; i++)
        if (mine->ranges[i].count > 0)
            remove_range(worker, &mine->ranges[i]);
    for (size_t i = 0; i < HANDLES; i++)
        if (mine->holdings[i].handle != NULL)
            free_holding(worker, &mine->holdings[i]);
}

static void work(struct worker *worker)
{
    struct mine *mine = calloc(1, sizeof *mine); /* not on the stack, which is a root */

    if (mine == NULL)
        give_up("out of memory");
    while (!stopping()) {
        unsigned kind = (unsigned)below(worker, 100);

        if (kind < 45)
            act_range(worker, mine);
        else if (kind < 85)
            act_handle(worker, mine);
        else if (kind < 99)
            act_global(worker);
        else
            clear(worker, mine);
        scrub_stack();
    }
    clear(worker, mine);
    free(mine);
}

static void begin(struct worker *worker)
{
    (void)worker;
    for (size_t i = 0; i < GLOBALS; i++)
        pthread_mutex_init(&global_locks[i], NULL);
}

static void end(struct worker *worker)
{
    for (size_t i = 0; i < GLOBALS; i++)
        check_slot(worker, globals[i], "a global variable");
}

int main(int argc, char **argv)
{
    static const struct stress roots = {"roots", begin, work, NULL, end};

    return stress_main(argc, argv, &roots);
}
