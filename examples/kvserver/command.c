/* SPDX-License-Identifier: MIT */
/* The table of commands, the way from a request to one of them, and the steps most of them begin
 * and end with.
 *
 * Threads: any. */
#include "command.h"

#include <string.h>

#include "number.h"
#include "reply.h"

#define NAME_MAX_BYTES 16

/* In strcmp order, for the binary search. Flags are those of COMMAND, for clients that route by
 * them. */
const struct kv_command kv_commands[] = {
    {"append", 3, "write", 1, 1, 1, kv_append_command},
    {"client", -2, "fast", 0, 0, 0, kv_client_command},
    {"command", -1, "fast", 0, 0, 0, kv_command_command},
    {"config", -2, "admin", 0, 0, 0, kv_config_command},
    {"dbsize", 1, "readonly", 0, 0, 0, kv_dbsize_command},
    {"decr", 2, "write", 1, 1, 1, kv_decr_command},
    {"decrby", 3, "write", 1, 1, 1, kv_decrby_command},
    {"del", -2, "write", 1, -1, 1, kv_del_command},
    {"echo", 2, "fast", 0, 0, 0, kv_echo_command},
    {"exists", -2, "readonly", 1, -1, 1, kv_exists_command},
    {"expire", 3, "write", 1, 1, 1, kv_expire_command},
    {"flushall", -1, "write", 0, 0, 0, kv_flushall_command},
    {"flushdb", -1, "write", 0, 0, 0, kv_flushdb_command},
    {"get", 2, "readonly", 1, 1, 1, kv_get_command},
    {"getdel", 2, "write", 1, 1, 1, kv_getdel_command},
    {"getset", 3, "write", 1, 1, 1, kv_getset_command},
    {"hdel", -3, "write", 1, 1, 1, kv_hdel_command},
    {"hello", -1, "fast", 0, 0, 0, kv_hello_command},
    {"hexists", 3, "readonly", 1, 1, 1, kv_hexists_command},
    {"hget", 3, "readonly", 1, 1, 1, kv_hget_command},
    {"hgetall", 2, "readonly", 1, 1, 1, kv_hgetall_command},
    {"hincrby", 4, "write", 1, 1, 1, kv_hincrby_command},
    {"hkeys", 2, "readonly", 1, 1, 1, kv_hkeys_command},
    {"hlen", 2, "readonly", 1, 1, 1, kv_hlen_command},
    {"hmget", -3, "readonly", 1, 1, 1, kv_hmget_command},
    {"hmset", -4, "write", 1, 1, 1, kv_hmset_command},
    {"hset", -4, "write", 1, 1, 1, kv_hset_command},
    {"hvals", 2, "readonly", 1, 1, 1, kv_hvals_command},
    {"incr", 2, "write", 1, 1, 1, kv_incr_command},
    {"incrby", 3, "write", 1, 1, 1, kv_incrby_command},
    {"info", -1, "fast", 0, 0, 0, kv_info_command},
    {"keys", 2, "readonly", 0, 0, 0, kv_keys_command},
    {"lindex", 3, "readonly", 1, 1, 1, kv_lindex_command},
    {"llen", 2, "readonly", 1, 1, 1, kv_llen_command},
    {"lpop", -2, "write", 1, 1, 1, kv_lpop_command},
    {"lpush", -3, "write", 1, 1, 1, kv_lpush_command},
    {"lrange", 4, "readonly", 1, 1, 1, kv_lrange_command},
    {"memory", -2, "fast", 0, 0, 0, kv_memory_command},
    {"mget", -2, "readonly", 1, -1, 1, kv_mget_command},
    {"mset", -3, "write", 1, -1, 2, kv_mset_command},
    {"msetnx", -3, "write", 1, -1, 2, kv_msetnx_command},
    {"persist", 2, "write", 1, 1, 1, kv_persist_command},
    {"pexpire", 3, "write", 1, 1, 1, kv_pexpire_command},
    {"ping", -1, "fast", 0, 0, 0, kv_ping_command},
    {"psetex", 4, "write", 1, 1, 1, kv_psetex_command},
    {"pttl", 2, "readonly", 1, 1, 1, kv_pttl_command},
    {"quit", -1, "fast", 0, 0, 0, kv_quit_command},
    {"rpop", -2, "write", 1, 1, 1, kv_rpop_command},
    {"rpush", -3, "write", 1, 1, 1, kv_rpush_command},
    {"sadd", -3, "write", 1, 1, 1, kv_sadd_command},
    {"scan", -2, "readonly", 0, 0, 0, kv_scan_command},
    {"scard", 2, "readonly", 1, 1, 1, kv_scard_command},
    {"select", 2, "fast", 0, 0, 0, kv_select_command},
    {"set", -3, "write", 1, 1, 1, kv_set_command},
    {"setex", 4, "write", 1, 1, 1, kv_setex_command},
    {"setnx", 3, "write", 1, 1, 1, kv_setnx_command},
    {"sismember", 3, "readonly", 1, 1, 1, kv_sismember_command},
    {"smembers", 2, "readonly", 1, 1, 1, kv_smembers_command},
    {"spop", -2, "write", 1, 1, 1, kv_spop_command},
    {"srandmember", -2, "readonly", 1, 1, 1, kv_srandmember_command},
    {"srem", -3, "write", 1, 1, 1, kv_srem_command},
    {"strlen", 2, "readonly", 1, 1, 1, kv_strlen_command},
    {"ttl", 2, "readonly", 1, 1, 1, kv_ttl_command},
    {"type", 2, "readonly", 1, 1, 1, kv_type_command},
    {"unlink", -2, "write", 1, -1, 1, kv_del_command},
    {"zadd", -4, "write", 1, 1, 1, kv_zadd_command},
    {"zcard", 2, "readonly", 1, 1, 1, kv_zcard_command},
    {"zpopmax", -2, "write", 1, 1, 1, kv_zpopmax_command},
    {"zpopmin", -2, "write", 1, 1, 1, kv_zpopmin_command},
    {"zrange", -4, "readonly", 1, 1, 1, kv_zrange_command},
    {"zrank", 3, "readonly", 1, 1, 1, kv_zrank_command},
    {"zrem", -3, "write", 1, 1, 1, kv_zrem_command},
    {"zscore", 3, "readonly", 1, 1, 1, kv_zscore_command},
    {NULL, 0, NULL, 0, 0, 0, NULL},
};

