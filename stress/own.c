/* SPDX-License-Identifier: MIT */
/* stress/own.c: structures of one thread, which only its stack leads to. */
#include "stress/acts.h"

#include <stdlib.h>
#include <string.h>

/* --- a tree ----------------------------------------------------------------------------------- */

/* From the leaves up, by first stores only. */
static slot tree_new(struct worker *worker, unsigned depth)
{
    slot left, right;
    node *fresh;
    struct place place;

    if (depth == 0)
        return leaf_new(worker);
    left = tree_new(worker, depth - 1);
    right = tree_new(worker, depth - 1);
    fresh = node_new(worker, 2 + below(worker, 4));
    place = place_of(fresh);
    fill_slot(&place, 0, left);
    fill_slot(&place, 1, right);
    return point_to(worker, fresh);
}

static size_t tree_check(struct worker *worker, slot value)
{
    size_t leaves = 0;
    struct place place;

    check_slot(worker, value, "a tree");
    if (node_of(value) == NULL)
        return value.p != NULL;
    place = place_of(node_of(value));
    for (size_t i = 0; i < place.count; i++)
        leaves += tree_check(worker, get_slot(&place, i));
    return leaves;
}

static void tree(struct worker *worker)
{
    unsigned depth = 1 + (unsigned)below(worker, 8);
    slot root = tree_new(worker, depth);

    scrub_stack();
    if (tree_check(worker, root) != (size_t)1 << depth)
        lost(worker, root, "a tree", "another number of leaves");
}

/* --- a list, across a sleep ------------------------------------------------------------------- */

/* The collector answers for the thread meanwhile, and finds the list by the stack it had when it
 * went to sleep. */
static void list_asleep(struct worker *worker)
{
    slot head = nothing;
    struct place place;

    for (size_t left = 1 + below(worker, 30); left > 0; left--) {
        node *fresh = node_new(worker, 2);

        place = place_of(fresh);
        fill_slot(&place, 0, head);
        fill_slot(&place, 1, leaf_new(worker));
        head = point_to(worker, fresh);
    }
    scrub_stack();
    sleep_ns(below(worker, 3000000));
    tree_check(worker, head);
}

/* --- arrays ----------------------------------------------------------------------------------- */

/* An array of pointers and, outside the heap, what they should lead to. */
struct array {
    void **p;
    uint64_t *want;
    size_t count;
};

static void array_set(struct array *array, size_t i, slot value)
{
    tri_store(&array->p[i], value.p);
    array->want[i] = value.want;
}

static void array_check(struct worker *worker, const struct array *array)
{
    for (size_t i = 0; i < array->count; i++)
        check_slot(worker, (slot){array->p[i], array->want[i]}, "an array of pointers");
}

static void array_move(struct worker *worker, struct array *array)
{
    size_t from = below(worker, array->count), to = below(worker, array->count);
    size_t n = 1 + below(worker, array->count - (from > to ? from : to));

    tri_memmove(&array->p[to], &array->p[from], n * sizeof(void *));
    memmove(&array->want[to], &array->want[from], n * sizeof(uint64_t));
}

static void array_clear(struct worker *worker, struct array *array)
{
    size_t first = below(worker, array->count), n = 1 + below(worker, array->count - first);

    tri_memclr(&array->p[first], n * sizeof(void *));
    memset(&array->want[first], 0, n * sizeof(uint64_t));
}

static void array_grow(struct worker *worker, struct array *array)
{
    size_t count = array->count + below(worker, array->count + 1);

    array->p = tri_grow(array->p, &tri_type_ptr, array->count, count);
    array->want = realloc(array->want, count * sizeof(uint64_t));
    if (array->p == NULL || array->want == NULL)
        give_up("out of memory");
    memset(&array->want[array->count], 0, (count - array->count) * sizeof(uint64_t));
    array->count = count;
}

static void array_change(struct worker *worker, struct array *array)
{
    for (int i = 0; i < 20; i++)
        array_set(array, below(worker, array->count), leaf_new(worker));
    array_move(worker, array);
    if (chance(worker, 20))
        array_clear(worker, array);
    if (chance(worker, 30) && array->count < COUNT_MOST)
        array_grow(worker, array);
}

static void pointer_array(struct worker *worker)
{
    size_t count = chance(worker, 10) ? 1 + below(worker, COUNT_MOST) : 1 + below(worker, 200);
    struct array array = {tri_new_ptrs(count), calloc(count, sizeof(uint64_t)), count};

    if (array.p == NULL || array.want == NULL)
        give_up("out of memory");
    for (int round = 0; round < 5; round++)
        array_change(worker, &array);
    scrub_stack();
    array_check(worker, &array);
    free(array.want);
}

/* Slots appended one by one to an array that doubles. */
static void growing_array(struct worker *worker)
{
    size_t most = 1 + below(worker, 600), room = 0;
    slot *slots = NULL;

    for (size_t count = 0; count < most; count++) {
        slot value = leaf_new(worker);

        if (count == room) {
            slots = tri_grow(slots, &tri_type_slot, room, room * 2 + 1);
            room = room * 2 + 1;
        }
        if (slots == NULL)
            give_up("out of memory");
        tri_init_store(&slots[count].p, value.p);
        slots[count].want = value.want;
    }
    scrub_stack();
    for (size_t i = 0; i < room; i++)
        check_slot(worker, slots[i], "an array that grew");
}

/* --- litter ----------------------------------------------------------------------------------- */

/* Much garbage, so that freed slots are soon used again; a few of the objects are held on to. */
static void litter(struct worker *worker)
{
    slot kept[8] = {{NULL, 0}};

    for (int i = 0; i < 2000; i++)
        kept[below(worker, 8)] = chance(worker, 90) ? token_new(worker) : leaf_new(worker);
    for (int i = 0; i < 8; i++)
        check_slot(worker, kept[i], "the stack");
}

void act_own(struct worker *worker)
{
    static void (*const acts[])(struct worker *) = {tree, list_asleep, pointer_array, growing_array,
                                                    litter};

    worker->act = "own";
    acts[below(worker, sizeof acts / sizeof acts[0])](worker);
}
