/* SPDX-License-Identifier: MIT */
/* expect: type node: its size is not a multiple of the word */
#include <tricolor/type.h>

typedef struct __attribute__((packed)) node {
    struct node *next;
    char key;
} node;
TRI_TYPE(node, next);
