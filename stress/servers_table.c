/* SPDX-License-Identifier: MIT */
/* stress/servers_table.c: a table of roots that all threads change, and a model of it outside of
 * the heap, which says what each root must lead to; what lies behind it says so for itself
 * (shadow.h).
 *
 * Locks: each entry has one, which is only tried. So no thread ever waits here, wherever it may be
 * cancelled, interrupted or forked; and who finds an entry locked in a child of fork() knows that
 * its holder is gone in the middle of a change. */
#include "stress/servers.h"

#define ENTRIES (2048u / SLOWDOWN)
#define DEPTH 3u /* of a tree; each of its nodes has few slots */
#define CHAIN 60u
#define TAKEN_MOST 24u

struct entry {
    uint32_t held; /* atomic */
    uint64_t want;
};

TRI_ROOT static void *values[ENTRIES];
static struct entry entries[ENTRIES];

/* ---- trees ---- */

static slot small_tree(struct worker *worker, unsigned depth)
{
    struct place place;
    node *made;

    if (depth == 0 || chance(worker, 30))
        return leaf_new(worker);
    made = node_new(worker, 1 + below(worker, 4));
    place = place_of(made);
    for (size_t i = 0; i < place.count; i++)
        fill_slot(&place, i, small_tree(worker, depth - 1));
    return point_to(worker, made);
}

static slot chain_new(struct worker *worker)
{
    slot chain = leaf_new(worker);

    for (uint64_t left = below(worker, CHAIN); left > 0; left--) {
        node *made = node_new(worker, 1 + below(worker, 2));
        struct place place = place_of(made);

        fill_slot(&place, place.count - 1, chain);
        chain = (slot){made, want_of(NODE, made->id)};
    }
    return chain;
}

static slot large_new(struct worker *worker)
{
    node *made = node_new(worker, random_count(worker));
    struct place place = place_of(made);

    for (size_t i = 0; i < place.count && i < 8; i++)
        fill_slot(&place, below(worker, 2) == 0 ? i : place.count - 1 - i, leaf_new(worker));
    return (slot){made, want_of(NODE, made->id)};
}

slot tree_new(struct worker *worker)
{
    unsigned kind = (unsigned)below(worker, 20);

    if (kind == 0)
        return large_new(worker);
    return kind < 8 ? chain_new(worker) : small_tree(worker, DEPTH);
}

/* Along last slots by a loop: chains are long. */
void tree_check(struct worker *worker, slot tree, const char *where)
{
    const node *at;

    check_slot(worker, tree, where);
    while ((at = node_of(tree)) != NULL) {
        struct place place = place_of((node *)(uintptr_t)at);

        if (place.count == 0)
            return;
        for (size_t i = 0; i + 1 < place.count; i++)
            tree_check(worker, get_slot(&place, i), where);
        tree = get_slot(&place, place.count - 1);
        check_slot(worker, tree, where);
    }
}

void make_garbage(struct worker *worker)
{
    if (chance(worker, 5))
        tri_new_ptrs(2000 + below(worker, 20000));
    else if (chance(worker, 30))
        tri_alloc_bytes(1 + below(worker, 4000));
    else
        tree_new(worker);
}

/* ---- entries ---- */

