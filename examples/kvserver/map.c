/* SPDX-License-Identifier: MIT */
/* The hash map: buckets of chained entries, read without locks.
 *
 * Reading is three loads: the bucket array, the chain's head, the entry. No lock, no reference
 * count, no hazard pointer, no epoch or grace period: those exist to answer one question, "when may
 * a removed entry be freed, given that a reader may still stand on it?", and the collector answers
 * it. A reader's pointer is on its stack, so what it points to stays. Nothing that was removed is
 * freed by hand, and nothing is reused while anyone can still compare it with something, so there
 * is no ABA.
 *
 * What is left to get right is the order of stores, which is all that writers and readers share:
 *   - an entry and a bucket array are filled in first and then published by a store-release; every
 *     reader's load is an acquire;
 *   - a removed or replaced entry keeps its `next`, so a reader who stands on it goes on along the
 *     chain as it was and finds every key that stayed; its `value` stays what it was then;
 *   - a replacement takes the exact place of what it replaces, so a key that is only being changed
 *     is never absent;
 *   - resizing builds a second array beside the first. Entries that must change their `next` are
 *     copied, the rest are shared; readers of the old array finish there, and the array goes when
 *     the last one is done.
 *
 * Each read therefore gives what was true at one moment between its beginning and its end.
 *
 * Locks: none. Writers exclude each other by the caller's lock, and so load plainly what only they
 *   store.
 * Threads: any. */
#include "map.h"

#include <string.h>

TRI_FLEX_TYPE_OF(kv_entry, name, kv_byte, next, value);
TRI_FLEX_TYPE(kv_buckets, chains);
TRI_TYPE(kv_map, buckets);

#define BUCKETS_MIN 8u
#define BUCKETS_MAX ((size_t)1 << 31)

static kv_buckets *buckets_new(size_t n)
{
    kv_buckets *buckets = tri_new_flex(kv_buckets, n);

    if (buckets != NULL)
        buckets->mask = n - 1;
    return buckets;
}

kv_map *kv_map_new(void)
{
    kv_buckets *buckets = buckets_new(BUCKETS_MIN);
    kv_map *map = buckets != NULL ? tri_new(kv_map) : NULL;

    if (map != NULL)
        tri_init_store(&map->buckets, buckets);
    return map;
}

static bool is_named(const kv_entry *entry, struct kv_name name)
{
    return kv_name_equal(name, entry->name, entry->length, entry->hash);
}

kv_entry *kv_map_find(const kv_map *map, struct kv_name name)
{
    kv_buckets *buckets = kv_load(&map->buckets);
    kv_entry *entry = kv_load(&buckets->chains[name.hash & buckets->mask]);

    while (entry != NULL && !is_named(entry, name))
        entry = kv_load(&entry->next);
    return entry;
}

/* ---- writers ---- */

/* The pointer that leads to `name`'s entry, or the NULL at its chain's end. */
static kv_entry **find_link(kv_map *map, struct kv_name name)
{
    kv_buckets *buckets = map->buckets;
    kv_entry **link = &buckets->chains[name.hash & buckets->mask];

    while (*link != NULL && !is_named(*link, name))
        link = &(*link)->next;
    return link;
}

static kv_entry *entry_new(struct kv_name name, kv_value *value, int64_t expire_at, kv_entry *next)
{
    kv_entry *entry = tri_new_flex(kv_entry, name.length);

    if (entry == NULL)
        return NULL;
    tri_init_store(&entry->next, next);
    tri_init_store(&entry->value, value);
    entry->expire_at = expire_at;
    entry->hash = name.hash;
    entry->length = name.length;
    memcpy(entry->name, name.data, name.length);
    return entry;
}

