/* SPDX-License-Identifier: MIT */
/* The databases and their locks.
 *
 * A key's hash chooses its shard by the upper byte and, in the shard's map, its bucket by the lower
 * bits. Readers go from the root to the entry by acquire loads and never wait. Writers lock the
 * shard. The collector never stops a thread that holds such a lock, so nobody waits long for one;
 * still, who has to wait does so inside TRI_BLOCKING, because the holder may be helping the
 * collector, which must not wait for us in turn.
 *
 * Owns: the root of all data. Locks: shard locks, one of each index for all databases, in ascending
 * order (more of them than ThreadSanitizer's deadlock detector can follow in one thread, which is
 * 64).
 * Threads: any. */
#include "keyspace.h"

#include <pthread.h>
#include <time.h>

/* NULL on each of the three levels stands for what is empty: so emptying a database needs no
 * memory. */
struct kv_database {
    kv_map *shards[KV_SHARDS]; /* atomic: [shard lock] stores, once */
};
TRI_TYPE(kv_database, shards);

typedef struct kv_databases {
    kv_database *numbers[KV_DATABASES]; /* atomic: anyone stores */
} kv_databases;
TRI_TYPE(kv_databases, numbers);

/* atomic: anyone stores. All data hangs from here. */
TRI_ROOT static kv_databases *databases;

/* Protects: stores to one shard of every database. Does not protect: loads. A cache line each. */
struct shard_lock {
    _Alignas(64) pthread_mutex_t mutex;
};
static struct shard_lock locks[KV_SHARDS];

int64_t kv_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void kv_keyspace_init(void)
{
    for (unsigned i = 0; i < KV_SHARDS; i++)
        pthread_mutex_init(&locks[i].mutex, NULL);
}

static unsigned shard_of(uint32_t hash)
{
    return hash >> 24;
}

bool kv_entry_is_expired(const kv_entry *entry)
{
    return entry->expire_at != KV_NEVER && entry->expire_at <= kv_now();
}

/* ---- locks ---- */

static void lock_shard(unsigned shard)
{
    pthread_mutex_t *mutex = &locks[shard].mutex;

    if (pthread_mutex_trylock(mutex) == 0)
        return;
    TRI_BLOCKING {
        pthread_mutex_lock(mutex);
    }
}

static void unlock_shard(unsigned shard)
{
    pthread_mutex_unlock(&locks[shard].mutex);
}

static bool has_shard(const struct kv_shard_set *shards, unsigned shard)
{
    return shards->bits[shard / 64] >> (shard % 64) & 1;
}

void kv_shards_add(struct kv_shard_set *shards, struct kv_slice name)
{
    unsigned shard = shard_of(kv_name_of(name).hash);

    shards->bits[shard / 64] |= (uint64_t)1 << (shard % 64);
}

void kv_shards_lock(const struct kv_shard_set *shards)
{
    for (unsigned i = 0; i < KV_SHARDS; i++) {
        if (has_shard(shards, i))
            lock_shard(i);
    }
}

void kv_shards_unlock(const struct kv_shard_set *shards)
{
    for (unsigned i = 0; i < KV_SHARDS; i++) {
        if (has_shard(shards, i))
            unlock_shard(i);
    }
}

/* ---- reading ---- */

/* Each command looks up its database once, and so sees either what was there before a FLUSHALL or
 * what came after. */
static kv_database *find_database(unsigned number)
{
    kv_databases *all = kv_load(&databases);

    return all != NULL ? kv_load(&all->numbers[number]) : NULL;
}

static kv_map *map_of(kv_database *database, unsigned shard)
{
    return database != NULL ? kv_load(&database->shards[shard]) : NULL;
}

/* Removes an entry that has outlived its time, unless somebody was faster or is busy there: then
 * the sweep comes by again. */
static void try_remove_expired(kv_map *map, struct kv_name name)
{
    unsigned shard = shard_of(name.hash);
    kv_entry *entry;

    if (pthread_mutex_trylock(&locks[shard].mutex) != 0)
        return;
    entry = kv_map_find(map, name);
    if (entry != NULL && kv_entry_is_expired(entry))
        kv_map_remove(map, name);
    unlock_shard(shard);
}

kv_entry *kv_keyspace_find(unsigned database, struct kv_slice key)
{
    struct kv_name name = kv_name_of(key);
    kv_map *map = map_of(find_database(database), shard_of(name.hash));
    kv_entry *entry = map != NULL ? kv_map_find(map, name) : NULL;

    if (entry == NULL || !kv_entry_is_expired(entry))
        return entry;
    try_remove_expired(map, name);
    return NULL;
}

kv_value *kv_keyspace_read(unsigned database, struct kv_slice key)
{
    kv_entry *entry = kv_keyspace_find(database, key);

    return entry != NULL ? kv_load(&entry->value) : NULL;
}

void kv_keyspace_each(unsigned database, kv_visit *visit, void *argument)
{
    kv_database *keys = find_database(database);

    for (unsigned shard = 0; shard < KV_SHARDS; shard++) {
        kv_map *map = map_of(keys, shard);

        if (map != NULL)
            kv_map_each(map, visit, argument);
    }
}

/* The lowest byte of a cursor is the shard, the rest the cursor of its map, of which no more than
 * the lower half is used. */
