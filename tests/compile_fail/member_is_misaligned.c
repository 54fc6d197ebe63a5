/* SPDX-License-Identifier: MIT */
/* expect: type node, member next: it is misaligned */
#include <tricolor/type.h>

typedef struct node {
    int key;
    void *next __attribute__((packed));
    int other;
    void *aligned;
} node;
TRI_TYPE(node, next);
