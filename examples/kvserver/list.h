/* SPDX-License-Identifier: MIT */
/* A sequence that grows and shrinks at both ends, for LPUSH and its kin; a published list is a
 * snapshot. */
#ifndef KV_LIST_H
#define KV_LIST_H

#include "value.h"

#define KV_LIST_WIDTH 16u

typedef struct kv_list_node {
    void *slots[KV_LIST_WIDTH]; /* atomic: kv_list_nodes or, on the lowest level, kv_strings;
                                   written once */
} kv_list_node;

/* The value. Its elements are at the positions first to first + count - 1 of a tree of `levels`
 * levels. */
typedef struct kv_list {
    kv_value head;
    uint32_t levels; /* below the root; the tree has WIDTH^levels positions. 0: no tree yet */
    uint64_t first;
    uint64_t count;
    kv_list_node *root;
} kv_list;

enum kv_end { KV_LEFT, KV_RIGHT };

/* To change a list, copy the published one into a local variable, change that with the next two
 * functions, and publish what kv_list_publishable makes of it. One thread at a time: the caller
 * holds the key's lock from the copy to the publication. */

static inline kv_list kv_list_empty(void)
{
    return (kv_list){.head = {KV_LIST}};
}

/* false: out of memory, and the list is as it was. */
bool kv_list_push(kv_list *list, enum kv_end end, kv_string *element);

/* Takes the first or last element off a list that is not empty. */
kv_string *kv_list_pop(kv_list *list, enum kv_end end);

/* A heap object like *list; NULL when out of memory. */
kv_list *kv_list_publishable(const kv_list *list);

/* Any thread, on a published list. `index` is below the count. */
kv_string *kv_list_at(const kv_list *list, uint64_t index);

#endif
