/* SPDX-License-Identifier: MIT */
/* expect: type list, member length: its size is not a multiple of the word */
#include <tricolor/type.h>

typedef struct list {
    int length;
    void *items[];
} list;
TRI_FLEX_TYPE(list, items, length);
