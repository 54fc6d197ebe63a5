/* SPDX-License-Identifier: MIT */
/* Layouts for one object. */
#include "layout/own_mask.h"

#include "base/os.h"

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

/* Of at least that many bytes. */
static struct tri__own_layout *map(size_t bytes)
{
    size_t page = tri__os_page_size(), whole = (bytes + page - 1) / page * page;
    struct tri__own_layout *layout = tri__os_map(whole);

    if (layout != NULL)
        layout->bytes = whole;
    return layout;
}

struct tri__own_layout *tri__own_layout_new(const tri_type *type)
{
    static const tri_type none;
    const tri_type *tail = type->tail != NULL ? type->tail : &none;
    bool own = tri__type_wants_own_mask(type), own_tail = tri__type_wants_own_mask(tail);
    size_t length = own ? mask_length(type) : 0;
    size_t room = length + (own_tail ? mask_length(tail) : 0);
    struct tri__own_layout *layout = map(sizeof *layout + room * sizeof layout->masks[0]);

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

void tri__own_layout_free(struct tri__own_layout *layout)
{
    if (layout != NULL)
        tri__os_unmap(layout, layout->bytes);
}
