/* SPDX-License-Identifier: MIT */
/* A module with a root, whose destructor takes its time. */
#include <unistd.h>

#include <tricolor.h>

#include "module.h"

TRI_ROOT static void *kept;

static void keep(void *p)
{
    tri_store(&kept, p);
}

__attribute__((destructor)) static void finish(void)
{
    usleep(300000);
}

MODULE_API extern const struct module module;
const struct module module = {.keep = keep};