/* Only writers change the counters: readers need some recent number, not an order. */
static void add_to(size_t *counter, size_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static void count_entry(kv_map *map, const kv_entry *entry, size_t n)
{
    add_to(&map->count, n);
    if (entry->expire_at != KV_NEVER)
        add_to(&map->expiring, n);
}

/* The first entry of the chain's longest tail that stays together in `buckets`. */
static kv_entry *last_run(const kv_buckets *buckets, kv_entry *chain)
{
    kv_entry *run = chain;

    for (kv_entry *entry = chain->next; entry != NULL; entry = entry->next) {
        if ((entry->hash & buckets->mask) != (run->hash & buckets->mask))
            run = entry;
    }
    return run;
}

static kv_entry **chain_of(kv_buckets *buckets, const kv_entry *entry)
{
    return &buckets->chains[entry->hash & buckets->mask];
}

/* Enters the entries of a chain into a bucket array that nobody else sees yet. Its last run is
 * shared by the old and the new array where the new chain is still empty (with one key in a chain,
 * as most have, nothing is copied at all); the entries before it get another `next`, so they are
 * copied. */
static bool rehash_chain(kv_buckets *buckets, kv_entry *chain)
{
    kv_entry *shared = last_run(buckets, chain);

    if (*chain_of(buckets, shared) == NULL)
        tri_store(chain_of(buckets, shared), shared);
    else
        shared = NULL;
    for (kv_entry *entry = chain; entry != shared; entry = entry->next) {
        kv_entry **head = chain_of(buckets, entry);
        struct kv_name name = {entry->name, entry->length, entry->hash};
        kv_entry *copy = entry_new(name, entry->value, entry->expire_at, *head);

        if (copy == NULL)
            return false;
        tri_store(head, copy);
    }
    return true;
}

/* Out of memory is no failure here: the map stays as it is and works, with longer chains. */
static void resize(kv_map *map, size_t n)
{
    kv_buckets *old = map->buckets;
    kv_buckets *fresh = buckets_new(n);

    if (fresh == NULL)
        return;
    for (size_t i = 0; i <= old->mask; i++) {
        if (old->chains[i] != NULL && !rehash_chain(fresh, old->chains[i]))
            return;
    }
    tri_store_release(&map->buckets, fresh);
}

static bool insert(kv_map *map, struct kv_name name, kv_value *value, int64_t expire_at)
{
    kv_entry **head = &map->buckets->chains[name.hash & map->buckets->mask];
    kv_entry *entry = entry_new(name, value, expire_at, *head);
    size_t n = map->buckets->mask + 1;

    if (entry == NULL)
        return false;
    tri_store_release(head, entry);
    count_entry(map, entry, 1);
    if (map->count > n && n < BUCKETS_MAX)
        resize(map, 2 * n);
    return true;
}

/* A new entry in the place of the one that *link leads to. */
static bool replace(kv_map *map, kv_entry **link, struct kv_name name, kv_value *value,
                    int64_t expire_at)
{
    kv_entry *old = *link;
    kv_entry *entry = entry_new(name, value, expire_at, old->next);

    if (entry == NULL)
        return false;
    tri_store_release(link, entry);
    count_entry(map, old, (size_t)-1);
    count_entry(map, entry, 1);
    return true;
}

bool kv_map_put(kv_map *map, struct kv_name name, kv_value *value, int64_t expire_at)
{
    kv_entry **link = find_link(map, name);

    if (*link == NULL)
        return insert(map, name, value, expire_at);
    if ((*link)->expire_at != expire_at)
        return replace(map, link, name, value, expire_at);
    tri_store_release(&(*link)->value, value);
    return true;
}

bool kv_map_remove(kv_map *map, struct kv_name name)
{
    kv_entry **link = find_link(map, name);
    kv_entry *old = *link;
    size_t n = map->buckets->mask + 1;

    if (old == NULL)
        return false;
    tri_store_release(link, old->next);
    count_entry(map, old, (size_t)-1);
    if (map->count < n / 8 && n > BUCKETS_MIN)
        resize(map, n / 4);
    return true;
}

/* ---- walking ---- */

static void visit_chain(kv_entry *const *chain, kv_visit *visit, void *argument)
{
    for (kv_entry *entry = kv_load(chain); entry != NULL; entry = kv_load(&entry->next))
        visit(entry, argument);
}

void kv_map_each(const kv_map *map, kv_visit *visit, void *argument)
{
    kv_buckets *buckets = kv_load(&map->buckets);

    for (size_t i = 0; i <= buckets->mask; i++) {
        visit_chain(&buckets->chains[i], visit, argument);
        tri_safepoint();
    }
}

static uint64_t reverse_bits(uint64_t word)
{
    word = (word >> 1 & 0x5555555555555555u) | (word & 0x5555555555555555u) << 1;
    word = (word >> 2 & 0x3333333333333333u) | (word & 0x3333333333333333u) << 2;
    word = (word >> 4 & 0x0f0f0f0f0f0f0f0fu) | (word & 0x0f0f0f0f0f0f0f0fu) << 4;
    return __builtin_bswap64(word);
}

/* The cursor counts with its highest bucket bit as the lowest digit. Doubling the array splits
 * bucket b into b and b + n, halving joins them again, and in this order both come after everything
 * that was visited before b. So the walk goes on in an array of another size without missing a key;
 * after shrinking it may see some twice. */
uint64_t kv_map_scan(const kv_map *map, uint64_t cursor, kv_visit *visit, void *argument)
{
    kv_buckets *buckets = kv_load(&map->buckets);

    visit_chain(&buckets->chains[cursor & buckets->mask], visit, argument);
    cursor |= ~(uint64_t)buckets->mask;
    return reverse_bits(reverse_bits(cursor) + 1);
}
