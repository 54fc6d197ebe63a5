/* SPDX-License-Identifier: MIT */
/* expect: type node: the heap aligns to 16 bytes; this type asks for more */
#include <tricolor/type.h>

typedef struct node {
    struct node *next;
} __attribute__((aligned(64))) node;
TRI_TYPE(node, next);
