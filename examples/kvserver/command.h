/* SPDX-License-Identifier: MIT */
/* The table of commands, and what their implementations share. */
#ifndef KV_COMMAND_H
#define KV_COMMAND_H

#include "client.h"
#include "keyspace.h"

typedef void kv_command_run_fn(struct kv_client *client);

struct kv_command {
    const char *name; /* lower case */
    int arity;        /* arguments, the name included; negative: at least so many */
    const char *flags;
    int first_key, last_key, key_step; /* for COMMAND; 0: no keys */
    kv_command_run_fn *run;
};

/* Runs the client's complete request. */
void kv_command_run(struct kv_client *client);

/* NULL: no such command. */
const struct kv_command *kv_command_find(struct kv_slice name);

/* All commands, in order of their names; ends with a NULL name. */
extern const struct kv_command kv_commands[];

/* ---- helpers: those that return bool have replied with an error when they return false ---- */

bool kv_get_integer(struct kv_client *client, size_t index, int64_t *number);

/* Arguments 2 and 3 as a range of `count` elements, negative ones counted from the end: first up to
 * but without last. */
bool kv_get_range(struct kv_client *client, int64_t count, int64_t *first, int64_t *last);

/* Strings of the arguments first, first + step, ... in an array of their own; NULL: out of memory,
 * with no reply. */
kv_string **kv_new_strings(struct kv_client *client, size_t first, size_t step);

/* Whether the value is of this kind. NULL, a missing key, is of every kind. */
bool kv_check_kind(struct kv_client *client, const kv_value *value, enum kv_kind kind);

/* The value of argument 1 as it is now. false: it is of another kind. *value may be NULL. */
bool kv_read_argument(struct kv_client *client, enum kv_kind kind, kv_value **value);

/* Locks argument 1 for a change. false: it is of another kind, and is not locked. */
bool kv_lock_argument(struct kv_client *client, struct kv_key *key, enum kv_kind kind);

/* Publishes `value`, keeping the time to live, and unlocks. false: out of memory; a NULL value is a
 * failed allocation. */
bool kv_publish(struct kv_client *client, struct kv_key *key, void *value);

/* ---- implementations, by file ---- */

/* cmd_string.c */
kv_command_run_fn kv_set_command, kv_get_command, kv_getset_command, kv_getdel_command,
    kv_setnx_command, kv_setex_command, kv_psetex_command, kv_append_command, kv_strlen_command,
    kv_incr_command, kv_decr_command, kv_incrby_command, kv_decrby_command, kv_mget_command,
    kv_mset_command, kv_msetnx_command;
/* cmd_key.c */
kv_command_run_fn kv_del_command, kv_exists_command, kv_type_command, kv_expire_command,
    kv_pexpire_command, kv_ttl_command, kv_pttl_command, kv_persist_command, kv_keys_command,
    kv_scan_command, kv_dbsize_command, kv_flushall_command, kv_flushdb_command;
/* cmd_list.c */
kv_command_run_fn kv_lpush_command, kv_rpush_command, kv_lpop_command, kv_rpop_command,
    kv_llen_command, kv_lindex_command, kv_lrange_command;
/* cmd_hash.c */
kv_command_run_fn kv_hset_command, kv_hmset_command, kv_hget_command, kv_hmget_command,
    kv_hdel_command, kv_hexists_command, kv_hlen_command, kv_hgetall_command, kv_hkeys_command,
    kv_hvals_command, kv_hincrby_command;
/* cmd_set.c */
kv_command_run_fn kv_sadd_command, kv_srem_command, kv_sismember_command, kv_smembers_command,
    kv_scard_command, kv_spop_command, kv_srandmember_command;
/* cmd_zset.c */
kv_command_run_fn kv_zadd_command, kv_zrem_command, kv_zscore_command, kv_zcard_command,
    kv_zrank_command, kv_zrange_command, kv_zpopmin_command, kv_zpopmax_command;
/* cmd_server.c */
kv_command_run_fn kv_ping_command, kv_echo_command, kv_quit_command, kv_select_command,
    kv_hello_command, kv_client_command, kv_command_command, kv_config_command, kv_memory_command;
/* info.c */
kv_command_run_fn kv_info_command;

#endif