uint64_t kv_keyspace_scan(unsigned database, uint64_t cursor, kv_visit *visit, void *argument)
{
    unsigned shard = cursor % KV_SHARDS;
    kv_map *map = map_of(find_database(database), shard);
    uint64_t next = map != NULL ? kv_map_scan(map, cursor / KV_SHARDS, visit, argument) : 0;

    if (next != 0)
        return next * KV_SHARDS + shard;
    return (shard + 1) % KV_SHARDS;
}

struct kv_keyspace_counts kv_keyspace_counts(unsigned database)
{
    struct kv_keyspace_counts counts = {0, 0};
    kv_database *keys = find_database(database);

    for (unsigned shard = 0; shard < KV_SHARDS; shard++) {
        kv_map *map = map_of(keys, shard);

        counts.keys += map != NULL ? kv_map_count(map) : 0;
        counts.expiring += map != NULL ? kv_map_expiring(map) : 0;
    }
    return counts;
}

/* ---- writing ---- */

/* When several threads make what was missing, the first one's is used by all and the others' is
 * garbage. */
static kv_databases *open_databases(void)
{
    kv_databases *all = kv_load(&databases);
    kv_databases *fresh = all == NULL ? tri_new(kv_databases) : NULL;

    if (fresh != NULL && tri_compare_exchange(&databases, &all, fresh))
        return fresh;
    return all;
}

kv_database *kv_keyspace_open(unsigned number)
{
    kv_databases *all = open_databases();
    kv_database *database = all != NULL ? kv_load(&all->numbers[number]) : NULL;
    kv_database *fresh = all != NULL && database == NULL ? tri_new(kv_database) : NULL;

    if (fresh != NULL && tri_compare_exchange(&all->numbers[number], &database, fresh))
        return fresh;
    return database;
}

static void enter(struct kv_key *key, kv_database *database, struct kv_name name)
{
    kv_entry *entry;

    key->database = database;
    key->name = name;
    key->map = map_of(database, shard_of(key->name.hash));
    key->value = NULL;
    key->expire_at = KV_NEVER;
    entry = key->map != NULL ? kv_map_find(key->map, key->name) : NULL;
    if (entry == NULL)
        return;
    if (kv_entry_is_expired(entry)) {
        kv_map_remove(key->map, key->name);
        return;
    }
    key->value = entry->value;
    key->expire_at = entry->expire_at;
}

void kv_key_enter(struct kv_key *key, kv_database *database, struct kv_slice name)
{
    enter(key, database, kv_name_of(name));
}

void kv_key_lock(struct kv_key *key, unsigned database, struct kv_slice name)
{
    struct kv_name hashed = kv_name_of(name);

    lock_shard(shard_of(hashed.hash));
    enter(key, kv_keyspace_open(database), hashed);
}

void kv_key_unlock(const struct kv_key *key)
{
    unlock_shard(shard_of(key->name.hash));
}

/* Makes the map of a shard that has none yet. */
static kv_map *add_map(kv_database *database, unsigned shard)
{
    kv_map *map = kv_map_new();

    if (map != NULL)
        tri_store_release(&database->shards[shard], map);
    return map;
}

bool kv_key_set(struct kv_key *key, kv_value *value, int64_t expire_at)
{
    if (key->map == NULL && key->database != NULL)
        key->map = add_map(key->database, shard_of(key->name.hash));
    if (key->map == NULL || !kv_map_put(key->map, key->name, value, expire_at))
        return false;
    key->value = value;
    key->expire_at = expire_at;
    return true;
}

void kv_key_remove(struct kv_key *key)
{
    if (key->value == NULL)
        return;
    kv_map_remove(key->map, key->name);
    key->value = NULL;
    key->expire_at = KV_NEVER;
}

/* ---- emptying: one store ---- */

/* A command that is under way finishes in what it has found, and has then happened just before. */
void kv_keyspace_flush(unsigned database)
{
    kv_databases *all = kv_load(&databases);

    if (all != NULL)
        tri_store_release(&all->numbers[database], NULL);
}

void kv_keyspace_flush_all(void)
{
    tri_store_release(&databases, NULL);
}

/* ---- expiry ---- */

struct sweep {
    unsigned database;
    uint64_t cursor;
};

static void sweep_entry(kv_entry *entry, void *argument)
{
    kv_map *map = argument;

    if (kv_entry_is_expired(entry))
        try_remove_expired(map, (struct kv_name){entry->name, entry->length, entry->hash});
}

/* One bucket of the shard at *at, or the whole shard if none of its keys expires; then on to the
 * next place. */
static void sweep_step(struct sweep *at)
{
    unsigned shard = at->cursor % KV_SHARDS;
    kv_map *map = map_of(find_database(at->database), shard);
    uint64_t next = 0;

    if (map != NULL && kv_map_expiring(map) != 0)
        next = kv_map_scan(map, at->cursor / KV_SHARDS, sweep_entry, map);
    at->cursor = next != 0 ? next * KV_SHARDS + shard : (shard + 1) % KV_SHARDS;
    if (at->cursor == 0)
        at->database = (at->database + 1) % KV_DATABASES;
}

/* Every step costs some 100 ns or less: 64 of them between two looks at the clock. At most once
 * around all databases. */
void kv_keyspace_sweep(int64_t milliseconds)
{
    static struct sweep at; /* only the main thread sweeps */
    int64_t deadline = kv_now() + milliseconds;
    unsigned rounds = 0;

    while (rounds <= KV_DATABASES && kv_now() < deadline) {
        for (unsigned i = 0; i < 64; i++) {
            sweep_step(&at);
            rounds += at.cursor == 0;
        }
    }
}
