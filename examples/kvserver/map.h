/* SPDX-License-Identifier: MIT */
/* A hash map from names to values whose readers take no lock. Why they need none: map.c. */
#ifndef KV_MAP_H
#define KV_MAP_H

#include "value.h"

#define KV_NEVER 0 /* expire_at of a key that has no time to live */

/* One key. Everything but `next` and `value` is constant: to change the time to live, the entry is
 * replaced. So a reader who has an entry can never take an old time to live for a new value's. */
typedef struct kv_entry {
    struct kv_entry *next; /* atomic: [writer] stores, anyone loads */
    kv_value *value;       /* atomic: [writer] stores, anyone loads */
    int64_t expire_at;     /* kv_now() at which the key is gone; KV_NEVER */
    uint32_t hash;
    uint32_t length;
    kv_byte name[]; /* beside the rest: one cache miss a key, not two */
} kv_entry;

typedef struct kv_buckets {
    size_t mask; /* their number, a power of two, less one */
    kv_entry *chains[];
} kv_buckets;

typedef struct kv_map {
    kv_buckets *buckets; /* atomic: [writer] stores, anyone loads */
    size_t count;        /* atomic: [writer] stores, anyone loads */
    size_t expiring;     /* atomic: entries with a time to live */
} kv_map;

/* An empty map; NULL when out of memory. */
kv_map *kv_map_new(void);

/* Any thread, no lock. The entry may be removed or replaced the next moment; it stays readable. */
kv_entry *kv_map_find(const kv_map *map, struct kv_name name);

static inline size_t kv_map_count(const kv_map *map)
{
    return __atomic_load_n(&map->count, __ATOMIC_RELAXED);
}

static inline size_t kv_map_expiring(const kv_map *map)
{
    return __atomic_load_n(&map->expiring, __ATOMIC_RELAXED);
}

/* One writer at a time: the caller holds whatever lock belongs to the map. */

/* Gives `name` this value and time to live, adding the key if need be. false: out of memory, and
 * nothing changed. */
bool kv_map_put(kv_map *map, struct kv_name name, kv_value *value, int64_t expire_at);

/* false: there was no such key. */
bool kv_map_remove(kv_map *map, struct kv_name name);

/* Walking. Any thread, no lock; `visit` may do anything, changes to this map included. */
typedef void kv_visit(kv_entry *entry, void *argument);

/* Visits the keys of one bucket and returns the cursor of the next; 0 begins and, returned, ends a
 * walk. A key that is there during the whole walk is visited at least once, whatever else happens
 * to the map meanwhile. */
uint64_t kv_map_scan(const kv_map *map, uint64_t cursor, kv_visit *visit, void *argument);

/* Visits all keys; one that is there from beginning to end is visited exactly once. */
void kv_map_each(const kv_map *map, kv_visit *visit, void *argument);

#endif
