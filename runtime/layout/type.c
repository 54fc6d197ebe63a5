/* SPDX-License-Identifier: MIT */
/* Type descriptors: the rules they keep, the predefined ones, and masks made of bytes or by a
 * program turned into bits. */
#include "layout/type.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fatal.h"
#include "base/fault.h"
#include "layout/bits.h"
#include "layout/gc_program.h"
#include "layout/mask_check.h"

#define CACHED_FLAGS (TRI_TYPE_BYTE_MASK | TRI_TYPE_GC_PROGRAM)
#define KNOWN_FLAGS                                                                                \
    (TRI_TYPE_LEAF | TRI_TYPE_FLEX | TRI_TYPE_CONSERVATIVE | TRI_TYPE_BUILT | CACHED_FLAGS)

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

static const char *check_program(const tri_type *type)
{
    struct tri__gc_extent extent;
    const char *error = tri__gc_program_check(type->gc_data, &extent);

    if (error != NULL)
        return error;
    if (extent.words != type->size / TRI_WORD)
        return "its program does not describe as many words as it has";
    return extent.pointer_end > type->ptr_bytes / TRI_WORD
               ? "its program has a pointer at or past ptr_bytes"
               : NULL;
}

/* A mask that has to be turned into bits. */
static const char *check_source(const tri_type *type)
{
    if (type->cache == NULL)
        return (type->flags & TRI_TYPE_BYTE_MASK) != 0 ? "it has a byte mask and no cache"
                                                       : "it has a program and no cache";
    if ((type->flags & CACHED_FLAGS) == CACHED_FLAGS)
        return "it has both a byte mask and a program";
    return (type->flags & TRI_TYPE_GC_PROGRAM) != 0 ? check_program(type) : NULL;
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
    if ((type->flags & CACHED_FLAGS) != 0)
        return check_source(type);
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

/* The bits that were made of a byte mask or a program; NULL: none yet. */
static const uint64_t *cached_mask(const tri_type *type)
{
    return type->cache == NULL ? NULL : tri__load_acquire(type->cache); /* acq <- rel in share() */
}

/* Checked, and with a mask; a type whose mask is made already has been here before. */
static int prepare_one(const tri_type *type)
{
    const char *error;

    if ((type->flags & CACHED_FLAGS) != 0 && cached_mask(type) != NULL)
        return 0;
    error = tri__type_check(type);
    if (error != NULL)
        tri__fatal("type '%s' is malformed: %s. Make it with a macro of tricolor/type.h, or by the "
                   "rules given there for struct tri_type",
                   type->name != NULL ? type->name : "?", error);
    if (type->ptr_bytes != 0 && !tri__type_wants_own_mask(type) && tri__type_mask(type) == NULL)
        return -ENOMEM;
    return 0;
}

int tri__type_prepare_slow(const tri_type *type)
{
    int error = prepare_one(type);

    return error == 0 && type->tail != NULL ? tri__type_prepare(type->tail) : error;
}

static bool has_shared_mask(const tri_type *type)
{
    return type->ptr_bytes == 0 || tri__type_mask(type) != NULL;
}

int tri__type_prepare_shared(const tri_type *type)
{
    int error = tri__type_prepare(type);

    if (error == 0 && !(has_shared_mask(type) && (type->tail == NULL || has_shared_mask(type->tail))))
        error = -ENOMEM;
    return error;
}

bool tri__type_wants_own_mask(const tri_type *type)
{
    return (type->flags & TRI_TYPE_GC_PROGRAM) != 0 &&
           type->ptr_bytes > TRI__SHARED_MASK_BYTES * 8 * TRI_WORD && cached_mask(type) == NULL;
}

void tri__type_retired_use(const tri_type *type)
{
    tri__fatal("type '%s' is used after tri_type_retire(): nothing may be allocated with it, made "
               "a root or built on it from then on",
               type->name != NULL ? type->name : "?");
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

void tri__type_unroll(const tri_type *type, uint64_t *mask)
{
    if ((type->flags & TRI_TYPE_GC_PROGRAM) != 0)
        tri__gc_program_unroll(type->gc_data, mask, type->ptr_bytes / TRI_WORD);
    else
        for (size_t i = 0; i < mask_length(type); i++)
            mask[i] = tri__type_mask_word(type, i);
    mask[0] ^= (uint64_t)tri__fault(TRI__FAULT_CORRUPT_LAYOUT);
    tri__mask_check(type, mask);
}

/* Threads that meet at a type for the first time all make the mask, and one of them wins. From
 * malloc, because most are tiny; kept as long as the descriptor, which outlives any heap. */
static const uint64_t *share(const tri_type *type)
{
    uint64_t *mask = malloc(mask_length(type) * sizeof *mask);
    void *found = NULL;

    if (mask == NULL)
        return NULL;
    tri__type_unroll(type, mask);
    if (tri__cas_acqrel(type->cache, &found, (void *)mask)) /* rel -> acq in cached_mask() */
        return mask;
    free(mask); /* another thread was first */
    return found;
}

const uint64_t *tri__type_mask(const tri_type *type)
{
    const uint64_t *mask;

    if (type->ptr_bytes == 0)
        return NULL;
    if ((type->flags & CACHED_FLAGS) == 0)
        return type->gc_data;
    mask = cached_mask(type);
    return mask != NULL ? mask : share(type);
}

/* Without a mask of bits; count bits from `word` on. */
static uint64_t gather(const tri_type *type, size_t word, unsigned count)
{
    uint64_t bits = 0;

    if ((type->flags & TRI_TYPE_BYTE_MASK) != 0)
        return gather_bytes((const uint8_t *)type->gc_data + word, count);
    for (unsigned k = 0; k < count; k++)
        bits |= (uint64_t)tri__gc_program_bit(type->gc_data, word + k) << k;
    return bits;
}

uint64_t tri__type_mask_word(const tri_type *type, size_t index)
{
    size_t words = type->ptr_bytes / TRI_WORD;
    const uint64_t *mask = type->gc_data;
    unsigned count;

    if (index >= mask_length(type))
        return 0;
    count = words - 64 * index < 64 ? (unsigned)(words - 64 * index) : 64;
    if ((type->flags & TRI_TYPE_GC_PROGRAM) != 0)
        mask = tri__type_mask(type);
    else if ((type->flags & TRI_TYPE_BYTE_MASK) != 0)
        mask = cached_mask(type);
    return mask != NULL ? mask[index] & tri__low_bits(count) : gather(type, 64 * index, count);
}

/* ---- how much of an object there is to scan ---- */

/* Where the last pointer of the first `bytes` bytes of an element ends; 0: there is none. */
static size_t last_pointer_end(const tri_type *type, size_t bytes)
{
    size_t words = (bytes < type->ptr_bytes ? bytes : type->ptr_bytes) / TRI_WORD;

    for (size_t index = (words + 63) / 64; index-- > 0;) {
        size_t left = words - 64 * index;
        uint64_t mask = tri__type_mask_word(type, index);

        mask &= tri__low_bits(left < 64 ? (unsigned)left : 64);

        if (mask != 0)
            return (64 * index + tri__mask_length(mask)) * TRI_WORD;
    }
    return 0;
}

static size_t array_scan_bytes(const tri_type *type, size_t bytes)
{
    size_t rest, whole, end;

    if (type->ptr_bytes == 0)
        return 0;
    rest = bytes % type->size;
    whole = bytes - rest;
    end = last_pointer_end(type, rest);
    if (end != 0)
        return whole + end;
    return whole == 0 ? 0 : whole - type->size + last_pointer_end(type, type->ptr_bytes);
}

size_t tri__type_scan_bytes(const tri_type *type, size_t bytes)
{
    size_t end;

    if (type->tail == NULL)
        return array_scan_bytes(type, bytes);
    end = bytes > type->size ? array_scan_bytes(type->tail, bytes - type->size) : 0;
    return end != 0 ? type->size + end : last_pointer_end(type, bytes);
}
