/* SPDX-License-Identifier: MIT */
/* stress/sizes.c: objects of one byte beside objects of megabytes, in tables that grow: spans of
 * every kind come and go, large ones are marked in pieces, and one small object or inner pointer
 * keeps a large one alive. See stress/driver.h for how it is called.
 *
 * The shadow: a word beside every pointer (stress/shadow.h); of a huge array, which of its slots
 * lead to which object. */
#include <stdio.h>
#include <stdlib.h>

#include "stress/driver.h"
#include "stress/parcel.h"

#define ENTRIES_MOST 400u
#define HUGE_SLOTS (120000u / SLOWDOWN) /* of 16 bytes */
#define HUGE_BYTES (((size_t)6 << 20) / SLOWDOWN)
#define PROBES 24u
#define SHARED 32u

/* Each under its lock: pointer and word belong together. */
static pthread_mutex_t shared_locks[SHARED];
TRI_ROOT static slot shared[SHARED];

static uint32_t is_large; /* atomic: no more huge objects for now */

/* ---- making ---- */

/* A node with very many slots, of which a few lead somewhere: the first, the last, and some
 * between. */
static slot huge_node(struct worker *worker)
{
    size_t count = 20000 + below(worker, HUGE_SLOTS);
    node *fresh = node_new(worker, count);
    struct place place = place_of(fresh);

    fill_slot(&place, 0, leaf_new(worker));
    fill_slot(&place, count - 1, leaf_new(worker));
    for (unsigned i = 0; i < PROBES; i++)
        fill_slot(&place, 1 + below(worker, count - 2), leaf_new(worker));
    return point_to(worker, fresh);
}

/* The last bytes of a leaf object follow from its id, as all do; so a page that was given away is
 * seen. */
static slot huge_leaf(struct worker *worker)
{
    size_t bytes = ((size_t)1 << 15) + below(worker, HUGE_BYTES);
    leaf *fresh = tri_alloc_bytes(sizeof *fresh + bytes);

    if (fresh == NULL)
        give_up("out of memory");
    fresh->id = next_id(worker);
    fresh->check = mix(fresh->id);
    fresh->bytes = bytes;
    for (size_t i = 0; i < bytes; i++) {
        fresh->data[i] = (unsigned char)(mix(fresh->id + i / 8) >> i % 8 * 8);
        if (i % 4096 == 0)
            tri_safepoint();
    }
    return (slot){fresh, want_of(LEAF, fresh->id)};
}

static slot small_node(struct worker *worker)
{
    size_t count = random_count(worker);
    node *fresh = node_new(worker, count);
    struct place place = place_of(fresh);

    for (size_t i = 0; i < fresh->count && i < 8; i++)
        fill_slot(&place, i, leaf_new(worker));
    return point_to(worker, fresh);
}

static slot thing_new(struct worker *worker)
{
    unsigned kind = (unsigned)below(worker, 1000);

    if (kind < 4 && !__atomic_load_n(&is_large, __ATOMIC_RELAXED))
        return chance(worker, 50) ? huge_node(worker) : huge_leaf(worker);
    return kind < 300 ? small_node(worker) : leaf_new(worker);
}

/* ---- looking ---- */

/* The slots at both ends, and some between; all of a small one. */
static void check_inside(struct worker *worker, node *at)
{
    struct place place = place_of(at);
    size_t all = at->count <= PROBES ? at->count : PROBES;

    for (size_t i = 0; i < all; i++) {
        size_t j = at->count <= PROBES ? i
                   : i == 0            ? 0
                   : i == 1            ? at->count - 1
                                       : below(worker, at->count);

        check_slot(worker, get_slot(&place, j), "a slot of a node");
    }
}

static void check_thing(struct worker *worker, slot thing)
{
    node *at;

    check_slot(worker, thing, "a table");
    at = node_of(thing);
    if (at != NULL)
        check_inside(worker, at);
}

/* ---- tables ---- */

/* Grows; the old one is garbage then. */
static slot *grow(struct worker *worker, slot *table, size_t *count)
{
    size_t more = *count + 1 + below(worker, *count + 1);
    slot *larger = tri_grow(table, &tri_type_slot, *count, more);

    if (larger == NULL)
        give_up("out of memory");
    *count = more;
    return larger;
}

static void exchange_shared(struct worker *worker, slot *entry)
{
    size_t i = below(worker, SHARED);
    slot other;

    lock_enter(&shared_locks[i]);
    other = shared[i];
    tri_store(&shared[i].p, entry->p);
    set_word(&shared[i].want, entry->want); /* the collector reads all of it */
    pthread_mutex_unlock(&shared_locks[i]);
    tri_store(&entry->p, other.p);
    entry->want = other.want;
    check_thing(worker, other);
}

static void change(struct worker *worker, slot *entry)
{
    unsigned kind = (unsigned)below(worker, 100);
    slot fresh;

    if (kind < 30) {
        check_thing(worker, *entry);
    } else if (kind < 35) {
        exchange_shared(worker, entry);
    } else if (kind < 45) {
        tri_store(&entry->p, NULL);
        entry->want = 0;
    } else {
        fresh = thing_new(worker);
        tri_store(&entry->p, fresh.p);
        entry->want = fresh.want;
    }
}

/* One table from its first entry to its last, and then all of it at once is garbage. */
static void live_of_table(struct worker *worker)
{
    size_t count = 0, most = 1 + below(worker, ENTRIES_MOST);
    slot *table = NULL;

    while (count < most && !stopping()) {
        worker_begins(worker, "table");
        table = grow(worker, table, &count);
        for (uint64_t left = below(worker, 4 * count); left > 0 && !stopping(); left--)
            change(worker, &table[below(worker, count)]);
    }
    for (size_t i = 0; i < count; i++)
        check_thing(worker, table[i]);
}

/* ---- the program ---- */

static void begin(struct worker *worker)
{
    (void)worker;
    for (size_t i = 0; i < SHARED; i++)
        pthread_mutex_init(&shared_locks[i], NULL);
}

static void work(struct worker *worker)
{
    while (!stopping()) {
        live_of_table(worker);
        scrub_stack();
    }
}

static void look(const tri_stats *stats)
{
    __atomic_store_n(&is_large, stats->live_bytes > (uint64_t)96 << 20, __ATOMIC_RELAXED);
}

static void end(struct worker *worker)
{
    for (size_t i = 0; i < SHARED; i++)
        check_thing(worker, shared[i]);
}

int main(int argc, char **argv)
{
    static const struct stress sizes = {"sizes", begin, work, look, end};

    return stress_main(argc, argv, &sizes);
}
