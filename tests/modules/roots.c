/* SPDX-License-Identifier: MIT */
/* A module that has roots, and no types of its own. Its constructor allocates. */
#include <tricolor.h>

#include "module.h"

TRI_ROOT static void *kept[20];
TRI_ROOT static void **early;

static void keep(void *p)
{
    tri_store(&kept[7], p);
}

static void *get_kept(void)
{
    return kept[7];
}

/* What the constructor has made is alive if the variable was a root before. */
static bool check(void *made, size_t n)
{
    (void)made;
    return tri_object_base(early) == early && early[n] == early && kept[7] != early;
}

__attribute__((constructor)) static void prepare(void)
{
    tri_store(&early, tri_new_ptrs(10));
    for (int i = 0; early != NULL && i < 10; i++)
        tri_store(&early[i], early);
}

/* The roots are there to the end of this. */
__attribute__((destructor)) static void finish(void)
{
    if (tri_object_base(early) != early)
        __builtin_trap();
}

MODULE_API extern const struct module module;
const struct module module = {.check = check, .keep = keep, .kept = get_kept};
