/* SPDX-License-Identifier: MIT */
/* tests/rooted.h: objects that roots hold, and memory that can be registered as one. */
#ifndef TRI__TESTS_ROOTED_H
#define TRI__TESTS_ROOTED_H

#include <check.h>

#include <tricolor.h>

typedef struct node {
    struct node *next;
    uintptr_t key;
} node;
TRI_TYPE(node, next);

/* Pointers at words 0 and 3 of 5. */
typedef struct slot {
    node *first;
    uintptr_t keys[2];
    node *last;
    uintptr_t more;
} slot;
TRI_TYPE(slot, first, last);

static inline node *node_new(uintptr_t key)
{
    node *fresh = tri_new(node);
    ck_assert_ptr_nonnull(fresh);
    fresh->key = key;
    return fresh;
}

#endif
