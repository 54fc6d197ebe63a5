/* SPDX-License-Identifier: MIT */
/* expect: type list, tail items: it is not a flexible array that begins where the struct ends */
#include <tricolor/type.h>

typedef struct list {
    long length;
    void *items[2];
} list;
TRI_FLEX_TYPE(list, items);
