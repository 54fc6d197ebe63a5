/* SPDX-License-Identifier: MIT */
/* stress/mutate.c: changes of the shared graph. Each leaves pointer and word of every slot in
 * agreement. */
#include "stress/acts.h"

#include <string.h>

#define RANGE_MOST 64u /* slots moved at a time */

static void set_slot(const struct place *place, size_t i, slot value)
{
    if (value.want % 2 == 0) /* either is right under a lock */
        tri_store(&place->p[i * place->step], value.p);
    else
        tri_store_release(&place->p[i * place->step], value.p);
    set_word(&place->want[i * place->step], value.want);
}

/* A new node leads to a few objects that are new and a few that are not. */
static slot grow_node(struct worker *worker)
{
    node *fresh = node_new(worker, random_count(worker));
    struct place place = place_of(fresh);

    for (size_t i = 0; i < fresh->count && i < 6; i++)
        if (chance(worker, 70))
            fill_slot(&place, i, chance(worker, 50) ? leaf_new(worker) : world_pick(worker));
    return point_to(worker, fresh);
}

static void put(struct worker *worker, slot value)
{
    struct spot spot = spot_enter(worker);
    size_t i = below(worker, spot.place.count);
    slot old = get_slot(&spot.place, i);

    set_slot(&spot.place, i, value);
    spot_leave(&spot);
    check_slot(worker, old, "a slot that was overwritten");
}

/* The same object, differently led to. */
static void put_again(struct worker *worker)
{
    node *found = world_walk(worker, 6);

    if (found != NULL)
        put(worker, point_to(worker, found));
}

/* From place to place, and out of the first one: for a moment only this thread's stack has it. */
static void carry(struct worker *worker)
{
    struct spot spot = spot_enter(worker);
    size_t i = below(worker, spot.place.count);
    slot value = get_slot(&spot.place, i);

    set_slot(&spot.place, i, nothing);
    spot_leave(&spot);
    put(worker, value);
}

static void swap(struct worker *worker)
{
    struct spot spot = spot_enter(worker);
    size_t i = below(worker, spot.place.count), k = below(worker, spot.place.count);
    slot left = get_slot(&spot.place, i), right = get_slot(&spot.place, k);

    set_slot(&spot.place, i, right);
    set_slot(&spot.place, k, left);
    spot_leave(&spot);
}

/* --- ranges ----------------------------------------------------------------------------------- */

/* How many slots from `first` on, at most. */
static size_t range_length(struct worker *worker, const struct place *place, size_t first)
{
    size_t most = place->count - first < RANGE_MOST ? place->count - first : RANGE_MOST;

    return 1 + below(worker, most);
}

/* Memory read conservatively is cleared and copied as words that hold no pointers are: by the
 * functions that are atomic. */
static void move_words(const struct place *place, size_t to, size_t from, size_t n)
{
    tri_memmove(&place->p[to * place->step], &place->p[from * place->step],
                n * place->step * sizeof(void *));
    if (place->step == 1)
        memmove(&place->want[to], &place->want[from], n * sizeof(uint64_t));
}

static void clear_range(struct worker *worker)
{
    struct spot spot = spot_enter(worker);
    struct place *place = &spot.place;
    size_t first = below(worker, place->count), n = range_length(worker, place, first);

    tri_memclr(&place->p[first * place->step], n * place->step * sizeof(void *));
    if (place->step == 1)
        memset(&place->want[first], 0, n * sizeof(uint64_t));
    spot_leave(&spot);
}

/* From the word of one slot to the pointer of another: a range that begins and ends between the
 * fields of a slot. */
static void clear_odd_range(struct worker *worker)
{
    struct spot spot = spot_enter(worker);
    struct place *place = &spot.place;
    size_t first = below(worker, place->count), n = range_length(worker, place, first);

    if (place->step == 2 && n > 1) {
        tri_memclr(&place->want[first * 2], 2 * (n - 1) * sizeof(void *));
        tri_store(&place->p[first * 2], NULL);
        set_word(&place->want[(first + n - 1) * 2], 0);
    }
    spot_leave(&spot);
}

static void move_range(struct worker *worker)
{
    struct spot spot = spot_enter(worker);
    size_t from = below(worker, spot.place.count), to = below(worker, spot.place.count);
    size_t n = range_length(worker, &spot.place, from > to ? from : to);

    move_words(&spot.place, to, from, n);
    spot_leave(&spot);
}

/* By one, upwards or downwards; the slot that falls out at one end comes in again at the other. */
static void rotate_range(struct worker *worker)
{
    struct spot spot = spot_enter(worker);
    struct place *place = &spot.place;
    size_t first = below(worker, place->count), n = range_length(worker, place, first);
    bool up = chance(worker, 50);
    size_t out = up ? first + n - 1 : first, in = up ? first : first + n - 1;
    slot value = get_slot(place, out);

    if (n > 1)
        move_words(place, up ? first + 1 : first, up ? first : first + 1, n - 1);
    set_slot(place, in, value);
    spot_leave(&spot);
}

/* Out to the stack, in reverse, and back. */
static void reverse_range(struct worker *worker)
{
    struct spot spot = spot_enter(worker);
    struct place *place = &spot.place;
    size_t first = below(worker, place->count), n = range_length(worker, place, first);
    void *pointers[RANGE_MOST];

    if (place->step == 1) {
        uint64_t words[RANGE_MOST];

        for (size_t i = 0; i < n; i++) {
            pointers[i] = place->p[first + n - 1 - i];
            words[i] = place->want[first + n - 1 - i];
        }
        tri_memcpy(&place->p[first], pointers, n * sizeof pointers[0]);
        memcpy(&place->want[first], words, n * sizeof words[0]);
    }
    spot_leave(&spot);
}

/* --- the choice ------------------------------------------------------------------------------- */

static bool must_shrink(void)
{
    return __atomic_load_n(&world_is_full, __ATOMIC_RELAXED) != 0;
}

static void change_range(struct worker *worker)
{
    static void (*const changes[])(struct worker *) = {move_range, rotate_range, reverse_range};

    if (must_shrink() || chance(worker, 5))
        (chance(worker, 50) ? clear_range : clear_odd_range)(worker);
    else
        changes[below(worker, sizeof changes / sizeof changes[0])](worker);
}

static void change_roots(struct worker *worker)
{
    unsigned kind = (unsigned)below(worker, 100);

    if (kind < 2)
        world_change_table(worker);
    else if (kind < 10)
        world_change_root(worker);
    else
        world_change_handle(worker);
}

void act_mutate(struct worker *worker)
{
    unsigned kind = (unsigned)below(worker, 100);

    worker->act = "mutate";
    if (kind < 30 && !must_shrink())
        put(worker, chance(worker, 60) ? grow_node(worker) : leaf_new(worker));
    else if (kind < 40)
        put_again(worker);
    else if (kind < 50)
        carry(worker);
    else if (kind < 60)
        swap(worker);
    else if (kind < 70)
        change_range(worker);
    else if (kind < 80)
        world_change_edge(worker);
    else if (kind < 85)
        change_roots(worker);
    else
        world_walk(worker, 16);
}
