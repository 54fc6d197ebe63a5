/* SPDX-License-Identifier: MIT */
/* Keeping types' shared objects loaded, once a type (see type_hold.h). */
#include "layout/type_hold.h"

#include "base/fault.h"
#include "base/module.h"

/* Types that have no state: flexible ones, very large ones, those written by hand. Sets of four; if
 * one is full, its types are held again now and then. */
#define SETS 64u
#define WAYS 4u

static const tri_type *noted[SETS][WAYS]; /* atomic; a set is filled from its first way on */

static const tri_type **set_of(const tri_type *type)
{
    uintptr_t line = (uintptr_t)type / sizeof *type;

    return noted[(line ^ line / SETS) % SETS];
}

bool tri__type_is_noted(const tri_type *type)
{
    const tri_type **set = set_of(type);

    for (unsigned i = 0; i < WAYS; i++)
        if (tri__load_acquire(&set[i]) == type) /* acq <- rel in note() */
            return true;
    return false;
}

/* Threads may note the same type twice, or each take the other's last way: no harm. */
static void note(const tri_type *type)
{
    const tri_type **set = set_of(type);
    unsigned way = 0;

    while (way < WAYS - 1 && tri__load_relaxed(&set[way]) != NULL)
        way++;
    tri__store_release(&set[way], type); /* rel -> acq in tri__type_is_noted() */
}

/* That a shared object cannot be kept has been said; the rest is up to its user. */
static void hold_part(const tri_type *type)
{
    if (!tri__fault(TRI__FAULT_FORGET_MODULES))
        tri__module_pin(type);
    if (type->stateful)
        /* rel -> acq in tri__type_part_is_held() */
        tri__store_release(&TRI__TYPE_STATE(type)->held, UINT32_C(1));
    else
        note(type);
}

void tri__type_hold(const tri_type *type)
{
    if (!tri__type_part_is_held(type))
        hold_part(type);
    if (type->tail != NULL && !tri__type_part_is_held(type->tail))
        hold_part(type->tail);
}

void tri__types_forget_held(void)
{
    for (unsigned set = 0; set < SETS; set++)
        for (unsigned way = 0; way < WAYS; way++)
            tri__store_relaxed(&noted[set][way], NULL);
}
