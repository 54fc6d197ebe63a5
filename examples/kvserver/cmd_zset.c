/* SPDX-License-Identifier: MIT */
/* Commands on sorted sets: a trie that finds a member's score, and a tree that keeps the members in
 * order. */
#include "command.h"
#include "number.h"
#include "order.h"
#include "reply.h"

/* The value of a member's field. */
typedef struct kv_score {
    double score;
} kv_score;
TRI_LEAF_TYPE(kv_score);

/* The value of a key. */
typedef struct kv_zset {
    kv_value head;
    kv_trie *members;
    kv_order *order; /* of the fields in `members` */
} kv_zset;
TRI_TYPE(kv_zset, members, order);

static kv_zset zset_of(const kv_value *value)
{
    return value != NULL ? *(const kv_zset *)value : (kv_zset){.head = {KV_ZSET}};
}

static double score_of(const kv_field *member)
{
    return ((const kv_score *)member->value)->score;
}

static kv_field *new_member(struct kv_name name, double score)
{
    kv_score *value = tri_new(kv_score);

    if (value == NULL)
        return NULL;
    value->score = score;
    return kv_field_new(name, value);
}

/* ---- changing: a private version on the stack, then one publication ---- */

static bool publish(struct kv_client *client, struct kv_key *key, const kv_zset *zset)
{
    kv_zset *copy;

    if (zset->members == NULL) {
        kv_key_remove(key);
        kv_key_unlock(key);
        return true;
    }
    copy = tri_new(kv_zset);
    if (copy != NULL) {
        copy->head = zset->head;
        tri_init_store(&copy->members, zset->members);
        tri_init_store(&copy->order, zset->order);
    }
    return kv_publish(client, key, copy);
}

/* false: out of memory. */
static bool zset_remove(kv_zset *zset, const kv_field *member)
{
    struct kv_name name = kv_field_name(member);

    return kv_order_remove(zset->order, score_of(member), name, &zset->order) &&
           kv_trie_remove(zset->members, name, &zset->members);
}

/* Adds a member or gives it another score. false: out of memory. */
static bool zset_put(kv_zset *zset, struct kv_name name, double score)
{
    kv_field *old = kv_trie_find(zset->members, name);
    kv_field *member = new_member(name, score);

    if (member == NULL)
        return false;
    if (old != NULL && !kv_order_remove(zset->order, score_of(old), name, &zset->order))
        return false;
    zset->members = kv_trie_put(zset->members, member);
    return zset->members != NULL && kv_order_put(zset->order, score, member, &zset->order);
}

struct zadd {
    bool only_new, only_old, only_greater, only_less; /* NX, XX, GT, LT */
    bool count_changed;                               /* CH */
    size_t first;                                     /* argument of the first score */
    int64_t added, changed;
};

static bool zadd_allowed(const struct zadd *zadd, const kv_field *old, double score)
{
    if (old == NULL)
        return !zadd->only_old;
    if (zadd->only_new || score == score_of(old))
        return false;
    if (zadd->only_greater)
        return score > score_of(old);
    return !zadd->only_less || score < score_of(old);
}

/* false: out of memory. */
static bool zadd_one(struct zadd *zadd, kv_zset *zset, struct kv_slice bytes, double score)
{
    struct kv_name name = kv_name_of(bytes);
    kv_field *old = kv_trie_find(zset->members, name);

    if (!zadd_allowed(zadd, old, score))
        return true;
    zadd->added += old == NULL;
    zadd->changed++;
    return zset_put(zset, name, score);
}

static bool get_zadd_option(struct kv_client *client, struct zadd *zadd)
{
    size_t at = zadd->first;

    return (kv_argument_is(client, at, "nx") && (zadd->only_new = true)) ||
           (kv_argument_is(client, at, "xx") && (zadd->only_old = true)) ||
           (kv_argument_is(client, at, "gt") && (zadd->only_greater = true)) ||
           (kv_argument_is(client, at, "lt") && (zadd->only_less = true)) ||
           (kv_argument_is(client, at, "ch") && (zadd->count_changed = true));
}

/* Options, and then pairs of scores, which must be numbers, and members. */
static bool get_zadd(struct kv_client *client, struct zadd *zadd)
{
    size_t end = kv_argument_count(client);
    double score;

    for (zadd->first = 2; zadd->first < end && get_zadd_option(client, zadd);)
        zadd->first++;
    if (zadd->first == end || (end - zadd->first) % 2 != 0) {
        kv_reply_syntax_error(client);
        return false;
    }
    if (zadd->only_new + zadd->only_greater + zadd->only_less > 1 ||
        (zadd->only_new && zadd->only_old)) {
        kv_reply_error(client, "ERR NX excludes XX, and GT, LT and NX exclude each other");
        return false;
    }
    for (size_t i = zadd->first; i < end; i += 2) {
        if (!kv_double_parse(kv_argument(client, i), &score)) {
            kv_reply_error(client, "ERR value is not a valid float");
            return false;
        }
    }
    return true;
}

static bool zadd_all(struct kv_client *client, struct zadd *zadd, kv_zset *zset)
{
    double score = 0;

    for (size_t i = zadd->first; i < kv_argument_count(client); i += 2) {
        kv_double_parse(kv_argument(client, i), &score);
        if (!zadd_one(zadd, zset, kv_argument(client, i + 1), score))
            return false;
    }
    return true;
}

