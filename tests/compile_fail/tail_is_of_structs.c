/* SPDX-License-Identifier: MIT */
/* expect: type list, tail items: not an array of pointers; an array of structs needs TRI_FLEX_TYPE_OF */
#include <tricolor/type.h>

typedef struct pair {
    void *key, *value;
} pair;
typedef struct list {
    long length;
    pair items[];
} list;
TRI_FLEX_TYPE(list, items);
