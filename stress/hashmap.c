/* SPDX-License-Identifier: MIT */
/* stress/hashmap.c: a map of chained buckets without locks, on plain loads. An entry is removed in
 * two steps, as Harris does it: a bit in its pointer to the next one says that it is gone; then
 * whoever comes by takes it out of the chain. So there are tagged pointers in heap objects, and
 * threads walk through entries that have been removed. See stress/driver.h for how it is called.
 *
 * The shadow: each key has an owner, which alone inserts, changes and removes it, and so knows what
 * everybody must find. Others know what a key's value may look like. */
#include <stdio.h>
#include <stdlib.h>

#include "stress/driver.h"
#include "stress/objects.h"

#define KEYS_EACH 512u
#define BUCKETS 256u

typedef struct entry {
    uint64_t id, check; /* as a token's */
    uint64_t key;
    struct entry *next; /* lowest bit: this entry is gone */
    slot *value;        /* never changes; it is exchanged for another one */
} entry;
TRI_TYPE(entry, next, value);

TRI_ROOT static entry **buckets;

static unsigned owners; /* atomic */

/* ---- tagged pointers ---- */

static bool is_tagged(const entry *at)
{
    return ((uintptr_t)at & 1) != 0;
}

static entry *tagged(entry *at)
{
    return (entry *)((uintptr_t)at | 1);
}

static entry *untagged(entry *at)
{
    return (entry *)((uintptr_t)at & ~(uintptr_t)1);
}

