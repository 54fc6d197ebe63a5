/* SPDX-License-Identifier: MIT */
/* A module whose constructor makes an object of its type, so that no later one asks the loader
 * (docs/threads.md "Shared objects"). */
#include <tricolor.h>

#include "module.h"

typedef struct request request;
struct request {
    request *next;
};
TRI_TYPE(request, next);

__attribute__((constructor)) static void hold_types(void)
{
    (void)tri_new(request);
}

static void *make(size_t n)
{
    request *list = NULL;

    while (n-- > 0) {
        request *fresh = tri_new(request);

        if (fresh == NULL)
            return NULL;
        tri_store(&fresh->next, list);
        list = fresh;
    }
    return list;
}

MODULE_API extern const struct module module;
const struct module module = {.make = make};
