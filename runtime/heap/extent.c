/* SPDX-License-Identifier: MIT */
/* The extents of objects. Locks: none. */
#include "heap/extent.h"

#include "layout/bits.h"

/* Each element has a pointer, so the last bit lies in the last one. */
static bool extent_of_bits(const tri_type *type, uint64_t bits, struct tri__extent *extent)
{
    const tri_type *element = type->tail != NULL ? type->tail : type;
    size_t fixed = type->tail != NULL ? type->size : 0;
    size_t end = tri__mask_length(bits) * TRI_WORD;

    if (element->ptr_bytes == 0)
        return false;
    extent->elements = end > fixed ? (end - fixed + element->size - 1) / element->size : 0;
    extent->bytes = fixed + extent->elements * element->size;
    return true;
}

bool tri__extent_of(const struct tri__ref *ref, const tri_type *type, struct tri__extent *extent)
{
    const struct tri__class_info *info = &tri__class_info[ref->span_class];

    if (info->kind == TRI__KIND_BITMAP)
        return extent_of_bits(type, tri__ref_bits(ref, info), extent);
    if (info->kind != TRI__KIND_TYPED)
        return false;
    *extent = (struct tri__extent){type->tail == NULL, type->size};
    return true;
}