void kv_zadd_command(struct kv_client *client)
{
    struct zadd zadd = {0};
    struct kv_key key;
    kv_zset zset;

    if (!get_zadd(client, &zadd) || !kv_lock_argument(client, &key, KV_ZSET))
        return;
    zset = zset_of(key.value);
    if (!zadd_all(client, &zadd, &zset))
        kv_publish(client, &key, NULL);
    else if (publish(client, &key, &zset))
        kv_reply_integer(client, zadd.count_changed ? zadd.changed : zadd.added);
}

void kv_zrem_command(struct kv_client *client)
{
    struct kv_key key;
    kv_zset before, after;
    bool done = true;

    if (!kv_lock_argument(client, &key, KV_ZSET))
        return;
    before = after = zset_of(key.value);
    for (size_t i = 2; i < kv_argument_count(client) && done; i++) {
        kv_field *member = kv_trie_find(after.members, kv_name_of(kv_argument(client, i)));

        done = member == NULL || zset_remove(&after, member);
    }
    if (!done)
        kv_publish(client, &key, NULL);
    else if (publish(client, &key, &after))
        kv_reply_integer(client, kv_trie_count(before.members) - kv_trie_count(after.members));
}

/* ---- reading: from the set as it was published, without a lock ---- */

static bool read_zset(struct kv_client *client, kv_zset *zset)
{
    kv_value *value;

    if (!kv_read_argument(client, KV_ZSET, &value))
        return false;
    *zset = zset_of(value);
    return true;
}

static const kv_field *find_member(struct kv_client *client, const kv_zset *zset)
{
    return kv_trie_find(zset->members, kv_name_of(kv_argument(client, 2)));
}

void kv_zscore_command(struct kv_client *client)
{
    kv_zset zset;
    const kv_field *member;

    if (!read_zset(client, &zset))
        return;
    member = find_member(client, &zset);
    if (member != NULL)
        kv_reply_double(client, score_of(member));
    else
        kv_reply_null(client);
}

void kv_zcard_command(struct kv_client *client)
{
    kv_zset zset;

    if (read_zset(client, &zset))
        kv_reply_integer(client, kv_order_count(zset.order));
}

void kv_zrank_command(struct kv_client *client)
{
    kv_zset zset;
    const kv_field *member;

    if (!read_zset(client, &zset))
        return;
    member = find_member(client, &zset);
    if (member != NULL)
        kv_reply_integer(client,
                         kv_order_rank(zset.order, score_of(member), kv_field_name(member)));
    else
        kv_reply_null(client);
}

static void reply_ranked(struct kv_client *client, const kv_order *ranked, bool with_score)
{
    kv_reply_bulk(client, kv_field_slice(ranked->member));
    if (with_score)
        kv_reply_double(client, ranked->score);
}

/* Ranks only, with WITHSCORES and REV: ranges of scores are not supported. */
void kv_zrange_command(struct kv_client *client)
{
    bool with_scores = false, reversed = false;
    kv_zset zset;
    int64_t count, first, last;

    for (size_t i = 4; i < kv_argument_count(client); i++) {
        bool is_scores = kv_argument_is(client, i, "withscores");

        if (!is_scores && !kv_argument_is(client, i, "rev")) {
            kv_reply_syntax_error(client);
            return;
        }
        with_scores |= is_scores;
        reversed |= !is_scores;
    }
    if (!read_zset(client, &zset))
        return;
    count = kv_order_count(zset.order);
    if (!kv_get_range(client, count, &first, &last))
        return;
    kv_reply_array(client, (uint64_t)(last - first) << with_scores);
    for (; first < last; first++) {
        uint32_t rank = (uint32_t)(reversed ? count - 1 - first : first);

        reply_ranked(client, kv_order_at(zset.order, rank), with_scores);
        tri_safepoint();
    }
}

/* ---- ZPOPMIN and ZPOPMAX ---- */

static uint32_t end_rank(const kv_zset *zset, bool highest, uint32_t distance)
{
    return highest ? kv_order_count(zset->order) - 1 - distance : distance;
}

static bool pop_all(kv_zset *zset, bool highest, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!zset_remove(zset, kv_order_at(zset->order, end_rank(zset, highest, 0))->member))
            return false;
    }
    return true;
}

static void pop(struct kv_client *client, bool highest)
{
    struct kv_key key;
    kv_zset before, after;
    int64_t count = 1;
    uint32_t n;

    if (kv_argument_count(client) > 3) {
        kv_reply_syntax_error(client);
        return;
    }
    if (kv_argument_count(client) == 3 && !kv_get_integer(client, 2, &count))
        return;
    if (count < 0) {
        kv_reply_error(client, "ERR value is out of range, must be positive");
        return;
    }
    if (!kv_lock_argument(client, &key, KV_ZSET))
        return;
    before = after = zset_of(key.value);
    n = kv_order_count(before.order);
    if (count < (int64_t)n)
        n = (uint32_t)count;
    if (!pop_all(&after, highest, n)) {
        kv_publish(client, &key, NULL);
        return;
    }
    if (!publish(client, &key, &after))
        return;
    kv_reply_array(client, 2 * (uint64_t)n);
    for (uint32_t i = 0; i < n; i++)
        reply_ranked(client, kv_order_at(before.order, end_rank(&before, highest, i)), true);
}

void kv_zpopmin_command(struct kv_client *client)
{
    pop(client, false);
}

void kv_zpopmax_command(struct kv_client *client)
{
    pop(client, true);
}
