/* SPDX-License-Identifier: MIT */
/* From an object to its pointer words, whatever kind of span it lies in. */
#ifndef TRI__HEAP_OBJECT_H
#define TRI__HEAP_OBJECT_H

#include "heap/resolve.h"
#include "layout/heap_bits.h"
#include "layout/own_mask.h"
#include "layout/type_pointers.h"

/* The bits of an object in a bitmap span; its class is info. */
static inline uint64_t tri__ref_bits(const struct tri__ref *ref, const struct tri__class_info *info)
{
    uintptr_t page = ref->base & ~(uintptr_t)(TRI__PAGE_BYTES - 1);
    const uint64_t *bits = (const uint64_t *)(page + info->bits_offset);

    return tri__heap_bits_read(bits, (ref->base - page) / TRI_WORD, info->size / TRI_WORD);
}

/* Of the value of an arena that begins at the address; NULL, and the address itself, if there is
 * none. */
const tri_type *tri__arena_type(uintptr_t value_base);
uintptr_t tri__arena_limit(uintptr_t value_base);

/* Of a typed span with its colours in the page. Relaxed loads: what is there was written before the
 * span was published [inv.typed.layout]. */
static inline const struct tri__page_type *tri__page_type(const struct tri__ref *ref,
                                                          const struct tri__class_info *info)
{
    return (const struct tri__page_type *)((ref->base & ~(uintptr_t)(TRI__PAGE_BYTES - 1)) +
                                           info->bits_offset);
}

/* Has a typed span of this class a mask in its page? */
static inline bool tri__class_has_mask(const struct tri__class_info *info)
{
    return info->size <= TRI__BITMAP_BYTES;
}

/* The type of a typed, footer or large object, or of an arena's value; NULL for a large leaf, or
 * while the object is still being set up. */
static inline const tri_type *tri__ref_type(const struct tri__ref *ref)
{
    const struct tri__class_info *info = &tri__class_info[ref->span_class];

    if (info->kind == TRI__KIND_TYPED && info->bits_offset != 0)
        return tri__load_relaxed(&tri__page_type(ref, info)->type);
    if (info->kind == TRI__KIND_LARGE || info->kind == TRI__KIND_TYPED)
        /* acq <- rel in tri__large_alloc() */
        return tri__load_acquire(&tri__span_at(ref->base)->type);
    if (TRI__UNLIKELY(ref->span_class == TRI__ARENA_SPAN))
        return tri__arena_type(ref->base);
    /* acq <- rel in alloc_footer() */
    return tri__load_acquire(
        (const tri_type **)(ref->base + info->size - TRI_WORD));
}

/* What to walk the object by: its type, or a copy with a mask. */
static inline const tri_type *tri__ref_layout(const struct tri__ref *ref)
{
    const tri_type *type = tri__ref_type(ref);
    struct tri__own_layout *own = NULL;

    if (ref->span_class == TRI__LARGE_SPAN && type != NULL)
        own = tri__span_at(ref->base)->own; /* set before the type */
    return TRI__UNLIKELY(own != NULL) ? &own->type : type;
}

/* Where the object's last word that may be visited ends: a footer never is [inv.layout.footer]. */
static inline uintptr_t tri__ref_limit(const struct tri__ref *ref)
{
    uintptr_t end = ref->base + tri__ref_bytes(ref);

    if (TRI__UNLIKELY(ref->span_class == TRI__ARENA_SPAN))
        return tri__arena_limit(ref->base);
    return tri__class_info[ref->span_class].kind == TRI__KIND_FOOTER ? end - TRI_WORD : end;
}

/* One element, however large the slot is. */
static inline struct tri__type_pointers tri__typed_pointers(const struct tri__ref *ref,
                                                            const struct tri__class_info *info)
{
    const tri_type *type;

    if (tri__class_has_mask(info))
        return tri__type_pointers_of_bits(ref->base,
                                          tri__load_relaxed(&tri__page_type(ref, info)->mask));
    type = tri__ref_type(ref);
    return tri__type_pointers_of_type(type, ref->base, ref->base + type->size);
}

/* The pointer words of a whole object. */
static inline struct tri__type_pointers tri__type_pointers_of_ref(const struct tri__ref *ref)
{
    const struct tri__class_info *info = &tri__class_info[ref->span_class];

    switch ((enum tri__kind)info->kind) {
    case TRI__KIND_BITMAP:
        return tri__type_pointers_of_bits(ref->base, tri__ref_bits(ref, info));
    case TRI__KIND_TYPED:
        return tri__typed_pointers(ref, info);
    case TRI__KIND_FOOTER:
    case TRI__KIND_LARGE:
    case TRI__KIND_ARENA:
        return tri__type_pointers_of_type(tri__ref_layout(ref), ref->base, tri__ref_limit(ref));
    case TRI__KIND_NONE:
    case TRI__KIND_LEAF:
        break;
    }
    return tri__type_pointers_none();
}

/* Those in [from, from + bytes): whole words inside the object, wherever in it. */
static inline struct tri__type_pointers tri__type_pointers_of_range(const struct tri__ref *ref,
                                                                    uintptr_t from, size_t bytes)
{
    struct tri__type_pointers it = tri__type_pointers_of_ref(ref);

    if (from != ref->base || bytes != tri__ref_limit(ref) - from)
        tri__type_pointers_fast_forward(&it, from, from + bytes);
    return it;
}

/* The same when the object is not resolved yet. That there is one, and that the range
 * lies inside it, is asserted: a caller that takes ranges from the program has to look first. */
struct tri__type_pointers tri__type_pointers_of(uintptr_t from, size_t bytes);

/* Of the object at base, which the caller knows to be one: nothing is checked. */
static inline struct tri__type_pointers tri__type_pointers_of_unchecked(uintptr_t base)
{
    struct tri__ref ref = {.base = base};

    /* acq <- rel in tri__span_publish() */
    ref.span_class = tri__load_acquire(&tri__heap.page_class[tri__page_of(base)]);
    return tri__type_pointers_of_ref(&ref);
}

/* No word of it is a pointer. */
static inline bool tri__ref_is_leaf(const struct tri__ref *ref)
{
    uint8_t kind = tri__class_info[ref->span_class].kind;

    if (TRI__UNLIKELY(kind == TRI__KIND_ARENA))
        return !tri__type_is_pointerful(tri__ref_type(ref));
    return kind == TRI__KIND_LEAF || (kind == TRI__KIND_LARGE && tri__ref_type(ref) == NULL);
}

#endif
