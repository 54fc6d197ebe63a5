/* SPDX-License-Identifier: MIT */
/* expect: TRI_TYPE(node): no members; a type without pointers is TRI_LEAF_TYPE */
#include <tricolor/type.h>

typedef struct node {
    struct node *next;
} node;
TRI_TYPE(node, );
