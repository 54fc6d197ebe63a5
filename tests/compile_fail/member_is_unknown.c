/* SPDX-License-Identifier: MIT */
/* expect: member named */
#include <tricolor/type.h>

typedef struct node {
    struct node *next;
} node;
TRI_TYPE(node, previous);