static entry *read_link(entry **from)
{
    return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static entry **bucket_of(uint64_t key)
{
    return &buckets[mix(key) % BUCKETS];
}

/* ---- the map ---- */

/* The entry of a key, for who changes nothing: through entries that are gone, too. */
static entry *look_up(uint64_t key)
{
    entry *at = read_link(bucket_of(key));

    while (at != NULL) {
        entry *next = read_link(&at->next);

        if (at->key == key && !is_tagged(next))
            return at;
        at = untagged(next);
    }
    return NULL;
}

/* Takes what is gone out of the chain, as far as it comes. */
static void sweep_chain(uint64_t key)
{
    entry **from = bucket_of(key), *at = read_link(from);

    while (at != NULL && !is_tagged(at)) {
        entry *next = read_link(&at->next);

        if (!is_tagged(next))
            from = &at->next;
        else if (!tri_compare_exchange(from, &at, untagged(next)))
            return;
        at = untagged(next);
    }
}

static void insert(entry *fresh)
{
    entry **bucket = bucket_of(fresh->key), *first = read_link(bucket);

    tri_init_store(&fresh->next, first);
    while (!tri_compare_exchange(bucket, &first, fresh))
        tri_store(&fresh->next, first);
}

static void remove_entry(entry *at)
{
    entry *next = read_link(&at->next);

    while (!tri_compare_exchange(&at->next, &next, tagged(next)))
        continue;
    sweep_chain(at->key);
}

/* ---- entries and values ---- */

static slot *value_new(struct worker *worker)
{
    slot load = leaf_new(worker), *value = tri_new(slot);

    if (value == NULL)
        give_up("out of memory");
    tri_init_store(&value->p, load.p);
    value->want = load.want;
    return value;
}

static entry *entry_new(struct worker *worker, uint64_t key, slot *value)
{
    entry *fresh = tri_new(entry);

    if (fresh == NULL)
        give_up("out of memory");
    fresh->id = next_id(worker);
    fresh->check = mix(fresh->id);
    fresh->key = key;
    tri_init_store(&fresh->value, value);
    return fresh;
}

static void check_entry(struct worker *worker, const entry *at, uint64_t key)
{
    slot as_token = {(void *)(uintptr_t)at, want_of(TOKEN, at->id)};

    check_slot(worker, as_token, "a chain");
    if (at->key != key)
        lost(worker, as_token, "a chain", "key %" PRIu64 " for %" PRIu64, at->key, key);
}

/* ---- what threads do ---- */

/* What the owner knows: of each key the value's word, 0 where there is none. */
struct owner {
    uint64_t first_key;
    uint64_t want[KEYS_EACH];
};

static void check_own(struct worker *worker, const struct owner *owner, size_t i)
{
    uint64_t key = owner->first_key + i;
    const entry *at = look_up(key);
    slot wanted = {(void *)(uintptr_t)at, owner->want[i]}, value;

    if ((at != NULL) != (owner->want[i] != 0))
        lost(worker, wanted, "the map", "%s key %" PRIu64, at == NULL ? "no" : "still", key);
    if (at == NULL)
        return;
    check_entry(worker, at, key);
    value = *__atomic_load_n(&at->value, __ATOMIC_ACQUIRE);
    if (value.want != owner->want[i])
        lost(worker, wanted, "the map", "the value %" PRIx64, value.want);
    check_slot(worker, value, "the map");
}

static void change_own(struct worker *worker, struct owner *owner, size_t i)
{
    uint64_t key = owner->first_key + i;
    entry *at = look_up(key);
    slot *value = value_new(worker), old;

    check_own(worker, owner, i);
    if (at == NULL) {
        insert(entry_new(worker, key, value));
    } else {
        old = *tri_exchange(&at->value, value);
        if (old.want != owner->want[i])
            lost(worker, old, "the map", "it instead of %" PRIx64, owner->want[i]);
        check_slot(worker, old, "an old value");
    }
    owner->want[i] = value->want;
}

static void remove_own(struct owner *owner, size_t i)
{
    entry *at = look_up(owner->first_key + i);

    if (at == NULL)
        return;
    remove_entry(at);
    owner->want[i] = 0;
}

/* Keeps a value for a while that the owner may exchange meanwhile, with its entry. */
static void look_at_others(struct worker *worker)
{
    uint64_t key = below(worker, (uint64_t)stress_threads * KEYS_EACH);
    const entry *at = look_up(key);
    const slot *value;

    if (at == NULL)
        return;
    value = __atomic_load_n(&at->value, __ATOMIC_ACQUIRE);
    if (chance(worker, 10))
        token_new(worker);
    check_entry(worker, at, key);
    check_slot(worker, *value, "another thread's value");
}

static void work(struct worker *worker)
{
    static struct owner all[STRESS_THREADS_MOST];
    unsigned number = __atomic_fetch_add(&owners, 1, __ATOMIC_RELAXED);
    struct owner *owner = &all[number];

    owner->first_key = (uint64_t)number * KEYS_EACH;
    while (!stopping()) {
        worker_begins(worker, "map");
        for (uint64_t left = 1 + below(worker, 200); left > 0; left--) {
            unsigned kind = (unsigned)below(worker, 100);
            size_t i = below(worker, KEYS_EACH);

            if (kind < 30)
                change_own(worker, owner, i);
            else if (kind < 50)
                remove_own(owner, i);
            else if (kind < 70)
                check_own(worker, owner, i);
            else
                look_at_others(worker);
        }
        scrub_stack();
    }
    for (size_t i = 0; i < KEYS_EACH; i++)
        check_own(worker, owner, i);
}

static void begin(struct worker *worker)
{
    (void)worker;
    tri_store(&buckets, (entry **)tri_new_ptrs(BUCKETS));
    if (buckets == NULL)
        give_up("out of memory");
}

/* Every chain, with what nobody has taken out of it yet. */
static void end(struct worker *worker)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (const entry *at = buckets[i]; at != NULL; at = untagged(at->next)) {
            check_entry(worker, at, at->key);
            check_slot(worker, *at->value, "the map");
        }
}

int main(int argc, char **argv)
{
    static const struct stress hashmap = {"hashmap", begin, work, NULL, end};

    return stress_main(argc, argv, &hashmap);
}
