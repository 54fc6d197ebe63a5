/* SPDX-License-Identifier: MIT */
/* From an object to its pointer words, whatever kind of span it lies in. */
#ifndef TRI__HEAP_OBJECT_H
#define TRI__HEAP_OBJECT_H

#include "heap/resolve.h"
#include "layout/heap_bits.h"
#include "layout/type_pointers.h"

static inline struct tri__type_pointers tri__bitmap_pointers(const struct tri__ref *ref,
                                                             const struct tri__class_info *info)
{
    uintptr_t page = ref->base & ~(uintptr_t)(TRI__PAGE_BYTES - 1);
    const uint64_t *bits = (const uint64_t *)(page + info->bits_offset);
    uint64_t mask = tri__heap_bits_read(bits, (ref->base - page) / TRI_WORD, info->size / TRI_WORD);

    return tri__type_pointers_bits(ref->base, mask);
}

/* The type of a footer or large object; NULL for a large leaf, or while the
 * object is still being set up. */
static inline const tri_type *tri__ref_type(const struct tri__ref *ref)
{
    if (ref->span_class == TRI__LARGE_SPAN)
        /* acq <- rel in tri__large_alloc() */
        return tri__load_acquire(&tri__span_at(ref->base)->type);
    /* acq <- rel in alloc_footer() */
    return tri__load_acquire(
        (const tri_type **)(ref->base + tri__class_info[ref->span_class].size - TRI_WORD));
}

/* Where the object's last word that may be visited ends: a footer never is [inv.layout.footer]. */
static inline uintptr_t tri__ref_limit(const struct tri__ref *ref)
{
    uintptr_t end = ref->base + tri__ref_bytes(ref);

    return tri__class_info[ref->span_class].kind == TRI__KIND_FOOTER ? end - TRI_WORD : end;
}

static inline struct tri__type_pointers tri__object_pointers(const struct tri__ref *ref)
{
    const struct tri__class_info *info = &tri__class_info[ref->span_class];

    if (info->kind == TRI__KIND_BITMAP)
        return tri__bitmap_pointers(ref, info);
    if (info->kind == TRI__KIND_LEAF)
        return tri__type_pointers_none();
    return tri__type_pointers_tiled(ref->base, tri__ref_type(ref), tri__ref_limit(ref));
}

/* No word of it is a pointer. */
static inline bool tri__ref_is_leaf(const struct tri__ref *ref)
{
    uint8_t kind = tri__class_info[ref->span_class].kind;

    return kind == TRI__KIND_LEAF || (kind == TRI__KIND_LARGE && tri__ref_type(ref) == NULL);
}

#endif
