/* SPDX-License-Identifier: MIT */
/* Commands on hashes. */
#include "members.h"
#include "number.h"
#include "reply.h"

static struct kv_name name_argument(struct kv_client *client, size_t index)
{
    return kv_name_of(kv_argument(client, index));
}

/* ---- changing ---- */

/* The fields and values from argument 2 on, in an array of their own; NULL: out of memory. */
static kv_field **new_fields(struct kv_client *client)
{
    size_t n = (kv_argument_count(client) - 2) / 2;
    kv_field **fields = (kv_field **)tri_new_ptrs(n);

    for (size_t i = 0; i < n && fields != NULL; i++) {
        kv_string *value = kv_string_new(kv_argument(client, 2 * i + 3));
        kv_field *field =
            value != NULL ? kv_field_new(name_argument(client, 2 * i + 2), value) : NULL;

        if (field == NULL)
            return NULL;
        tri_init_store(&fields[i], field);
    }
    return fields;
}

static bool put_all(kv_trie **trie, kv_field *const *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *trie = kv_trie_put(*trie, fields[i]);
        if (*trie == NULL)
            return false;
    }
    return true;
}

/* false: replied with an error. */
static bool set_fields(struct kv_client *client, uint32_t *added)
{
    size_t arguments = kv_argument_count(client);
    struct kv_key key;
    kv_field **fields;
    kv_trie *trie;

    if (arguments % 2 != 0) {
        kv_reply_wrong_arity(client);
        return false;
    }
    fields = new_fields(client);
    if (!kv_lock_argument(client, &key, KV_HASH))
        return false;
    trie = kv_members_trie(key.value);
    *added = 0 - kv_trie_count(trie);
    if (fields == NULL || !put_all(&trie, fields, arguments / 2 - 1))
        return kv_publish(client, &key, NULL);
    *added += kv_trie_count(trie);
    return kv_publish_members(client, &key, KV_HASH, trie);
}

void kv_hset_command(struct kv_client *client)
{
    uint32_t added;

    if (set_fields(client, &added))
        kv_reply_integer(client, added);
}

void kv_hmset_command(struct kv_client *client)
{
    uint32_t added;

    if (set_fields(client, &added))
        kv_reply_ok(client);
}

void kv_hdel_command(struct kv_client *client)
{
    kv_remove_members(client, KV_HASH);
}

static bool add_to_field(struct kv_client *client, const kv_field *field, int64_t change,
                         int64_t *sum)
{
    int64_t number = 0;

    if (field != NULL && !kv_integer_parse(kv_string_slice(field->value), &number)) {
        kv_reply_error(client, "ERR hash value is not an integer");
        return false;
    }
    if (__builtin_add_overflow(number, change, sum)) {
        kv_reply_error(client, "ERR increment or decrement would overflow");
        return false;
    }
    return true;
}

/* `trie` with a field of this name that holds the number; NULL: out of memory. */
static kv_trie *put_integer(const kv_trie *trie, struct kv_name name, int64_t number)
{
    kv_string *value = kv_string_from_integer(number);
    kv_field *field = value != NULL ? kv_field_new(name, value) : NULL;

    return field != NULL ? kv_trie_put(trie, field) : NULL;
}

void kv_hincrby_command(struct kv_client *client)
{
    struct kv_name name = name_argument(client, 2);
    struct kv_key key;
    kv_trie *trie;
    int64_t change, sum;

    if (!kv_get_integer(client, 3, &change) || !kv_lock_argument(client, &key, KV_HASH))
        return;
    trie = kv_members_trie(key.value);
    if (!add_to_field(client, kv_trie_find(trie, name), change, &sum)) {
        kv_key_unlock(&key);
        return;
    }
    trie = put_integer(trie, name, sum);
    if (trie == NULL)
        kv_publish(client, &key, NULL);
    else if (kv_publish_members(client, &key, KV_HASH, trie))
        kv_reply_integer(client, sum);
}

/* ---- reading: from the trie as it was published, without a lock ---- */

static void reply_field(struct kv_client *client, const kv_trie *trie, size_t index)
{
    const kv_field *field = kv_trie_find(trie, name_argument(client, index));

    kv_reply_string(client, field != NULL ? field->value : NULL);
}

void kv_hget_command(struct kv_client *client)
{
    kv_value *value;

    if (kv_read_argument(client, KV_HASH, &value))
        reply_field(client, kv_members_trie(value), 2);
}

void kv_hmget_command(struct kv_client *client)
{
    kv_value *value;

    if (!kv_read_argument(client, KV_HASH, &value))
        return;
    kv_reply_array(client, kv_argument_count(client) - 2);
    for (size_t i = 2; i < kv_argument_count(client); i++)
        reply_field(client, kv_members_trie(value), i);
}

void kv_hexists_command(struct kv_client *client)
{
    kv_has_member(client, KV_HASH);
}

void kv_hlen_command(struct kv_client *client)
{
    kv_count_members(client, KV_HASH);
}

static void reply_name(kv_field *field, void *client)
{
    kv_reply_bulk(client, kv_field_slice(field));
}

static void reply_value(kv_field *field, void *client)
{
    kv_reply_string(client, field->value);
}

static void reply_both(kv_field *field, void *client)
{
    reply_name(field, client);
    reply_value(field, client);
}

static void reply_all(struct kv_client *client, kv_field_visit *visit, unsigned replies_each)
{
    kv_value *value;
    kv_trie *trie;

    if (!kv_read_argument(client, KV_HASH, &value))
        return;
    trie = kv_members_trie(value);
    kv_reply_array(client, (uint64_t)kv_trie_count(trie) * replies_each);
    kv_trie_each(trie, visit, client);
}

void kv_hgetall_command(struct kv_client *client)
{
    reply_all(client, reply_both, 2);
}

void kv_hkeys_command(struct kv_client *client)
{
    reply_all(client, reply_name, 1);
}

void kv_hvals_command(struct kv_client *client)
{
    reply_all(client, reply_value, 1);
}
