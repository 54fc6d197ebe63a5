/* SPDX-License-Identifier: MIT */
/* A module whose constructor waits for cycles, with the loader's lock held as all constructors have
 * it. */
#include <tricolor.h>

#include "module.h"

__attribute__((constructor)) static void wait_for_cycles(void)
{
    for (int i = 0; i < 20; i++)
        tri_collect();
}

MODULE_API extern const struct module module;
const struct module module = {.make = NULL};
