/* SPDX-License-Identifier: MIT */
/* A library that the program is linked with: its constructor calls tri_init(), and its destructor runs
 * when main() has returned, after the program's own. It collects, and uses what was freed. */
#include <stdlib.h>
#include <unistd.h>

#include <tricolor.h>

#include "early.h"

enum early_stage early_stage; /* atomic */

__attribute__((constructor)) static void begin(void)
{
    if (tri_init(NULL) != 0)
        abort();
}

static void overwrite_what_is_free(void)
{
    for (int i = 0; i < 100000; i++)
        if (tri_new_ptrs(2) == NULL)
            abort();
}

__attribute__((destructor)) static void finish(void)
{
    for (int i = 0; i < 3; i++)
        tri_collect();
    overwrite_what_is_free();
    __atomic_store_n(&early_stage, EARLY_COLLECTED, __ATOMIC_RELEASE);
    for (int i = 0; i < 5000; i++)
        if (__atomic_load_n(&early_stage, __ATOMIC_ACQUIRE) == EARLY_LOOKED_AT)
            return;
        else
            usleep(1000);
    _exit(3);
}
