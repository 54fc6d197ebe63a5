/* SPDX-License-Identifier: MIT */
/* Commands on lists. */
#include "command.h"
#include "list.h"
#include "reply.h"

static kv_list list_of(const kv_value *value)
{
    return value != NULL ? *(const kv_list *)value : kv_list_empty();
}

static bool push_all(kv_list *list, enum kv_end end, kv_string *const *elements, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!kv_list_push(list, end, elements[i]))
            return false;
    }
    return true;
}

static void push(struct kv_client *client, enum kv_end end)
{
    kv_string **elements = kv_new_strings(client, 2, 1);
    size_t n = kv_argument_count(client) - 2;
    struct kv_key key;
    kv_list list;
    bool done;

    if (!kv_lock_argument(client, &key, KV_LIST))
        return;
    list = list_of(key.value);
    done = elements != NULL && push_all(&list, end, elements, n);
    if (kv_publish(client, &key, done ? kv_list_publishable(&list) : NULL))
        kv_reply_integer(client, (int64_t)list.count);
}

void kv_lpush_command(struct kv_client *client)
{
    push(client, KV_LEFT);
}

void kv_rpush_command(struct kv_client *client)
{
    push(client, KV_RIGHT);
}

/* The optional argument 2 of LPOP and RPOP. */
static bool get_pop_count(struct kv_client *client, int64_t *count)
{
    *count = 1;
    if (kv_argument_count(client) > 3) {
        kv_reply_wrong_arity(client);
        return false;
    }
    if (kv_argument_count(client) == 3 && !kv_get_integer(client, 2, count))
        return false;
    if (*count < 0) {
        kv_reply_error(client, "ERR value is out of range, must be positive");
        return false;
    }
    return true;
}

/* The n elements that were popped off `list`: it is a snapshot, and still has them. */
static void reply_popped(struct kv_client *client, const kv_list *list, enum kv_end end, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        kv_reply_string(client, kv_list_at(list, end == KV_LEFT ? i : list->count - 1 - i));
}

static bool publish_list(struct kv_client *client, struct kv_key *key, const kv_list *list)
{
    if (list->count != 0)
        return kv_publish(client, key, kv_list_publishable(list));
    kv_key_remove(key);
    kv_key_unlock(key);
    return true;
}

static void pop(struct kv_client *client, enum kv_end end)
{
    bool wants_array = kv_argument_count(client) > 2;
    struct kv_key key;
    kv_list before, after;
    int64_t count;
    uint64_t n;

    if (!get_pop_count(client, &count) || !kv_lock_argument(client, &key, KV_LIST))
        return;
    before = after = list_of(key.value);
    n = before.count < (uint64_t)count ? before.count : (uint64_t)count;
    for (uint64_t i = 0; i < n; i++)
        kv_list_pop(&after, end);
    if (!publish_list(client, &key, &after))
        return;
    if (before.count == 0)
        wants_array ? kv_reply_null_array(client) : kv_reply_null(client);
    else if (wants_array)
        kv_reply_array(client, n);
    reply_popped(client, &before, end, n);
}

void kv_lpop_command(struct kv_client *client)
{
    pop(client, KV_LEFT);
}

void kv_rpop_command(struct kv_client *client)
{
    pop(client, KV_RIGHT);
}

/* ---- reading: from the list as it was published, while others push and pop ---- */

void kv_llen_command(struct kv_client *client)
{
    kv_value *value;

    if (kv_read_argument(client, KV_LIST, &value))
        kv_reply_integer(client, (int64_t)list_of(value).count);
}

void kv_lindex_command(struct kv_client *client)
{
    kv_value *value;
    kv_list list;
    int64_t index;

    if (!kv_read_argument(client, KV_LIST, &value) || !kv_get_integer(client, 2, &index))
        return;
    list = list_of(value);
    if (index < 0)
        index += (int64_t)list.count;
    if (index < 0 || index >= (int64_t)list.count)
        kv_reply_null(client);
    else
        kv_reply_string(client, kv_list_at(&list, (uint64_t)index));
}

void kv_lrange_command(struct kv_client *client)
{
    kv_value *value;
    kv_list list;
    int64_t first, last;

    if (!kv_read_argument(client, KV_LIST, &value) ||
        !kv_get_range(client, (int64_t)list_of(value).count, &first, &last))
        return;
    list = list_of(value);
    kv_reply_array(client, (uint64_t)(last - first));
    for (; first < last; first++) {
        kv_reply_string(client, kv_list_at(&list, (uint64_t)first));
        tri_safepoint();
    }
}
