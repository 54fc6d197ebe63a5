/* SPDX-License-Identifier: MIT */
/* Commands on strings.
 *
 * The pattern of every command that writes: build what can be built without the lock, lock the key,
 * decide, publish, unlock. */
#include "command.h"
#include "number.h"
#include "reply.h"

/* ---- SET and its kin ---- */

struct set_options {
    bool only_new, only_old; /* NX, XX */
    bool get;                /* reply with the old value instead of OK */
    bool keep;               /* KEEPTTL */
    int64_t expire_at;
};

static bool set_allowed(const struct set_options *options, const kv_value *old)
{
    return old != NULL ? !options->only_new : !options->only_old;
}

/* What a set replies once it is known whether it was done. */
static void reply_set(struct kv_client *client, const struct set_options *options,
                      const kv_value *old, bool done)
{
    if (options->get)
        kv_reply_string(client, (const kv_string *)old);
    else if (done)
        kv_reply_ok(client);
    else
        kv_reply_null(client);
}

/* Sets argument 1 to argument `index`. */
static void set_string(struct kv_client *client, size_t index, const struct set_options *options)
{
    kv_string *value = kv_string_new(kv_argument(client, index));
    struct kv_key key;
    kv_value *old;
    bool done;

    if (value == NULL) {
        kv_reply_no_memory(client);
        return;
    }
    kv_key_lock(&key, client->database, kv_argument(client, 1));
    old = key.value;
    if (options->get && !kv_check_kind(client, old, KV_STRING)) {
        kv_key_unlock(&key);
        return;
    }
    done = set_allowed(options, old);
    if (done &&
        !kv_key_set(&key, &value->head, options->keep ? key.expire_at : options->expire_at)) {
        kv_key_unlock(&key);
        kv_reply_no_memory(client);
        return;
    }
    kv_key_unlock(&key);
    reply_set(client, options, old, done);
}

/* A time to live of SET, SETEX and PSETEX, which must be positive. */
static bool get_expiry(struct kv_client *client, size_t index, int64_t unit, int64_t *expire_at)
{
    int64_t number;

    if (!kv_get_integer(client, index, &number))
        return false;
    if (number > 0 && !__builtin_mul_overflow(number, unit, &number) &&
        !__builtin_add_overflow(number, kv_now(), expire_at))
        return true;
    kv_reply_error(client, "ERR invalid expire time in '%s' command", client->command->name);
    return false;
}

/* The option at *index, which ends on its last word. false: replied with an error. */
static bool get_set_option(struct kv_client *client, size_t *index, struct set_options *options)
{
    bool seconds = kv_argument_is(client, *index, "ex");
    bool has_next = *index + 1 < kv_argument_count(client);

    if (kv_argument_is(client, *index, "nx") && !options->only_old)
        return options->only_new = true;
    if (kv_argument_is(client, *index, "xx") && !options->only_new)
        return options->only_old = true;
    if (kv_argument_is(client, *index, "get"))
        return options->get = true;
    if (kv_argument_is(client, *index, "keepttl") && options->expire_at == KV_NEVER)
        return options->keep = true;
    if ((seconds || kv_argument_is(client, *index, "px")) && has_next && !options->keep &&
        options->expire_at == KV_NEVER)
        return get_expiry(client, ++*index, seconds ? 1000 : 1, &options->expire_at);
    kv_reply_syntax_error(client);
    return false;
}

void kv_set_command(struct kv_client *client)
{
    struct set_options options = {.expire_at = KV_NEVER};

    for (size_t i = 3; i < kv_argument_count(client); i++) {
        if (!get_set_option(client, &i, &options))
            return;
    }
    set_string(client, 2, &options);
}

void kv_getset_command(struct kv_client *client)
{
    set_string(client, 2, &(struct set_options){.get = true});
}

void kv_setex_command(struct kv_client *client)
{
    struct set_options options = {0};

    if (get_expiry(client, 2, 1000, &options.expire_at))
        set_string(client, 3, &options);
}

void kv_psetex_command(struct kv_client *client)
{
    struct set_options options = {0};

    if (get_expiry(client, 2, 1, &options.expire_at))
        set_string(client, 3, &options);
}

/* ---- several keys, locked together: other writers see all of the change or nothing ---- */

static bool any_exists(struct kv_client *client, kv_database *database)
{
    for (size_t i = 1; i < kv_argument_count(client); i += 2) {
        struct kv_key key;

        kv_key_enter(&key, database, kv_argument(client, i));
        if (key.value != NULL)
            return true;
    }
    return false;
}

static bool set_all(struct kv_client *client, kv_database *database, kv_string *const *values)
{
    bool done = true;

    for (size_t i = 1; i < kv_argument_count(client) && done; i += 2) {
        struct kv_key key;

        kv_key_enter(&key, database, kv_argument(client, i));
        done = kv_key_set(&key, &values[i / 2]->head, KV_NEVER);
    }
    return done;
}

