/* SPDX-License-Identifier: MIT */
/* A module whose constructor wants a lock of the program's, with the loader's lock held. */
#include "module.h"

extern void host_lock_and_unlock(void);

__attribute__((constructor)) static void announce(void)
{
    host_lock_and_unlock();
}

MODULE_API extern const struct module module;
const struct module module = {.make = 0};
