/* SPDX-License-Identifier: MIT */
/* stress/lru.c: a cache of strings that forgets what was used longest ago: shards with a lock each,
 * in which chains of buckets and a list that leads both ways go through the same entries. See
 * stress/driver.h for how it is called.
 *
 * The shadow: for each key when it was last used and which value it has, beside the shard and under
 * its lock; and strings whose bytes follow from their number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stress/driver.h"
#include "stress/parcel.h"

#define SHARDS 8u
#define KEYS 400u /* of a shard */
#define BUCKETS 64u
#define ROOM 200u /* entries that a shard keeps */
#define KEY_BYTES 40u
#define VALUE_MOST 3000u

typedef struct entry {
    char *key, *value;
    struct entry *chain;         /* of its bucket */
    struct entry *newer, *older; /* NULL at the ends */
} entry;
TRI_TYPE(entry, key, value, chain, newer, older);

typedef struct shard {
    entry *newest, *oldest;
    uint64_t count;
    entry *buckets[BUCKETS];
} shard;
TRI_TYPE(shard, newest, oldest, buckets);

/* Locks: lock. */
struct model {
    pthread_mutex_t lock;
    uint64_t clock;
    uint64_t used[KEYS];  /* when; 0: is not there */
    uint64_t value[KEYS]; /* its number */
};

TRI_ROOT static shard *shards[SHARDS];
static struct model models[SHARDS];

/* ---- strings ---- */

static void key_text(char *text, size_t key)
{
    snprintf(text, KEY_BYTES, "key:%zu:%" PRIx64, key, mix(key));
}

static size_t value_bytes(uint64_t id)
{
    return mix(id) % 8 == 0 ? mix(id + 1) % VALUE_MOST : mix(id + 1) % 60;
}

static char value_byte(uint64_t id, size_t i)
{
    return (char)('a' + (mix(id + i / 8) >> i % 8 * 8 & 15));
}

static char *value_new(uint64_t id)
{
    size_t bytes = value_bytes(id);
    char *text = tri_alloc_bytes(bytes + 1);

    if (text == NULL)
        give_up("out of memory");
    for (size_t i = 0; i < bytes; i++)
        text[i] = value_byte(id, i);
    return text;
}

static void check_text(struct worker *worker, const char *text, const char *wanted, uint64_t id)
{
    worker->checked++;
    if (tri_object_base(text) == NULL || strcmp(text, wanted) != 0)
        lost(worker, (slot){(void *)(uintptr_t)text, want_of(TEXT, id)}, "the cache",
             "another key, not \"%s\"", wanted);
}

static void check_value(struct worker *worker, const char *text, uint64_t id)
{
    slot value = {(void *)(uintptr_t)text, want_of(TEXT, id)};
    size_t bytes = value_bytes(id);

    worker->checked++;
    if (tri_object_base(text) == NULL || tri_object_size(text) < bytes + 1)
        lost(worker, value, "the cache", "no object of its size");
    for (size_t i = 0; i < bytes; i++)
        if (text[i] != value_byte(id, i))
            lost(worker, value, "the cache", "byte %zu overwritten: %02x", i, (unsigned)text[i]);
    if (text[bytes] != '\0')
        lost(worker, value, "the cache", "no end");
}

/* ---- the cache ---- */

static entry **bucket_of(shard *in, const char *key)
{
    uint64_t hash = 5381;

    for (; *key != '\0'; key++)
        hash = hash * 33 + (unsigned char)*key;
    return &in->buckets[hash % BUCKETS];
}

static entry *find(shard *in, const char *key)
{
    entry *at = *bucket_of(in, key);

    while (at != NULL && strcmp(at->key, key) != 0)
        at = at->chain;
    return at;
}

static void unlink_entry(shard *in, entry *at)
{
    tri_store(at->newer != NULL ? &at->newer->older : &in->newest, at->older);
    tri_store(at->older != NULL ? &at->older->newer : &in->oldest, at->newer);
}

static void link_newest(shard *in, entry *at)
{
    tri_store(&at->newer, NULL);
    tri_store(&at->older, in->newest);
    tri_store(in->newest != NULL ? &in->newest->newer : &in->oldest, at);
    tri_store(&in->newest, at);
}

static void use(shard *in, entry *at)
{
    unlink_entry(in, at);
    link_newest(in, at);
}

static void insert(shard *in, const char *key, char *value)
{
    entry *fresh = tri_new(entry), **bucket = bucket_of(in, key);
    char *copy = tri_strdup(key);

    if (fresh == NULL || copy == NULL)
        give_up("out of memory");
    tri_init_store(&fresh->key, copy);
    tri_init_store(&fresh->value, value);
    tri_init_store(&fresh->chain, *bucket);
    tri_store(bucket, fresh);
    link_newest(in, fresh);
    in->count++;
}

static void drop(shard *in, entry *at)
{
    entry **from = bucket_of(in, at->key);

    while (*from != at)
        from = &(*from)->chain;
    tri_store(from, at->chain);
    unlink_entry(in, at);
    in->count--;
}

