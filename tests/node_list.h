/* SPDX-License-Identifier: MIT */
/* tests/node_list.h: lists of LENGTH nodes, which all have one key. LENGTH is the test's. */
#ifndef TRI__TESTS_NODE_LIST_H
#define TRI__TESTS_NODE_LIST_H

#include <stdlib.h>

#include <tricolor.h>

typedef struct node {
    struct node *next;
    uintptr_t key;
} node;
TRI_TYPE(node, next);

static inline node *list_of(uintptr_t key)
{
    node *list = NULL;

    for (int i = 0; i < LENGTH; i++) {
        node *fresh = tri_new(node);

        if (fresh == NULL)
            abort();
        fresh->key = key;
        tri_init_store(&fresh->next, list);
        list = fresh;
    }
    return list;
}

static inline bool is_list_of(const node *list, uintptr_t key)
{
    int length = 0;

    for (; list != NULL && list->key == key; list = list->next)
        length++;
    return list == NULL && length == LENGTH;
}

#endif
