/* SPDX-License-Identifier: MIT */
/* Commands on keys, whatever they hold. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command.h"
#include "glob.h"
#include "number.h"
#include "reply.h"

void kv_del_command(struct kv_client *client)
{
    int64_t removed = 0;

    for (size_t i = 1; i < kv_argument_count(client); i++) {
        struct kv_key key;

        kv_key_lock(&key, client->database, kv_argument(client, i));
        if (key.value != NULL) {
            kv_key_remove(&key);
            removed++;
        }
        kv_key_unlock(&key);
    }
    kv_reply_integer(client, removed);
}

void kv_exists_command(struct kv_client *client)
{
    int64_t found = 0;

    for (size_t i = 1; i < kv_argument_count(client); i++)
        found += kv_keyspace_find(client->database, kv_argument(client, i)) != NULL;
    kv_reply_integer(client, found);
}

void kv_type_command(struct kv_client *client)
{
    kv_value *value = kv_keyspace_read(client->database, kv_argument(client, 1));

    kv_reply_status(client, value != NULL ? kv_kind_name(value) : "none");
}

/* ---- time to live ---- */

static bool get_deadline(struct kv_client *client, int64_t unit, int64_t *expire_at)
{
    int64_t number;

    if (!kv_get_integer(client, 2, &number))
        return false;
    if (!__builtin_mul_overflow(number, unit, &number) &&
        !__builtin_add_overflow(number, kv_now(), expire_at))
        return true;
    kv_reply_error(client, "ERR invalid expire time in '%s' command", client->command->name);
    return false;
}

/* A deadline that has passed removes the key. */
static void expire(struct kv_client *client, int64_t unit)
{
    struct kv_key key;
    int64_t expire_at;
    bool found, done = true;

    if (!get_deadline(client, unit, &expire_at))
        return;
    kv_key_lock(&key, client->database, kv_argument(client, 1));
    found = key.value != NULL;
    if (found && expire_at <= kv_now())
        kv_key_remove(&key);
    else if (found)
        done = kv_key_set(&key, key.value, expire_at);
    kv_key_unlock(&key);
    if (done)
        kv_reply_integer(client, found);
    else
        kv_reply_no_memory(client);
}

void kv_expire_command(struct kv_client *client)
{
    expire(client, 1000);
}

void kv_pexpire_command(struct kv_client *client)
{
    expire(client, 1);
}

void kv_persist_command(struct kv_client *client)
{
    struct kv_key key;
    bool expiring, done = true;

    kv_key_lock(&key, client->database, kv_argument(client, 1));
    expiring = key.value != NULL && key.expire_at != KV_NEVER;
    if (expiring)
        done = kv_key_set(&key, key.value, KV_NEVER);
    kv_key_unlock(&key);
    if (done)
        kv_reply_integer(client, expiring);
    else
        kv_reply_no_memory(client);
}

/* Milliseconds left; -1: for ever, -2: no such key. */
static int64_t time_left(struct kv_client *client)
{
    kv_entry *entry = kv_keyspace_find(client->database, kv_argument(client, 1));
    int64_t left;

    if (entry == NULL)
        return -2;
    if (entry->expire_at == KV_NEVER)
        return -1;
    left = entry->expire_at - kv_now();
    return left > 0 ? left : 0;
}

void kv_pttl_command(struct kv_client *client)
{
    kv_reply_integer(client, time_left(client));
}

void kv_ttl_command(struct kv_client *client)
{
    int64_t left = time_left(client);

    kv_reply_integer(client, left < 0 ? left : left / 1000 + (left % 1000 >= 500));
}

/* ---- walks over all keys ---- */

struct walk {
    struct kv_client *client;
    struct kv_slice pattern; /* no data: all keys */
    struct kv_slice type;    /* no data: all types */
    uint64_t found;
};

static bool has_type(const kv_entry *entry, struct kv_slice type)
{
    const char *name = kv_kind_name(kv_load(&entry->value));

    return strlen(name) == type.length && strncasecmp(name, type.data, type.length) == 0;
}

