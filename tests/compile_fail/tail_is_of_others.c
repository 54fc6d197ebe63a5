/* SPDX-License-Identifier: MIT */
/* expect: type list, tail items: its elements are not of the type named */
#include <tricolor/type.h>

typedef struct pair {
    void *key, *value;
} pair;
TRI_TYPE(pair, key, value);
typedef struct list {
    long length;
    void *items[];
} list;
TRI_FLEX_TYPE_OF(list, items, pair);
