/* SPDX-License-Identifier: MIT */
/* A weight-balanced search tree (Adams's, with the parameters of Hirai and Yamamoto) that copies
 * the path it changes.
 *
 * Threads: any, on any tree: nothing is changed after it was built. */
#include "order.h"

#include <string.h>

TRI_TYPE(kv_order, left, right, member);

#define DELTA 3u /* a subtree weighs at most so many times its sibling */
#define RATIO 2u /* an inner grandchild so many times the outer one is rotated up */

static uint32_t weight(const kv_order *order)
{
    return kv_order_count(order) + 1;
}

/* Scores first, equal ones by the bytes of the name. */
static int compare(double score, struct kv_name name, const kv_order *node)
{
    uint32_t common = name.length < node->member->length ? name.length : node->member->length;
    int bytes;

    if (score != node->score)
        return score < node->score ? -1 : 1;
    bytes = memcmp(name.data, node->member->name, common);
    if (bytes != 0)
        return bytes;
    return (name.length > common) - (node->member->length > common);
}

/* ---- building ---- */

/* Out of memory, each of these returns NULL and sets *failed; once it is set, they do nothing. */

/* A node with the score and member of `from`. */
static kv_order *join(kv_order *left, const kv_order *from, kv_order *right, bool *failed)
{
    kv_order *node = *failed ? NULL : tri_new(kv_order);

    if (node == NULL) {
        *failed = true;
        return NULL;
    }
    tri_init_store(&node->left, left);
    tri_init_store(&node->right, right);
    tri_init_store(&node->member, from->member);
    node->score = from->score;
    node->count = kv_order_count(left) + kv_order_count(right) + 1;
    return node;
}

static kv_order *rotate_left(kv_order *left, const kv_order *from, kv_order *right, bool *failed)
{
    kv_order *inner = right->left;
    kv_order *low, *high;

    if (weight(inner) < RATIO * weight(right->right)) {
        low = join(left, from, inner, failed);
        return join(low, right, right->right, failed);
    }
    low = join(left, from, inner->left, failed);
    high = join(inner->right, right, right->right, failed);
    return join(low, inner, high, failed);
}

static kv_order *rotate_right(kv_order *left, const kv_order *from, kv_order *right, bool *failed)
{
    kv_order *inner = left->right;
    kv_order *low, *high;

    if (weight(inner) < RATIO * weight(left->left)) {
        high = join(inner, from, right, failed);
        return join(left->left, left, high, failed);
    }
    low = join(left->left, left, inner->left, failed);
    high = join(inner->right, from, right, failed);
    return join(low, inner, high, failed);
}

/* join() for subtrees of which one may have become too heavy, by one member. */
static kv_order *balance(kv_order *left, const kv_order *from, kv_order *right, bool *failed)
{
    if (*failed)
        return NULL;
    if (weight(right) > DELTA * weight(left))
        return rotate_left(left, from, right, failed);
    if (weight(left) > DELTA * weight(right))
        return rotate_right(left, from, right, failed);
    return join(left, from, right, failed);
}

/* ---- adding and removing ---- */

static kv_order *put(kv_order *node, const kv_order *item, bool *failed)
{
    if (node == NULL)
        return join(NULL, item, NULL, failed);
    if (compare(item->score, kv_field_name(item->member), node) < 0)
        return balance(put(node->left, item, failed), node, node->right, failed);
    return balance(node->left, node, put(node->right, item, failed), failed);
}

bool kv_order_put(kv_order *order, double score, kv_field *member, kv_order **result)
{
    kv_order item = {.member = member, .score = score};
    bool failed = false;

    *result = put(order, &item, &failed);
    return !failed;
}

static kv_order *remove_first(kv_order *node, bool *failed)
{
    if (node->left == NULL)
        return node->right;
    return balance(remove_first(node->left, failed), node, node->right, failed);
}

static kv_order *remove_last(kv_order *node, bool *failed)
{
    if (node->right == NULL)
        return node->left;
    return balance(node->left, node, remove_last(node->right, failed), failed);
}

/* One tree of two that are in order and balanced against each other. */
static kv_order *glue(kv_order *left, kv_order *right, bool *failed)
{
    if (left == NULL)
        return right;
    if (right == NULL)
        return left;
    if (weight(left) > weight(right))
        return balance(remove_last(left, failed), kv_order_at(left, left->count - 1), right,
                       failed);
    return balance(left, kv_order_at(right, 0), remove_first(right, failed), failed);
}

static kv_order *remove_below(kv_order *node, double score, struct kv_name name, bool *failed)
{
    int order = compare(score, name, node);

    if (order == 0)
        return glue(node->left, node->right, failed);
    if (order < 0)
        return balance(remove_below(node->left, score, name, failed), node, node->right, failed);
    return balance(node->left, node, remove_below(node->right, score, name, failed), failed);
}

bool kv_order_remove(kv_order *order, double score, struct kv_name name, kv_order **result)
{
    bool failed = false;

    *result = remove_below(order, score, name, &failed);
    return !failed;
}

/* ---- looking up ---- */

const kv_order *kv_order_at(const kv_order *order, uint32_t rank)
{
    for (;;) {
        uint32_t lower = kv_order_count(order->left);

        if (rank == lower)
            return order;
        if (rank < lower) {
            order = order->left;
        } else {
            rank -= lower + 1;
            order = order->right;
        }
    }
}

uint32_t kv_order_rank(const kv_order *order, double score, struct kv_name name)
{
    uint32_t rank = 0;

    while (order != NULL) {
        int side = compare(score, name, order);

        if (side > 0)
            rank += kv_order_count(order->left) + 1;
        else if (side == 0)
            return rank + kv_order_count(order->left);
        order = side > 0 ? order->right : order->left;
    }
    return rank;
}
