/* SPDX-License-Identifier: MIT */
/* Layouts for one object. */
#include "layout/own_mask.h"

#include <stdlib.h>

/* In 64-bit words, rounded up. */
static size_t mask_length(const tri_type *type)
{
    return type->ptr_bytes / TRI_WORD / 64 + (type->ptr_bytes / TRI_WORD % 64 != 0);
}

static void make_mask(tri_type *copy, const tri_type *type, uint64_t *mask)
{
    tri__type_unroll(type, mask);
    copy->gc_data = mask;
    copy->flags &= ~(uint32_t)TRI_TYPE_GC_PROGRAM;
    copy->cache = NULL;
}

struct tri__own_layout *tri__own_layout_new(const tri_type *type)
{
    static const tri_type none;
    const tri_type *tail = type->tail != NULL ? type->tail : &none;
    bool own = tri__type_wants_own_mask(type), own_tail = tri__type_wants_own_mask(tail);
    size_t length = own ? mask_length(type) : 0;
    size_t room = length + (own_tail ? mask_length(tail) : 0);
    struct tri__own_layout *layout = malloc(sizeof *layout + room * sizeof layout->masks[0]);

    if (layout == NULL)
        return NULL;
    layout->type = *type;
    layout->tail = *tail;
    if (own)
        make_mask(&layout->type, type, layout->masks);
    if (own_tail)
        make_mask(&layout->tail, tail, layout->masks + length);
    if (type->tail != NULL)
        layout->type.tail = &layout->tail;
    return layout;
}
