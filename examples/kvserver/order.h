/* SPDX-License-Identifier: MIT */
/* An immutable balanced tree of (score, member), which keeps a sorted set's members in order. */
#ifndef KV_ORDER_H
#define KV_ORDER_H

#include "trie.h"

typedef struct kv_order {
    struct kv_order *left, *right;
    kv_field *member;
    double score;
    uint32_t count; /* members in this node and below */
} kv_order;

/* NULL is the empty order everywhere below. */

static inline uint32_t kv_order_count(const kv_order *order)
{
    return order != NULL ? order->count : 0;
}

/* *result = the order with a member that is not in it. false: out of memory. */
bool kv_order_put(kv_order *order, double score, kv_field *member, kv_order **result);

/* *result = the order without a member that is in it with this score. false: out of memory. */
bool kv_order_remove(kv_order *order, double score, struct kv_name name, kv_order **result);

/* The member at `rank`, counted from 0 for the lowest and below the count. */
const kv_order *kv_order_at(const kv_order *order, uint32_t rank);

/* How many members are lower than this one. */
uint32_t kv_order_rank(const kv_order *order, double score, struct kv_name name);

#endif
