/* SPDX-License-Identifier: MIT */
/* The type-pointers iterator: from one window to the next, and into the middle of an object.
 *
 * Three states, told apart by type and window: the window is all (type NULL); a small type, whose
 * windows are alike (window not 0); a large type, read 64 words at a time. A flexible type's fixed
 * part is one element of a large type, and then the tail takes the iterator over. */
#include "layout/type_pointers.h"

#include "base/fatal.h"
#include "layout/bits.h"

#define MASK_BYTES ((size_t)64 * TRI_WORD)

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Cuts the window at the limit; false and nothing left if it lies behind it. */
static bool cut(struct tri__type_pointers *it)
{
    if (it->address >= it->limit) {
        it->mask = 0;
        it->type = NULL;
        return false;
    }
    it->mask &= tri__low_bits((unsigned)min_size((it->limit - it->address) / TRI_WORD, 64));
    return true;
}

/* Goes to a window of the element that begins at `element`. */
static void enter_window(struct tri__type_pointers *it, uintptr_t element, size_t index)
{
    it->element = element;
    it->address = element + index * MASK_BYTES;
    it->mask = it->window != 0 ? it->pattern : tri__type_mask_word(it->type, index);
}

/* How many elements a window has; 0: not even one. What follows a fixed part is unlike it: so it
 * is read as a large type is, small as it may be. */
static size_t window_elements(const tri_type *type)
{
    return type->tail != NULL ? 0 : MASK_BYTES / type->size;
}

/* Starts to walk elements of type, the first at `element`: one if the type is flexible. */
static void enter_type(struct tri__type_pointers *it, const tri_type *type, uintptr_t element)
{
    it->type = type;
    it->window = window_elements(type) * type->size;
    if (it->window != 0)
        it->pattern = tri__tile_bits(tri__type_mask_word(type, 0),
                                     (unsigned)(type->size / TRI_WORD),
                                     (unsigned)(it->window / TRI_WORD));
    enter_window(it, element, 0);
}

/* Leaves the fixed part of a flexible type for its tail, which may have no pointers. */
static void enter_tail(struct tri__type_pointers *it)
{
    const tri_type *type = it->type;

    if (type->tail->ptr_bytes != 0) {
        enter_type(it, type->tail, it->element + type->size);
    } else {
        it->type = NULL;
        it->mask = 0;
    }
}

struct tri__type_pointers tri__type_pointers_of_type(const tri_type *type, uintptr_t base,
                                                     uintptr_t limit)
{
    struct tri__type_pointers it = {.limit = limit};

    TRI__CHECK((base | limit) % TRI_WORD == 0);
    if (type == NULL || !tri__type_is_pointerful(type))
        return it;
    enter_type(&it, type, base);
    cut(&it);
    return it;
}

bool tri__type_pointers_advance_slow(struct tri__type_pointers *it)
{
    const tri_type *type = it->type;
    uintptr_t next = it->address + MASK_BYTES;

    if (type == NULL)
        return false;
    if (next - it->element < type->ptr_bytes) /* a large type's: a window has more than ptr_bytes */
        enter_window(it, it->element, (next - it->element) / MASK_BYTES);
    else if (type->tail != NULL)
        enter_tail(it);
    else
        enter_window(it, it->element + (it->window != 0 ? it->window : type->size), 0);
    return cut(it);
}

/* Goes to the window that `from` lies in, if that is not the present one. */
static void forward(struct tri__type_pointers *it, uintptr_t from)
{
    size_t stride = it->window != 0 ? it->window : it->type->size;
    uintptr_t element = it->element + (from - it->element) / stride * stride;
    size_t index = it->window != 0 ? 0 : (from - element) / MASK_BYTES;

    if (element + index * MASK_BYTES != it->address)
        enter_window(it, element, index);
}

void tri__type_pointers_fast_forward(struct tri__type_pointers *it, uintptr_t from, uintptr_t to)
{
    TRI__CHECK((from | to) % TRI_WORD == 0);
    it->limit = min_size(it->limit, to);
    if (from > it->address) {
        if (it->type != NULL && it->type->tail != NULL && from - it->element >= it->type->size)
            enter_tail(it);
        if (it->type != NULL)
            forward(it, from);
        it->mask &= ~tri__low_bits((unsigned)min_size((from - it->address) / TRI_WORD, 64));
    }
    cut(it);
}
