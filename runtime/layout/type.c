/* SPDX-License-Identifier: MIT */
/* Type descriptors: the rules they keep, the predefined ones, and byte masks turned into bits. */
#include "layout/type.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fatal.h"
#include "layout/bits.h"

#define KNOWN_FLAGS                                                                                \
    (TRI_TYPE_LEAF | TRI_TYPE_FLEX | TRI_TYPE_BYTE_MASK | TRI_TYPE_CONSERVATIVE)

static const uint64_t first_word_only = 1;

#define PREDEFINED(type_size, ptrs, mask, type_name, type_flags, leaf, tag)                        \
    {                                                                                              \
        .size = (type_size), .ptr_bytes = (ptrs), .gc_data = (mask), .name = (type_name),          \
        .flags = (type_flags), .slot_size = TRI__SIZE_CLASS_BYTES(1), .span_class = 2 + (leaf),    \
        .run_tag = (tag),                                                                          \
    }

const tri_type tri_type_ptr =
    PREDEFINED(TRI_WORD, TRI_WORD, &first_word_only, "pointer", 0, 0, &tri_type_ptr);
const tri_type tri_type_conservative =
    PREDEFINED(TRI_WORD, TRI_WORD, &first_word_only, "conservative word", TRI_TYPE_CONSERVATIVE, 0,
               &tri_type_conservative);
const tri_type tri_type_bytes =
    PREDEFINED(1, 0, NULL, "bytes", TRI_TYPE_LEAF, 1, &tri_type_bytes);

static const char *check_flags(const tri_type *type)
{
    bool flex = (type->flags & TRI_TYPE_FLEX) != 0;

    if ((type->flags & ~KNOWN_FLAGS) != 0)
        return "flags has bits that mean nothing";
    if (flex != (type->tail != NULL))
        return flex ? "it is flexible and has no tail" : "it has a tail and is not flexible";
    if ((type->flags & TRI_TYPE_LEAF) != 0 && tri__type_is_pointerful(type))
        return "it is leaf and has pointers";
    return NULL;
}

static const char *check_mask(const tri_type *type)
{
    if (type->ptr_bytes > type->size)
        return "ptr_bytes is larger than size";
    if (type->ptr_bytes % TRI_WORD != 0)
        return "ptr_bytes is not a multiple of the word";
    if (tri__type_is_pointerful(type) && type->size % TRI_WORD != 0)
        return "it has pointers, and size is not a multiple of the word";
    if (type->ptr_bytes == 0)
        return NULL;
    if (type->gc_data == NULL)
        return "it has pointers and no gc_data";
    if ((type->flags & TRI_TYPE_BYTE_MASK) != 0)
        return type->cache == NULL ? "it has a byte mask and no cache" : NULL;
    return (uintptr_t)type->gc_data % TRI_WORD != 0 ? "gc_data is not aligned to the word" : NULL;
}

static const char *check_tail(const tri_type *tail)
{
    if ((tail->flags & TRI_TYPE_FLEX) != 0)
        return "its tail is flexible itself";
    if (check_flags(tail) != NULL || check_mask(tail) != NULL)
        return "its tail is malformed";
    return NULL;
}

const char *tri__type_check(const tri_type *type)
{
    const char *error = check_flags(type);

    if (error == NULL)
        error = check_mask(type);
    if (error == NULL && type->tail != NULL)
        error = check_tail(type->tail);
    return error;
}

int tri__type_prepare_slow(const tri_type *type)
{
    const char *error = tri__type_check(type);

    if (error != NULL)
        tri__fatal("type '%s' is malformed: %s. Make it with a macro of tricolor/type.h, or by the "
                   "rules given there for struct tri_type",
                   type->name != NULL ? type->name : "?", error);
    if (type->ptr_bytes != 0 && tri__type_mask(type) == NULL)
        return -ENOMEM;
    return type->tail != NULL ? tri__type_prepare(type->tail) : 0;
}

static uint64_t gather_bytes(const uint8_t *bytes, unsigned count)
{
    uint64_t word = 0;

    for (unsigned k = 0; k < count; k++)
        word |= (uint64_t)(bytes[k] != 0) << k;
    return word;
}

static size_t mask_length(const tri_type *type)
{
    return (type->ptr_bytes / TRI_WORD + 63) / 64;
}

/* From malloc, because masks are tiny, and never given back: descriptors outlive any heap. */
static uint64_t *unroll(const tri_type *type)
{
    size_t length = mask_length(type);
    uint64_t *mask = malloc(length * sizeof *mask);

    for (size_t i = 0; mask != NULL && i < length; i++)
        mask[i] = tri__type_mask_word(type, i);
    return mask;
}

const uint64_t *tri__type_mask(const tri_type *type)
{
    void *mask, *found = NULL;

    if (type->ptr_bytes == 0 || (type->flags & TRI_TYPE_BYTE_MASK) == 0)
        return type->ptr_bytes != 0 ? type->gc_data : NULL;
    mask = tri__load_acquire(type->cache); /* acq <- rel of the compare-and-swap below */
    if (mask != NULL)
        return mask;
    mask = unroll(type);
    if (mask == NULL || tri__cas_acqrel(type->cache, &found, mask))
        return mask;
    free(mask); /* another thread was first */
    return found;
}

uint64_t tri__type_mask_word(const tri_type *type, size_t index)
{
    size_t words = type->ptr_bytes / TRI_WORD;
    const uint64_t *mask = type->gc_data;
    unsigned count;

    if (index >= mask_length(type))
        return 0;
    count = words - 64 * index < 64 ? (unsigned)(words - 64 * index) : 64;
    if ((type->flags & TRI_TYPE_BYTE_MASK) != 0) {
        mask = tri__load_acquire(type->cache); /* acq <- rel in tri__type_mask() */
        if (mask == NULL)
            return gather_bytes((const uint8_t *)type->gc_data + 64 * index, count);
    }
    return mask[index] & tri__low_bits(count);
}