/* ---- what threads do, and what must come of it; all under the shard's lock ---- */

static size_t oldest_key(const struct model *model)
{
    size_t oldest = KEYS;

    for (size_t key = 0; key < KEYS; key++)
        if (model->used[key] != 0 && (oldest == KEYS || model->used[key] < model->used[oldest]))
            oldest = key;
    return oldest;
}

static void forget_oldest(struct worker *worker, shard *in, struct model *model)
{
    size_t key = oldest_key(model);
    char text[KEY_BYTES];

    key_text(text, key);
    check_text(worker, in->oldest->key, text, key);
    check_value(worker, in->oldest->value, model->value[key]);
    drop(in, in->oldest);
    model->used[key] = 0;
}

/* The entry of a key, as the model says it must be; NULL if it must not. */
static entry *look_up(struct worker *worker, shard *in, const struct model *model, size_t key)
{
    char text[KEY_BYTES];
    entry *at;

    key_text(text, key);
    at = find(in, text);
    if ((at != NULL) != (model->used[key] != 0))
        lost(worker, (slot){at, want_of(TEXT, key)}, "the cache",
             at == NULL ? "nothing" : "a key that was dropped");
    if (at == NULL)
        return NULL;
    check_text(worker, at->key, text, key);
    check_value(worker, at->value, model->value[key]);
    return at;
}

static void get(struct worker *worker, shard *in, struct model *model, size_t key)
{
    entry *at = look_up(worker, in, model, key);

    if (at == NULL)
        return;
    use(in, at);
    model->used[key] = ++model->clock;
}

static void set(struct worker *worker, shard *in, struct model *model, size_t key)
{
    uint64_t id = next_id(worker);
    char *value = value_new(id), text[KEY_BYTES];
    entry *at = look_up(worker, in, model, key);

    key_text(text, key);
    if (at == NULL) {
        insert(in, text, value);
    } else {
        tri_store(&at->value, value);
        use(in, at);
    }
    model->value[key] = id;
    model->used[key] = ++model->clock;
    while (in->count > ROOM)
        forget_oldest(worker, in, model);
}

static void drop_key(struct worker *worker, shard *in, struct model *model, size_t key)
{
    entry *at = look_up(worker, in, model, key);

    if (at != NULL)
        drop(in, at);
    model->used[key] = 0;
}

/* Along the list both ways: as many as there are in the model, the oldest last. */
static void check_list(struct worker *worker, const shard *in, const struct model *model)
{
    uint64_t count = 0, there = 0;

    for (const entry *at = in->newest; at != NULL; at = at->older) {
        count++;
        if ((at->older != NULL ? at->older->newer : in->oldest) != at)
            lost(worker, nothing, "the list", "an entry that does not lead back");
    }
    for (size_t key = 0; key < KEYS; key++)
        there += model->used[key] != 0;
    if (count != there || count != in->count)
        lost(worker, nothing, "the list", "%" PRIu64 " of %" PRIu64 " entries", count, there);
}

/* All at once: a new shard takes the place of the old one. */
static void drop_all(struct model *model, size_t i)
{
    shard *fresh = tri_new(shard);

    if (fresh == NULL)
        give_up("out of memory");
    tri_store(&shards[i], fresh);
    memset(model->used, 0, sizeof model->used);
}

static void act(struct worker *worker, size_t i)
{
    struct model *model = &models[i];
    unsigned kind = (unsigned)below(worker, 1000);
    /* Some are used more than others. */
    size_t key = below(worker, 1 + below(worker, KEYS));

    if (kind < 600)
        get(worker, shards[i], model, key);
    else if (kind < 900)
        set(worker, shards[i], model, key);
    else if (kind < 980)
        drop_key(worker, shards[i], model, key);
    else if (kind < 999)
        check_list(worker, shards[i], model);
    else if (chance(worker, 20))
        drop_all(model, i);
}

/* ---- the program ---- */

static void begin(struct worker *worker)
{
    (void)worker;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&models[i].lock, NULL);
        drop_all(&models[i], i);
    }
}

static void work(struct worker *worker)
{
    while (!stopping()) {
        size_t i = below(worker, SHARDS);

        worker_begins(worker, "cache");
        lock_enter(&models[i].lock);
        for (uint64_t left = 1 + below(worker, 30); left > 0; left--)
            act(worker, i);
        pthread_mutex_unlock(&models[i].lock);
        if (chance(worker, 10))
            scrub_stack();
    }
}

static void end(struct worker *worker)
{
    for (size_t i = 0; i < SHARDS; i++) {
        check_list(worker, shards[i], &models[i]);
        for (size_t key = 0; key < KEYS; key++)
            look_up(worker, shards[i], &models[i], key);
    }
}

int main(int argc, char **argv)
{
    static const struct stress lru = {"lru", begin, work, NULL, end};

    return stress_main(argc, argv, &lru);
}
