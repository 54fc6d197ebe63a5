/* SPDX-License-Identifier: MIT */
/* expect: type node, member key: its size is not a multiple of the word */
#include <tricolor/type.h>

typedef struct node {
    struct node *next;
    int key;
    int other;
} node;
TRI_TYPE(node, next, key);
