/* SPDX-License-Identifier: MIT */
/* The databases: 16 sets of keys, each split into shards that have a map and a lock of their own.
 * Readers use no lock. */
#ifndef KV_KEYSPACE_H
#define KV_KEYSPACE_H

#include "map.h"

#define KV_DATABASES 16u
#define KV_SHARDS 256u

typedef struct kv_database kv_database;

/* The clock of times to live: milliseconds, monotonic, so that setting the machine's clock does not
 * expire keys. */
int64_t kv_now(void);

/* Before any other thread runs. */
void kv_keyspace_init(void);

/* ---- reading: no lock ---- */

/* The live entry of a key; NULL if there is none. */
kv_entry *kv_keyspace_find(unsigned database, struct kv_slice key);

/* Its value as it is now; NULL if there is none. */
kv_value *kv_keyspace_read(unsigned database, struct kv_slice key);

bool kv_entry_is_expired(const kv_entry *entry);

/* Every key; those that are there from beginning to end exactly once. */
void kv_keyspace_each(unsigned database, kv_visit *visit, void *argument);

/* Visits one bucket; 0 begins and ends the walk. */
uint64_t kv_keyspace_scan(unsigned database, uint64_t cursor, kv_visit *visit, void *argument);

struct kv_keyspace_counts {
    size_t keys, expiring;
};

struct kv_keyspace_counts kv_keyspace_counts(unsigned database);

/* ---- writing: between kv_key_lock and kv_key_unlock ---- */

/* A key whose shard is locked. On the stack of the command that changes it. */
struct kv_key {
    kv_database *database; /* NULL: empty, and out of memory */
    struct kv_name name;
    kv_map *map;       /* NULL: the shard has no keys yet */
    kv_value *value;   /* as it is now; NULL: no such key */
    int64_t expire_at; /* as it is now */
};

void kv_key_lock(struct kv_key *key, unsigned database, struct kv_slice name);
void kv_key_unlock(const struct kv_key *key);

/* Gives the key a value and a time to live. false: out of memory, and nothing changed. */
bool kv_key_set(struct kv_key *key, kv_value *value, int64_t expire_at);

/* Does nothing if the key does not exist. */
void kv_key_remove(struct kv_key *key);

/* ---- writing several keys at once ---- */

/* A set of shards, locked in ascending order, which is what keeps two commands from waiting for
 * each other. */
struct kv_shard_set {
    uint64_t bits[KV_SHARDS / 64];
};

void kv_shards_add(struct kv_shard_set *shards, struct kv_slice name);
void kv_shards_lock(const struct kv_shard_set *shards);
void kv_shards_unlock(const struct kv_shard_set *shards);

/* The database to write to, looked up once for all keys and after their shards were locked. NULL:
 * empty, and out of memory. */
kv_database *kv_keyspace_open(unsigned number);

/* Like kv_key_lock, for a key whose shard is locked already. */
void kv_key_enter(struct kv_key *key, kv_database *database, struct kv_slice name);

/* Empties a database or all, at one moment for everybody. */
void kv_keyspace_flush(unsigned database);
void kv_keyspace_flush_all(void);

/* ---- expiry ---- */

/* Looks at keys with a time to live, where the last call stopped, for at most `milliseconds`, and
 * removes those that are over. */
void kv_keyspace_sweep(int64_t milliseconds);

#endif