/* ---- dispatch ---- */

static bool to_lower_case(struct kv_slice name, char lower[NAME_MAX_BYTES])
{
    if (name.length >= NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];

        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    lower[name.length] = '\0';
    return strlen(lower) == name.length;
}

const struct kv_command *kv_command_find(struct kv_slice name)
{
    size_t low = 0, high = sizeof kv_commands / sizeof kv_commands[0] - 1;
    char lower[NAME_MAX_BYTES];

    if (!to_lower_case(name, lower))
        return NULL;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(lower, kv_commands[middle].name);

        if (order == 0)
            return &kv_commands[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static void reply_unknown(struct kv_client *client)
{
    struct kv_slice name = kv_argument(client, 0);

    kv_reply_error(client, "ERR unknown command '%.*s'", name.length < 128 ? (int)name.length : 128,
                   name.data);
}

static bool has_arity(const struct kv_command *command, size_t arguments)
{
    size_t wanted = (size_t)(command->arity < 0 ? -command->arity : command->arity);

    return command->arity < 0 ? arguments >= wanted : arguments == wanted;
}

/* Each request is a safepoint: a long pipeline of GETs allocates nothing that would be one. */
void kv_command_run(struct kv_client *client)
{
    client->command = kv_command_find(kv_argument(client, 0));
    if (client->command == NULL)
        reply_unknown(client);
    else if (!has_arity(client->command, kv_argument_count(client)))
        kv_reply_wrong_arity(client);
    else
        client->command->run(client);
    __atomic_store_n(client->requests_run, *client->requests_run + 1, __ATOMIC_RELAXED);
    tri_safepoint();
}

/* ---- arguments ---- */

bool kv_get_integer(struct kv_client *client, size_t index, int64_t *number)
{
    if (kv_integer_parse(kv_argument(client, index), number))
        return true;
    kv_reply_not_integer(client);
    return false;
}

bool kv_get_range(struct kv_client *client, int64_t count, int64_t *first, int64_t *last)
{
    if (!kv_get_integer(client, 2, first) || !kv_get_integer(client, 3, last))
        return false;
    if (*first < 0)
        *first = *first + count > 0 ? *first + count : 0;
    if (*last < 0)
        *last += count;
    *last = *last < count ? *last + 1 : count;
    if (*first >= *last)
        *first = *last = 0;
    return true;
}

kv_string **kv_new_strings(struct kv_client *client, size_t first, size_t step)
{
    size_t n = (kv_argument_count(client) - first + step - 1) / step;
    kv_string **strings = (kv_string **)tri_new_ptrs(n);

    for (size_t i = 0; i < n && strings != NULL; i++) {
        kv_string *string = kv_string_new(kv_argument(client, first + i * step));

        if (string == NULL)
            return NULL;
        tri_init_store(&strings[i], string);
    }
    return strings;
}

/* ---- values ---- */

bool kv_check_kind(struct kv_client *client, const kv_value *value, enum kv_kind kind)
{
    if (value == NULL || value->kind == kind)
        return true;
    kv_reply_wrong_type(client);
    return false;
}

bool kv_read_argument(struct kv_client *client, enum kv_kind kind, kv_value **value)
{
    *value = kv_keyspace_read(client->database, kv_argument(client, 1));
    return kv_check_kind(client, *value, kind);
}

bool kv_lock_argument(struct kv_client *client, struct kv_key *key, enum kv_kind kind)
{
    kv_key_lock(key, client->database, kv_argument(client, 1));
    if (kv_check_kind(client, key->value, kind))
        return true;
    kv_key_unlock(key);
    return false;
}

bool kv_publish(struct kv_client *client, struct kv_key *key, void *value)
{
    bool done = value != NULL && kv_key_set(key, value, key->expire_at);

    kv_key_unlock(key);
    if (!done)
        kv_reply_no_memory(client);
    return done;
}
