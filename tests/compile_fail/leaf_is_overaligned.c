/* SPDX-License-Identifier: MIT */
/* expect: type line: the heap aligns to 16 bytes; this type asks for more */
#include <tricolor/type.h>

typedef struct line {
    char bytes[64];
} __attribute__((aligned(64))) line;
TRI_LEAF_TYPE(line);