static bool entry_try(size_t i)
{
    uint32_t nobody = 0;

    return __atomic_compare_exchange_n(&entries[i].held, &nobody, 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static void entry_leave(size_t i)
{
    __atomic_store_n(&entries[i].held, 0, __ATOMIC_RELEASE);
}

static slot entry_get(size_t i)
{
    return (slot){values[i], entries[i].want};
}

/* In one of the ways there are. */
static void entry_set(struct worker *worker, size_t i, slot value)
{
    void *old = values[i];

    switch (below(worker, 4)) {
    case 0:
        if (tri_exchange(&values[i], value.p) != old)
            servers_fail(worker, "an exchange has returned something else");
        break;
    case 1:
        if (!tri_compare_exchange(&values[i], &old, value.p))
            servers_fail(worker, "a compare-exchange has failed");
        break;
    case 2:
        tri_memcpy(&values[i], &value.p, sizeof value.p);
        break;
    default:
        tri_store(&values[i], value.p);
    }
    entries[i].want = value.want;
}

static void put_slot(const struct place *place, size_t i, slot value)
{
    tri_store(&place->p[i * place->step], value.p);
    set_word(&place->want[i * place->step], value.want);
}

/* A place below the entry, or one without slots. */
static struct place walk(struct worker *worker, slot value)
{
    struct place place = {0};

    for (node *at = node_of(value); at != NULL && at->count > 0; at = node_of(value)) {
        place = place_of(at);
        value = get_slot(&place, below(worker, place.count));
        check_slot(worker, value, "the table, on the way down");
        if (chance(worker, 20))
            break;
    }
    return place;
}

/* ---- changes of an entry that is held ---- */

static void change_below(struct worker *worker, size_t i)
{
    struct place place = walk(worker, entry_get(i));

    if (place.count > 0)
        put_slot(&place, below(worker, place.count),
                 chance(worker, 30) ? nothing : leaf_new(worker));
}

/* What was below comes to the top; nothing else leads there any more. */
static void pull_up(struct worker *worker, size_t i)
{
    struct place place = walk(worker, entry_get(i));
    size_t at;
    slot pulled;

    if (place.count == 0)
        return;
    at = below(worker, place.count);
    pulled = get_slot(&place, at);
    put_slot(&place, at, nothing);
    entry_set(worker, i, pulled);
    tree_check(worker, pulled, "what was pulled up");
}

static void swap_entries(struct worker *worker, size_t i)
{
    size_t other = below(worker, ENTRIES);
    slot mine = entry_get(i);

    if (!entry_try(other)) /* itself, perhaps */
        return;
    entry_set(worker, i, entry_get(other));
    entry_set(worker, other, mine);
    entry_leave(other);
}

/* The old value is on this stack alone, for a while. */
static void replace(struct worker *worker, size_t i)
{
    slot old = entry_get(i);

    entry_set(worker, i, chance(worker, 5) ? nothing : tree_new(worker));
    tree_check(worker, old, "what was replaced");
}

static void change_held(struct worker *worker, size_t i)
{
    unsigned kind = (unsigned)below(worker, 10);

    if (kind < 3)
        change_below(worker, i);
    else if (kind < 4)
        pull_up(worker, i);
    else if (kind < 6)
        swap_entries(worker, i);
    else if (kind < 7)
        tree_check(worker, entry_get(i), "the table");
    else
        replace(worker, i);
}

void table_change(struct worker *worker)
{
    size_t i = below(worker, ENTRIES);

    if (!entry_try(i))
        return;
    change_held(worker, i);
    entry_leave(i);
}

/* ---- what is out of the table for a while ---- */

static slot take_out(struct worker *worker)
{
    size_t i = below(worker, ENTRIES);
    slot value;

    if (!entry_try(i))
        return nothing;
    value = entry_get(i);
    entry_set(worker, i, nothing);
    entry_leave(i);
    return value;
}

static void put_in(struct worker *worker, slot value)
{
    size_t i = below(worker, ENTRIES);

    if (!entry_try(i))
        return;
    entry_set(worker, i, value);
    entry_leave(i);
}

void act_take(struct worker *worker)
{
    slot taken[TAKEN_MOST];
    size_t n = 1 + below(worker, TAKEN_MOST);

    for (size_t i = 0; i < n; i++) {
        taken[i] = take_out(worker);
        make_garbage(worker);
    }
    for (uint64_t left = 1 + below(worker, 3); left > 0; left--)
        sleep_somehow(worker);
    for (size_t i = 0; i < n; i++) {
        tree_check(worker, taken[i], "what was taken out of the table");
        put_in(worker, taken[i]);
    }
}

/* ---- all of it ---- */

void table_init(struct worker *worker)
{
    for (size_t i = 0; i < ENTRIES; i++)
        entry_set(worker, i, tree_new(worker));
}

/* Of an entry that was being changed nobody knows whether the old or the new value is there, but
 * that it is one, which is alive. */
void table_adopt(struct worker *worker)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        if (entries[i].held == 0)
            continue;
        if (values[i] != NULL && tri_object_base(values[i]) == NULL)
            servers_fail(worker, "in a child, what was being changed is gone");
        entry_set(worker, i, nothing);
        entry_leave(i);
    }
}

void table_check(struct worker *worker)
{
    for (size_t i = 0; i < ENTRIES; i++)
        tree_check(worker, entry_get(i), "the table, in the end");
}

void table_clear(void)
{
    tri_memclr(values, sizeof values);
    for (size_t i = 0; i < ENTRIES; i++)
        entries[i].want = 0;
}
