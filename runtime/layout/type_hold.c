/* SPDX-License-Identifier: MIT */
/* Keeping types' shared objects loaded, once a type (see type_hold.h). */
#include "layout/type_hold.h"

#include "base/fault.h"
#include "base/module.h"

const tri_type *tri__noted_types[TRI__NOTED_SETS][TRI__NOTED_WAYS];

bool tri__type_is_noted_slow(const tri_type *type)
{
    const tri_type **set = tri__noted_set(type);

    for (unsigned i = 1; i < TRI__NOTED_WAYS; i++)
        if (tri__load_acquire(&set[i]) == type) /* acq <- rel in note() */
            return true;
    return false;
}

/* Threads may note the same type twice, or each take the other's last way: no harm. */
static void note(const tri_type *type)
{
    const tri_type **set = tri__noted_set(type);
    unsigned way = 0;

    while (way < TRI__NOTED_WAYS - 1 && tri__load_relaxed(&set[way]) != NULL)
        way++;
    tri__store_release(&set[way], type); /* rel -> acq in tri__type_part_is_held() */
}

/* That a shared object cannot be kept has been said; the rest is up to its user. */
static void hold_part(const tri_type *type, bool keep_loaded)
{
    if (keep_loaded && !tri__fault(TRI__FAULT_FORGET_MODULES))
        tri__module_pin(type);
    if (tri__type_has_state(type))
        /* rel -> acq in tri__type_part_is_held() */
        tri__store_release(&TRI__TYPE_STATE(type)->held, UINT32_C(1));
    else
        note(type);
}

void tri__type_hold(const tri_type *type, bool keep_loaded)
{
    if (!tri__type_part_is_held(type))
        hold_part(type, keep_loaded);
    if (type->tail != NULL && !tri__type_part_is_held(type->tail))
        hold_part(type->tail, keep_loaded);
}

void tri__types_forget_held(void)
{
    for (unsigned set = 0; set < TRI__NOTED_SETS; set++)
        for (unsigned way = 0; way < TRI__NOTED_WAYS; way++)
            tri__store_relaxed(&tri__noted_types[set][way], NULL);
}
