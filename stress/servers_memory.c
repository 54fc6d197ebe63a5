/* SPDX-License-Identifier: MIT */
/* stress/servers_memory.c: arrays of pointers whose ranges are moved, with a model of each; arenas,
 * and copies that outlive them; handles. */
#include <stdlib.h>
#include <string.h>

#include "stress/moments.h"
#include "stress/servers.h"

/* ---- ranges ---- */

struct row {
    void **values; /* in the heap */
    uint64_t *wants;
    size_t n;
};

static void row_check(struct worker *worker, const struct row *row, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++)
        check_slot(worker, (slot){row->values[i], row->wants[i]}, "a row");
}

static void row_init(struct worker *worker, struct row *row, size_t n)
{
    row->n = n;
    row->values = tri_new_ptrs(n);
    row->wants = calloc(n, sizeof *row->wants);
    if (row->values == NULL || row->wants == NULL)
        give_up("out of memory");
    for (size_t i = 0; i < n; i++) {
        slot fresh = chance(worker, 10) ? nothing : token_new(worker);

        tri_store(&row->values[i], fresh.p);
        row->wants[i] = fresh.want;
    }
}

/* By a loop of the program's: whole words, upwards or downwards, in a window that ends at the
 * safepoint. */
static void move_by_hand(void **to, void **from, size_t n)
{
    tri_bulk_barrier_pre_write(to, from, n * sizeof *to);
    for (size_t k = 0; k < n; k++) {
        size_t i = to < from ? k : n - 1 - k;

        __atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
    }
    tri_safepoint();
}

static void row_move(struct worker *worker, struct row *row, const struct row *source)
{
    size_t n = 1 + below(worker, row->n), to = below(worker, row->n - n + 1),
           from = below(worker, row->n - n + 1);

    switch (below(worker, 4)) {
    case 0:
        tri_memclr(&row->values[to], n * sizeof *row->values);
        memset(&row->wants[to], 0, n * sizeof *row->wants);
        break;
    case 1:
        move_by_hand(&row->values[to], &source->values[from], n);
        memmove(&row->wants[to], &source->wants[from], n * sizeof *row->wants);
        break;
    default:
        tri_memmove(&row->values[to], &source->values[from], n * sizeof *row->values);
        memmove(&row->wants[to], &source->wants[from], n * sizeof *row->wants);
    }
    row_check(worker, row, to, n < 50 ? n : 50);
}

void act_ranges(struct worker *worker)
{
    size_t n = chance(worker, 5) ? 1 + below(worker, 6000) : 1 + below(worker, 300);
    struct row rows[2];

    row_init(worker, &rows[0], n);
    row_init(worker, &rows[1], n);
    for (uint64_t left = 10 + below(worker, 50); left > 0; left--) {
        size_t i = below(worker, n);
        slot fresh = token_new(worker);

        row_move(worker, &rows[left % 2], &rows[below(worker, 2)]);
        tri_store(&rows[0].values[i], fresh.p);
        rows[0].wants[i] = fresh.want;
        if (chance(worker, 10))
            sleep_somehow(worker);
    }
    for (int i = 0; i < 2; i++) {
        row_check(worker, &rows[i], 0, n);
        free(rows[i].wants);
    }
}

/* ---- arenas ---- */

static void check_slots(struct worker *worker, const slot *slots, size_t n, const char *where)
{
    for (size_t i = 0; i < n; i++)
        tree_check(worker, slots[i], where);
}

static slot *fill_array(struct worker *worker, tri_arena *arena, size_t n)
{
    slot *slots = tri_arena_alloc_array(arena, &tri_type_slot, n);

    if (slots == NULL)
        give_up("out of memory");
    for (size_t i = 0; i < n; i++) {
        slot fresh = tree_new(worker);

        tri_init_store(&slots[i].p, fresh.p);
        slots[i].want = fresh.want;
    }
    return slots;
}

/* Nothing but the arena leads to its trees, and nothing but the stack to the copy. */
void act_arena(struct worker *worker)
{
    tri_arena *arena = tri_arena_new();
    size_t n = 1 + below(worker, 40);
    slot *slots, *copy;

    if (arena == NULL)
        give_up("out of memory");
    slots = fill_array(worker, arena, n);
    for (uint64_t left = below(worker, 20); left > 0; left--) {
        size_t i = below(worker, n);
        slot fresh = tree_new(worker);

        tri_store(&slots[i].p, fresh.p);
        slots[i].want = fresh.want;
        tri_arena_alloc_array(arena, &tri_type_slot, below(worker, 2000));
    }
    sleep_somehow(worker);
    check_slots(worker, slots, n, "an arena");
    copy = tri_arena_keep(slots);
    if (copy == NULL)
        give_up("out of memory");
    tri_arena_free(arena);
    make_garbage(worker);
    check_slots(worker, copy, n, "what was kept of an arena");
}

/* ---- handles ---- */

static __attribute__((noinline)) uint64_t handle_make(struct worker *worker, tri_handle **handle)
{
    slot value = tree_new(worker);

    *handle = tri_handle_new(value.p);
    if (*handle == NULL)
        give_up("out of memory");
    return value.want;
}

void act_handle(struct worker *worker)
{
    tri_handle *handle;
    uint64_t want = handle_make(worker, &handle);

    scrub_stack();
    sleep_somehow(worker);
    tree_check(worker, (slot){tri_handle_get(handle), want}, "a handle");
    tri_handle_free(handle);
}
