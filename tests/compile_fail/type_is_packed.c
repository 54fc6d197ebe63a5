/* SPDX-License-Identifier: MIT */
/* expect: type node: it is packed */
#include <tricolor/type.h>

typedef struct __attribute__((packed)) node {
    struct node *next;
    long key;
} node;
TRI_TYPE(node, next);
