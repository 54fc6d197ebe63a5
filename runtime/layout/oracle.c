/* SPDX-License-Identifier: MIT */
/* The layout oracle. */
#include "layout/oracle.h"

#include "layout/gc_program.h"

static bool mask_bit(const tri_type *type, size_t word)
{
    if ((type->flags & TRI_TYPE_GC_PROGRAM) != 0)
        return tri__gc_program_bit(type->gc_data, word);
    if ((type->flags & TRI_TYPE_BYTE_MASK) != 0)
        return ((const uint8_t *)type->gc_data)[word] != 0;
    return (((const uint64_t *)type->gc_data)[word / 64] >> word % 64 & 1) != 0;
}

bool tri__layout_oracle(const tri_type *type, size_t word)
{
    size_t offset = word * TRI_WORD;

    if (type->tail != NULL && offset >= type->size) {
        offset -= type->size;
        type = type->tail;
    }
    if (type->ptr_bytes == 0)
        return false;
    offset %= type->size;
    return offset < type->ptr_bytes && mask_bit(type, offset / TRI_WORD);
}

uintptr_t tri__layout_oracle_compare(struct tri__type_pointers it, const tri_type *type,
                                     uintptr_t base, uintptr_t from, uintptr_t to)
{
    uintptr_t visited = tri__type_pointers_next(&it);

    for (uintptr_t word = from; word < to; word += TRI_WORD) {
        if (visited != 0 && visited < word)
            return visited;
        if (tri__layout_oracle(type, (word - base) / TRI_WORD) != (visited == word))
            return word;
        if (visited == word)
            visited = tri__type_pointers_next(&it);
    }
    return visited;
}
