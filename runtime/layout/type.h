/* SPDX-License-Identifier: MIT */
/* What the runtime asks of a type descriptor: is it sound, does it have pointers, and which words
 * are they.
 *
 * Owns: the masks that byte masks and programs are turned into; made once a type, kept as long as
 * the descriptor: forever, or of a type of tri_type_build() until it is retired.
 * Threads: any, without locks.
 * See: docs/architecture.md#layout */
#ifndef TRI__LAYOUT_TYPE_H
#define TRI__LAYOUT_TYPE_H

#include <tricolor/type.h>

#include "base/atomic.h"

/* The message for a descriptor that breaks a rule of tricolor/type.h; NULL if it keeps them all.
 * The fields for inline allocation are not looked at. */
const char *tri__type_check(const tri_type *type);

int tri__type_prepare_slow(const tri_type *type);

/* Masks of programs up to this size are kept with the type; a larger one is made for each object,
 * and goes with it: few objects are as large as that, and types outlive them. */
#define TRI__SHARED_MASK_BYTES ((size_t)16 << 10)

/* The mask of such a large type is still to be made, for an object (own_mask.h). */
bool tri__type_wants_own_mask(const tri_type *type);

/* The mask, one bit a word, of ptr_bytes; NULL if the type is leaf or out of memory. After it was
 * not NULL once it never is again. Of a type with a program it is made now, however large. */
const uint64_t *tri__type_mask(const tri_type *type);

/* Writes that mask, ptr_bytes / 64 bytes rounded up to whole words. */
void tri__type_unroll(const tri_type *type, uint64_t *mask);

/* 64 bits of the mask: bit k is word 64 * index + k. 0 past ptr_bytes. Never fails, though it is
 * slow for a byte mask that was not turned into bits for lack of memory, and very slow for a
 * program: of that the mask is made now if it can be. */
uint64_t tri__type_mask_word(const tri_type *type, size_t index);

/* Bytes of an object, `bytes` long, up to where its last pointer ends: what there is to scan. */
size_t tri__type_scan_bytes(const tri_type *type, size_t bytes);

/* For messages. */
static inline const char *tri__type_label(const tri_type *type)
{
    return type->name != NULL ? type->name : "a type without a name";
}

/* May the type get spans of its own? */
static inline bool tri__type_has_state(const tri_type *type)
{
    return (type->extras & TRI__HAS_STATE) != 0;
}

/* False: no object of this type, however long, has a pointer in it. */
static inline bool tri__type_is_pointerful(const tri_type *type)
{
    return type->ptr_bytes != 0 || (type->tail != NULL && type->tail->ptr_bytes != 0);
}

/* Does an object of `bytes` bytes, the footer not counted, need a type footer? */
static inline bool tri__type_wants_footer(const tri_type *type, size_t bytes)
{
    return bytes > TRI__BITMAP_BYTES && tri__type_is_pointerful(type);
}

static inline bool tri__type_part_is_plain(const tri_type *type, uint32_t flags)
{
    uintptr_t all = type->size | type->ptr_bytes | (uintptr_t)type->gc_data;

    return type->flags == flags && all % TRI_WORD == 0 && type->ptr_bytes <= type->size &&
           (type->gc_data != NULL || type->ptr_bytes == 0);
}

/* True only of a type that keeps all rules and whose mask, and its tail's, is there as bits. */
static inline bool tri__type_is_plain(const tri_type *type)
{
    const tri_type *tail = type->tail;

    if (TRI__LIKELY(tail == NULL))
        return tri__type_part_is_plain(type, 0);
    return tri__type_part_is_plain(type, TRI_TYPE_FLEX) && tail->tail == NULL &&
           ((tail->flags == TRI_TYPE_LEAF && tail->ptr_bytes == 0) ||
            tri__type_part_is_plain(tail, 0));
}

/* To be called before the first object of a type is laid out; cheap enough for each. Fatal for a
 * descriptor that breaks the rules; -ENOMEM if there is no memory for the type's mask, else 0. */
static inline int tri__type_prepare(const tri_type *type)
{
    if (TRI__LIKELY(tri__type_is_plain(type)))
        return 0;
    return tri__type_prepare_slow(type);
}

/* The same, and its mask is kept with the type, however large: for memory that is no object. */
int tri__type_prepare_shared(const tri_type *type);

/* ---- types of tri_type_build(), which may be retired [inv.type.retire] ---- */

bool tri__type_is_retired(const tri_type *type);

_Noreturn void tri__type_retired_use(const tri_type *type);

/* The user is about to make something new of this type. Only debug builds look. */
#ifdef TRI__DEBUG
static inline void tri__type_check_use(const tri_type *type)
{
    if ((type->flags & TRI_TYPE_BUILT) != 0 && tri__type_is_retired(type))
        tri__type_retired_use(type);
}
#else
static inline void tri__type_check_use(const tri_type *type)
{
    (void)type;
}
#endif

void tri__type_meet_slow(const tri_type *type);

/* Markers call this for each type by which they scan an object or a root. The type's line is
 * loaded for the scan anyway. */
static inline void tri__type_meet(const tri_type *type)
{
    if (TRI__UNLIKELY(type->tail != NULL || (type->flags & TRI_TYPE_BUILT) != 0))
        tri__type_meet_slow(type);
}

#endif