static void reply_if_wanted(kv_entry *entry, void *argument)
{
    struct walk *walk = argument;
    struct kv_slice name = {entry->name, entry->length};

    if (kv_entry_is_expired(entry))
        return;
    if (walk->pattern.data != NULL && !kv_glob_match(walk->pattern, name))
        return;
    if (walk->type.data != NULL && !has_type(entry, walk->type))
        return;
    kv_reply_bulk(walk->client, name);
    walk->found++;
}

void kv_keys_command(struct kv_client *client)
{
    struct walk walk = {.client = client, .pattern = kv_argument(client, 1)};
    size_t mark = kv_reply_mark(client);
    size_t end;

    kv_keyspace_each(client->database, reply_if_wanted, &walk);
    end = kv_reply_mark(client);
    kv_reply_array(client, walk.found);
    kv_reply_to_front(client, mark, end);
}

static bool get_cursor(struct kv_client *client, uint64_t *cursor)
{
    struct kv_slice text = kv_argument(client, 1);
    char digits[KV_INTEGER_MAX] = {0};
    char *end;

    if (text.length != 0 && text.length < sizeof digits) {
        memcpy(digits, text.data, text.length);
        *cursor = strtoull(digits, &end, 10);
        if (digits[0] >= '0' && digits[0] <= '9' && *end == '\0')
            return true;
    }
    kv_reply_error(client, "ERR invalid cursor");
    return false;
}

/* MATCH, COUNT and TYPE, in any order. */
static bool get_scan_options(struct kv_client *client, struct walk *walk, int64_t *count)
{
    for (size_t i = 2; i < kv_argument_count(client); i += 2) {
        bool has_next = i + 1 < kv_argument_count(client);

        if (has_next && kv_argument_is(client, i, "match")) {
            walk->pattern = kv_argument(client, i + 1);
        } else if (has_next && kv_argument_is(client, i, "type")) {
            walk->type = kv_argument(client, i + 1);
        } else if (has_next && kv_argument_is(client, i, "count")) {
            if (!kv_get_integer(client, i + 1, count))
                return false;
            if (*count >= 1)
                continue;
            kv_reply_syntax_error(client);
            return false;
        } else {
            kv_reply_syntax_error(client);
            return false;
        }
    }
    return true;
}

static void reply_cursor(struct kv_client *client, uint64_t cursor)
{
    char digits[KV_INTEGER_MAX];
    size_t length = kv_integer_format((int64_t)cursor, digits);

    kv_reply_bulk(client, (struct kv_slice){digits, length});
}

void kv_scan_command(struct kv_client *client)
{
    struct walk walk = {.client = client};
    int64_t count = 10;
    int64_t steps;
    uint64_t cursor;
    size_t mark, end;

    if (!get_cursor(client, &cursor) || !get_scan_options(client, &walk, &count))
        return;
    mark = kv_reply_mark(client);
    /* A bound where most buckets are empty or nothing matches. */
    steps = count < INT64_MAX / 10 ? 10 * count : INT64_MAX;
    do {
        cursor = kv_keyspace_scan(client->database, cursor, reply_if_wanted, &walk);
        tri_safepoint();
    } while (cursor != 0 && --steps > 0 && walk.found < (uint64_t)count);
    end = kv_reply_mark(client);
    kv_reply_array(client, 2);
    reply_cursor(client, cursor);
    kv_reply_array(client, walk.found);
    kv_reply_to_front(client, mark, end);
}

void kv_dbsize_command(struct kv_client *client)
{
    kv_reply_integer(client, (int64_t)kv_keyspace_counts(client->database).keys);
}

/* FLUSHALL and FLUSHDB [ASYNC|SYNC]: no difference, the collector frees beside us anyway. */
static bool check_flush_mode(struct kv_client *client)
{
    size_t arguments = kv_argument_count(client);

    if (arguments == 1 || (arguments == 2 && (kv_argument_is(client, 1, "async") ||
                                              kv_argument_is(client, 1, "sync"))))
        return true;
    kv_reply_syntax_error(client);
    return false;
}

void kv_flushall_command(struct kv_client *client)
{
    if (!check_flush_mode(client))
        return;
    kv_keyspace_flush_all();
    kv_reply_ok(client);
}

void kv_flushdb_command(struct kv_client *client)
{
    if (!check_flush_mode(client))
        return;
    kv_keyspace_flush(client->database);
    kv_reply_ok(client);
}
