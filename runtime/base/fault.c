/* SPDX-License-Identifier: MIT */
/* base/fault.c: reads TRICOLOR_FAULT. */
#include "base/fault.h"

#include "base/fatal.h"

#include <stdlib.h>
#include <string.h>

#ifdef TRI__DEBUG

#define NAMES "drop-old, drop-new, skip-arm, skip-flush, allocate-white, no-chunks, "                      \
    "corrupt-layout, forget-types, forget-spans, forget-modules"

uint32_t tri__faults_armed;

static const char *const names[TRI__FAULTS] = {
    [TRI__FAULT_DROP_OLD] = "drop-old",
    [TRI__FAULT_DROP_NEW] = "drop-new",
    [TRI__FAULT_SKIP_ARM] = "skip-arm",
    [TRI__FAULT_SKIP_FLUSH] = "skip-flush",
    [TRI__FAULT_ALLOCATE_WHITE] = "allocate-white",
    [TRI__FAULT_NO_CHUNKS] = "no-chunks",
    [TRI__FAULT_CORRUPT_LAYOUT] = "corrupt-layout",
    [TRI__FAULT_FORGET_TYPES] = "forget-types",
    [TRI__FAULT_FORGET_SPANS] = "forget-spans",
    [TRI__FAULT_FORGET_MODULES] = "forget-modules",
};

static uint32_t bit_of(const char *name, size_t length)
{
    for (unsigned i = 0; i < TRI__FAULTS; i++)
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
            return UINT32_C(1) << i;
    tri__fatal("TRICOLOR_FAULT names \"%.*s\"; known are: " NAMES ". Separate several by commas.",
               (int)length, name);
}

static void arm(const char *list)
{
    uint32_t armed = 0;
    for (const char *name = list;; name++) {
        size_t length = strcspn(name, ",");
        armed |= bit_of(name, length);
        name += length;
        if (*name == '\0')
            break;
    }
    tri__store_relaxed(&tri__faults_armed, armed);
}

#else

_Noreturn static void arm(const char *list)
{
    tri__fatal("TRICOLOR_FAULT=%s is set, but this library was built without --enable-debug and "
               "has no faults. Unset it, or configure with --enable-debug.",
               list);
}

#endif

void tri__fault_init(void)
{
    const char *list = secure_getenv("TRICOLOR_FAULT");
    if (list != NULL && *list != '\0')
        arm(list);
}
