/* SPDX-License-Identifier: MIT */
/* A library of headers alone, as each module that includes it compiles it: a list of numbers. */
#ifndef ITEM_H
#define ITEM_H

#include <tricolor.h>

typedef struct item {
    struct item *next;
    long number;
} item;

TRI_TYPE(item, next);

static inline item *item_push(item *list, long number)
{
    item *fresh = tri_new(item);

    if (fresh == NULL)
        return NULL;
    fresh->number = number;
    tri_init_store(&fresh->next, list);
    return fresh;
}

static inline long item_sum(const item *list)
{
    long sum = 0;

    for (; list != NULL; list = list->next)
        sum += list->number;
    return sum;
}

#endif