/* false: replied with an error. *skipped: `only_new`, and one of the keys was there. */
static bool set_pairs(struct kv_client *client, bool only_new, bool *skipped)
{
    struct kv_shard_set shards = {{0}};
    kv_database *database;
    kv_string **values;
    bool done;

    if (kv_argument_count(client) % 2 == 0) {
        kv_reply_wrong_arity(client);
        return false;
    }
    values = kv_new_strings(client, 2, 2);
    for (size_t i = 1; i < kv_argument_count(client); i += 2)
        kv_shards_add(&shards, kv_argument(client, i));
    kv_shards_lock(&shards);
    database = kv_keyspace_open(client->database);
    *skipped = only_new && any_exists(client, database);
    done = values != NULL && (*skipped || set_all(client, database, values));
    kv_shards_unlock(&shards);
    if (!done)
        kv_reply_no_memory(client);
    return done;
}

void kv_mset_command(struct kv_client *client)
{
    bool skipped;

    if (set_pairs(client, false, &skipped))
        kv_reply_ok(client);
}

void kv_msetnx_command(struct kv_client *client)
{
    bool skipped;

    if (set_pairs(client, true, &skipped))
        kv_reply_integer(client, !skipped);
}

void kv_setnx_command(struct kv_client *client)
{
    kv_msetnx_command(client); /* of one pair */
}

/* ---- reading ---- */

void kv_get_command(struct kv_client *client)
{
    kv_value *value;

    if (kv_read_argument(client, KV_STRING, &value))
        kv_reply_string(client, (kv_string *)value);
}

void kv_mget_command(struct kv_client *client)
{
    kv_reply_array(client, kv_argument_count(client) - 1);
    for (size_t i = 1; i < kv_argument_count(client); i++) {
        kv_value *value = kv_keyspace_read(client->database, kv_argument(client, i));
        bool is_string = value != NULL && value->kind == KV_STRING;

        kv_reply_string(client, is_string ? (kv_string *)value : NULL);
    }
}

void kv_strlen_command(struct kv_client *client)
{
    kv_value *value;

    if (kv_read_argument(client, KV_STRING, &value))
        kv_reply_integer(client, value != NULL ? ((kv_string *)value)->length : 0);
}

void kv_getdel_command(struct kv_client *client)
{
    struct kv_key key;
    kv_value *old;

    if (!kv_lock_argument(client, &key, KV_STRING))
        return;
    old = key.value;
    if (old != NULL)
        kv_key_remove(&key);
    kv_key_unlock(&key);
    kv_reply_string(client, (kv_string *)old);
}

/* ---- changing ---- */

void kv_append_command(struct kv_client *client)
{
    struct kv_slice tail = kv_argument(client, 2);
    struct kv_slice old = {"", 0};
    struct kv_key key;
    kv_string *joined;

    if (!kv_lock_argument(client, &key, KV_STRING))
        return;
    if (key.value != NULL)
        old = kv_string_slice((kv_string *)key.value);
    if (old.length + tail.length > KV_STRING_MAX) {
        kv_key_unlock(&key);
        kv_reply_error(client, "ERR string exceeds maximum allowed size (512MB)");
        return;
    }
    joined = kv_string_join(old, tail);
    if (kv_publish(client, &key, joined))
        kv_reply_integer(client, joined->length);
}

static bool add_to_string(struct kv_client *client, const kv_value *value, int64_t change,
                          int64_t *sum)
{
    int64_t number = 0;

    if (value != NULL && !kv_integer_parse(kv_string_slice((const kv_string *)value), &number)) {
        kv_reply_not_integer(client);
        return false;
    }
    if (__builtin_add_overflow(number, change, sum)) {
        kv_reply_error(client, "ERR increment or decrement would overflow");
        return false;
    }
    return true;
}

static void change_by(struct kv_client *client, int64_t change)
{
    struct kv_key key;
    int64_t sum;

    if (!kv_lock_argument(client, &key, KV_STRING))
        return;
    if (!add_to_string(client, key.value, change, &sum)) {
        kv_key_unlock(&key);
        return;
    }
    if (kv_publish(client, &key, kv_string_from_integer(sum)))
        kv_reply_integer(client, sum);
}

void kv_incr_command(struct kv_client *client)
{
    change_by(client, 1);
}

void kv_decr_command(struct kv_client *client)
{
    change_by(client, -1);
}

void kv_incrby_command(struct kv_client *client)
{
    int64_t change;

    if (kv_get_integer(client, 2, &change))
        change_by(client, change);
}

void kv_decrby_command(struct kv_client *client)
{
    int64_t change;

    if (!kv_get_integer(client, 2, &change))
        return;
    if (change == INT64_MIN)
        kv_reply_error(client, "ERR decrement would overflow");
    else
        change_by(client, -change);
}
