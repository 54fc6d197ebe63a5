/* SPDX-License-Identifier: MIT */
/* A module that uses a type of another one, which it is linked with. */
#include <tricolor.h>

#include "module.h"

typedef struct node {
    struct node *next, *other;
    long number;
} node;
TRI_EXTERN_TYPE(node);

static void *make(size_t n)
{
    node *list = NULL;

    for (size_t i = 0; i < n; i++) {
        node *fresh = tri_new(node);

        if (fresh == NULL)
            return NULL;
        fresh->number = (long)i;
        tri_init_store(&fresh->other, list);
        list = fresh;
    }
    return list;
}

static bool check(void *made, size_t n)
{
    const node *at = made;

    for (; at != NULL && tri_object_base(at) == at; at = at->other)
        if (at->number != (long)--n)
            return false;
    return at == NULL && n == 0;
}

static const void *type(void)
{
    return &tri_type_node;
}

MODULE_API extern const struct module user_module;
const struct module user_module = {.make = make, .check = check, .type = type};
