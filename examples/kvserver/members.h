/* SPDX-License-Identifier: MIT */
/* What commands on hashes and sets, whose value is a trie of members, have in common. */
#ifndef KV_MEMBERS_H
#define KV_MEMBERS_H

#include "command.h"
#include "trie.h"

/* The value of a hash or a set. */
typedef struct kv_members {
    kv_value head;
    kv_trie *trie;
} kv_members;

/* NULL, a missing key, has no members. */
static inline kv_trie *kv_members_trie(const kv_value *value)
{
    return value != NULL ? ((const kv_members *)value)->trie : NULL;
}

/* Publishes the members, or removes the key if there are none, and unlocks. false: out of memory,
 * and replied so. */
bool kv_publish_members(struct kv_client *client, struct kv_key *key, enum kv_kind kind,
                        kv_trie *trie);

/* HDEL and SREM; HLEN and SCARD; HEXISTS and SISMEMBER. */
void kv_remove_members(struct kv_client *client, enum kv_kind kind);
void kv_count_members(struct kv_client *client, enum kv_kind kind);
void kv_has_member(struct kv_client *client, enum kv_kind kind);

#endif
