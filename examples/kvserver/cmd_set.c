/* SPDX-License-Identifier: MIT */
/* Commands on sets. */
#include "hash.h"
#include "members.h"
#include "reply.h"

/* ---- changing ---- */

/* The members from argument 2 on, in an array of their own; NULL: out of memory. */
static kv_field **new_members(struct kv_client *client)
{
    size_t n = kv_argument_count(client) - 2;
    kv_field **members = (kv_field **)tri_new_ptrs(n);

    for (size_t i = 0; i < n && members != NULL; i++) {
        kv_field *member = kv_field_new(kv_name_of(kv_argument(client, i + 2)), NULL);

        if (member == NULL)
            return NULL;
        tri_init_store(&members[i], member);
    }
    return members;
}

/* Adds those that are not in the set. false: out of memory. */
static bool add_all(kv_trie **trie, kv_field *const *members, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (kv_trie_find(*trie, kv_field_name(members[i])) != NULL)
            continue;
        *trie = kv_trie_put(*trie, members[i]);
        if (*trie == NULL)
            return false;
    }
    return true;
}

void kv_sadd_command(struct kv_client *client)
{
    kv_field **members = new_members(client);
    struct kv_key key;
    kv_trie *before, *after;

    if (!kv_lock_argument(client, &key, KV_SET))
        return;
    before = after = kv_members_trie(key.value);
    if (members == NULL || !add_all(&after, members, kv_argument_count(client) - 2))
        kv_publish(client, &key, NULL);
    else if (kv_publish_members(client, &key, KV_SET, after))
        kv_reply_integer(client, kv_trie_count(after) - kv_trie_count(before));
}

void kv_srem_command(struct kv_client *client)
{
    kv_remove_members(client, KV_SET);
}

/* ---- reading: from the trie as it was published, without a lock ---- */

void kv_sismember_command(struct kv_client *client)
{
    kv_has_member(client, KV_SET);
}

void kv_scard_command(struct kv_client *client)
{
    kv_count_members(client, KV_SET);
}

static void reply_member(kv_field *member, void *client)
{
    kv_reply_bulk(client, kv_field_slice(member));
}

void kv_smembers_command(struct kv_client *client)
{
    kv_value *value;

    if (!kv_read_argument(client, KV_SET, &value))
        return;
    kv_reply_array(client, kv_trie_count(kv_members_trie(value)));
    kv_trie_each(kv_members_trie(value), reply_member, client);
}

/* ---- SPOP and SRANDMEMBER ---- */

/* Takes n members at random off the trie, which is the caller's private version, into `taken`.
 * false: out of memory. */
static bool take(kv_trie **trie, kv_field **taken, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        kv_field *member = kv_trie_at(*trie, kv_random(kv_trie_count(*trie)));

        tri_init_store(&taken[i], member);
        if (!kv_trie_remove(*trie, kv_field_name(member), trie))
            return false;
    }
    return true;
}

static void reply_members(struct kv_client *client, kv_field *const *members, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        kv_reply_bulk(client, kv_field_slice(members[i]));
}

/* The optional argument 2. *wants_array: it is there. */
static bool get_count(struct kv_client *client, int64_t *count, bool *wants_array)
{
    *count = 1;
    *wants_array = kv_argument_count(client) > 2;
    if (kv_argument_count(client) > 3) {
        kv_reply_syntax_error(client);
        return false;
    }
    if (!*wants_array)
        return true;
    if (!kv_get_integer(client, 2, count))
        return false;
    if (*count > -(int64_t)UINT32_MAX)
        return true;
    kv_reply_error(client, "ERR value is out of range");
    return false;
}

static uint32_t smaller(int64_t count, const kv_trie *trie)
{
    uint32_t all = kv_trie_count(trie);

    return count < (int64_t)all ? (uint32_t)count : all;
}

void kv_spop_command(struct kv_client *client)
{
    struct kv_key key;
    kv_trie *trie;
    kv_field **taken;
    int64_t count;
    uint32_t n;
    bool wants_array;

    if (!get_count(client, &count, &wants_array))
        return;
    if (count < 0) {
        kv_reply_error(client, "ERR value is out of range, must be positive");
        return;
    }
    if (!kv_lock_argument(client, &key, KV_SET))
        return;
    trie = kv_members_trie(key.value);
    n = smaller(count, trie);
    taken = (kv_field **)tri_new_ptrs(n);
    if (taken == NULL || !take(&trie, taken, n)) {
        kv_publish(client, &key, NULL);
        return;
    }
    if (!kv_publish_members(client, &key, KV_SET, trie))
        return;
    if (wants_array)
        kv_reply_array(client, n);
    else if (n == 0)
        kv_reply_null(client);
    reply_members(client, taken, n);
}

/* Different members: as if popped from a version of the set that nobody else sees. */
static void reply_different(struct kv_client *client, kv_trie *trie, uint32_t n)
{
    kv_field **taken = (kv_field **)tri_new_ptrs(n);

    if (taken == NULL || !take(&trie, taken, n)) {
        kv_reply_no_memory(client);
        return;
    }
    kv_reply_array(client, n);
    reply_members(client, taken, n);
}

/* So many members, each chosen from all. */
static void reply_independent(struct kv_client *client, const kv_trie *trie, uint32_t n)
{
    if (kv_trie_count(trie) == 0)
        n = 0;
    kv_reply_array(client, n);
    for (uint32_t i = 0; i < n && !client->broken; i++)
        kv_reply_bulk(client, kv_field_slice(kv_trie_at(trie, kv_random(kv_trie_count(trie)))));
}

void kv_srandmember_command(struct kv_client *client)
{
    kv_value *value;
    kv_trie *trie;
    int64_t count;
    bool wants_array;

    if (!get_count(client, &count, &wants_array) || !kv_read_argument(client, KV_SET, &value))
        return;
    trie = kv_members_trie(value);
    if (wants_array && count >= 0)
        reply_different(client, trie, smaller(count, trie));
    else if (wants_array)
        reply_independent(client, trie, (uint32_t)-count);
    else if (trie == NULL)
        kv_reply_null(client);
    else
        kv_reply_bulk(client, kv_field_slice(kv_trie_at(trie, kv_random(trie->count))));
}
