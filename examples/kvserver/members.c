/* SPDX-License-Identifier: MIT */
/* Commands that hashes and sets have in common. */
#include "members.h"

#include "reply.h"

TRI_TYPE(kv_members, trie);

static kv_members *members_new(enum kv_kind kind, kv_trie *trie)
{
    kv_members *members = tri_new(kv_members);

    if (members == NULL)
        return NULL;
    members->head.kind = kind;
    tri_init_store(&members->trie, trie);
    return members;
}

bool kv_publish_members(struct kv_client *client, struct kv_key *key, enum kv_kind kind,
                        kv_trie *trie)
{
    if (trie != NULL)
        return kv_publish(client, key, members_new(kind, trie));
    kv_key_remove(key);
    kv_key_unlock(key);
    return true;
}

/* *trie without the members named from argument 2 on. false: out of memory. */
static bool remove_all(struct kv_client *client, kv_trie **trie)
{
    for (size_t i = 2; i < kv_argument_count(client); i++) {
        struct kv_name name = kv_name_of(kv_argument(client, i));

        if (kv_trie_find(*trie, name) != NULL && !kv_trie_remove(*trie, name, trie))
            return false;
    }
    return true;
}

void kv_remove_members(struct kv_client *client, enum kv_kind kind)
{
    struct kv_key key;
    kv_trie *before, *after;

    if (!kv_lock_argument(client, &key, kind))
        return;
    before = after = kv_members_trie(key.value);
    if (!remove_all(client, &after))
        kv_publish(client, &key, NULL);
    else if (kv_publish_members(client, &key, kind, after))
        kv_reply_integer(client, kv_trie_count(before) - kv_trie_count(after));
}

void kv_count_members(struct kv_client *client, enum kv_kind kind)
{
    kv_value *value;

    if (kv_read_argument(client, kind, &value))
        kv_reply_integer(client, kv_trie_count(kv_members_trie(value)));
}

void kv_has_member(struct kv_client *client, enum kv_kind kind)
{
    struct kv_name name = kv_name_of(kv_argument(client, 2));
    kv_value *value;

    if (kv_read_argument(client, kind, &value))
        kv_reply_integer(client, kv_trie_find(kv_members_trie(value), name) != NULL);
}
