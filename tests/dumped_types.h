/* SPDX-License-Identifier: MIT */
/* tests/dumped_types.h: what the objects are made of that are written out: by the library in
 * test_dump.c, by gdb in test_gdb.sh. */
#ifndef TRI__TESTS_DUMPED_TYPES_H
#define TRI__TESTS_DUMPED_TYPES_H

#include <tricolor.h>

typedef struct node {
    struct node *left, *right;
    long key;
} node;
TRI_TYPE(node, left, right);

typedef struct list {
    size_t length;
    node *items[];
} list;
TRI_FLEX_TYPE(list, items);

#endif
