/* SPDX-License-Identifier: MIT */
/* Types made at run time: a description is checked, then laid out as a mask or a copied program. */
#include "layout/type_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/entry.h"
#include "base/fatal.h"
#include "layout/bits.h"
#include "layout/gc_program.h"
#include "layout/type_pointers.h"

/* A mask that is made by the iterator is of an object at this address: 0 would end the walk. */
#define FIRST_WORD ((uintptr_t)TRI_WORD)

/* What a description comes to, before anything is allocated. */
struct plan {
    size_t ptr_words; /* no pointer lies behind so many words */
    bool eager;       /* the program is short enough for a mask at once */
};

static const tri_type *field_type(const tri_type_field *field)
{
    return field->type != NULL ? field->type : &tri_type_ptr;
}

static size_t field_stride(const tri_type_field *field)
{
    return field->stride != 0 ? field->stride : field_type(field)->size;
}

/* ---- the check ---- */

/* Fit to be part of another type. */
static bool is_usable(const tri_type *type)
{
    return (type->flags & TRI_TYPE_FLEX) == 0 && type->size != 0 &&
           tri__type_check(type) == NULL && !tri__type_is_retired(type);
}

/* Where the field's last element begins, and that it lies within `size`. */
static bool last_element(const tri_type_field *field, size_t size, size_t *begin)
{
    size_t end;

    return !__builtin_mul_overflow(field->count - 1, field_stride(field), begin) &&
           !__builtin_add_overflow(*begin, field->offset, begin) &&
           !__builtin_add_overflow(*begin, field_type(field)->size, &end) && end <= size;
}

static bool check_field(const tri_type_field *field, size_t size, struct plan *plan)
{
    const tri_type *type = field_type(field);
    size_t begin, end;

    if (field->count == 0 || !is_usable(type) || field_stride(field) < type->size ||
        !last_element(field, size, &begin))
        return false;
    if (type->ptr_bytes == 0)
        return true;
    if ((field->offset | field_stride(field) | size) % TRI_WORD != 0)
        return false;
    end = (begin + type->ptr_bytes) / TRI_WORD;
    plan->ptr_words = end > plan->ptr_words ? end : plan->ptr_words;
    return true;
}

static bool check_fields(const tri_type_desc *desc, struct plan *plan)
{
    if (desc->field_count != 0 && desc->fields == NULL)
        return false;
    for (size_t i = 0; i < desc->field_count; i++)
        if (!check_field(&desc->fields[i], desc->size, plan))
            return false;
    return true;
}

static bool check_program(const tri_type_desc *desc, struct plan *plan)
{
    struct tri__gc_extent extent;

    if (desc->program.code == NULL)
        return desc->program.bytes == 0;
    if (desc->field_count != 0 || desc->size % TRI_WORD != 0 ||
        tri__gc_program_check(&desc->program, &extent) != NULL ||
        extent.words != desc->size / TRI_WORD)
        return false;
    plan->ptr_words = extent.pointer_end;
    plan->eager = plan->ptr_words <= 64;
    return true;
}

static bool check_tail(const tri_type_desc *desc)
{
    return desc->tail == NULL ||
           (is_usable(desc->tail) &&
            (desc->tail->ptr_bytes == 0 || desc->size % TRI_WORD == 0));
}

static bool check(const tri_type_desc *desc, struct plan *plan)
{
    *plan = (struct plan){0};
    return (desc->size != 0 || desc->tail != NULL) && desc->flags == 0 && check_fields(desc, plan) &&
           check_program(desc, plan) && check_tail(desc);
}

/* ---- the mask ---- */

static void set_bits(uint64_t *mask, struct tri__type_pointers it)
{
    uintptr_t slot;

    while ((slot = tri__type_pointers_next(&it)) != 0) {
        size_t word = (slot - FIRST_WORD) / TRI_WORD;

        mask[word / 64] |= UINT64_C(1) << word % 64;
    }
}

/* Elements side by side are walked as one array. */
static void add_field(uint64_t *mask, const tri_type_field *field)
{
    const tri_type *type = field_type(field);
    bool dense = field_stride(field) == type->size;
    size_t bytes = dense ? field->count * type->size : type->size;
    uintptr_t begin = FIRST_WORD + field->offset;

    for (size_t i = 0; type->ptr_bytes != 0 && i < (dense ? 1 : field->count); i++) {
        set_bits(mask, tri__type_pointers_of_type(type, begin, begin + bytes));
        begin += field_stride(field);
    }
}

/* The masks of nested types, so that no walk fails for lack of memory. */
static bool prepare_fields(const tri_type_desc *desc)
{
    for (size_t i = 0; i < desc->field_count; i++)
        if (tri__type_prepare_shared(field_type(&desc->fields[i])) != 0)
            return false;
    return true;
}

/* A hand-written field type may end in words that only might be pointers. */
static size_t last_pointer_end(const uint64_t *mask, size_t length)
{
    while (length > 0 && mask[length - 1] == 0)
        length--;
    return length == 0 ? 0 : 64 * (length - 1) + tri__mask_length(mask[length - 1]);
}

/* ---- the block and the descriptor ---- */

static size_t words_for(size_t bytes)
{
    return bytes / sizeof(uint64_t) + (bytes % sizeof(uint64_t) != 0);
}

/* Whole lines: the state has one of its own. */
static struct tri__built *built_new(size_t data_words, const char *name)
{
    size_t name_bytes = name != NULL ? strlen(name) + 1 : 0, line = _Alignof(struct tri__built);
    size_t words = data_words + words_for(name_bytes);
    size_t bytes = sizeof(struct tri__built) + words * sizeof(uint64_t);
    struct tri__built *built = aligned_alloc(line, (bytes + line - 1) & ~(line - 1));

    if (built == NULL)
        return NULL;
    memset(built, 0, bytes);
    if (name != NULL)
        memcpy(built->words + data_words, name, name_bytes);
    return built;
}

static size_t data_words(const tri_type_desc *desc, const struct plan *plan)
{
    if (desc->program.code != NULL && !plan->eager)
        return words_for(desc->program.bytes);
    return plan->ptr_words / 64 + (plan->ptr_words % 64 != 0);
}

static void lay_out_program(struct tri__built *built, tri_type *type, const tri_type_desc *desc,
                            const struct plan *plan)
{
    type->ptr_bytes = plan->ptr_words * TRI_WORD;
    if (plan->eager) {
        tri__gc_program_unroll(&desc->program, built->words, plan->ptr_words);
        type->gc_data = built->words;
        return;
    }
    memcpy(built->words, desc->program.code, desc->program.bytes);
    built->program = (tri_gc_program){(const uint8_t *)built->words, desc->program.bytes};
    type->gc_data = &built->program;
    type->flags |= TRI_TYPE_GC_PROGRAM;
}

static void lay_out_fields(struct tri__built *built, tri_type *type, const tri_type_desc *desc,
                           const struct plan *plan)
{
    for (size_t i = 0; i < desc->field_count; i++)
        add_field(built->words, &desc->fields[i]);
    type->ptr_bytes = last_pointer_end(built->words, data_words(desc, plan)) * TRI_WORD;
    type->gc_data = built->words;
}

/* For inline allocation and spans of its own, as the macros do: the slot is what it takes there,
 * the span class what it takes among other types, with a footer then if need be. A flexible type
 * has neither. */
static void choose_slot(tri_type *type, const tri_type *self)
{
    bool leaf = type->ptr_bytes == 0;
    size_t mixed = leaf || type->size <= TRI__BITMAP_BYTES ? type->size
                                                           : type->size + TRI__FOOTER_BYTES;

    if (type->tail != NULL || type->size > TRI__SMALL_MAX)
        return;
    type->slot_size = (uint16_t)TRI__SIZE_CLASS_BYTES(TRI__SIZE_CLASS(type->size));
    if (mixed <= TRI__SMALL_MAX)
        type->span_class = (uint8_t)TRI__SPAN_CLASS(TRI__SIZE_CLASS(mixed), leaf);
    type->run_tag = leaf ? &tri_type_bytes : self;
    type->extras = (uint8_t)(leaf ? 0 : TRI__HAS_STATE);
}

static tri_type describe(struct tri__built *built, const tri_type_desc *desc,
                         const struct plan *plan)
{
    tri_type type = {.size = desc->size, .flags = TRI_TYPE_BUILT, .cache = &built->state.mask};

    if (desc->program.code != NULL)
        lay_out_program(built, &type, desc, plan);
    else if (desc->field_count != 0)
        lay_out_fields(built, &type, desc, plan);
    if (desc->name != NULL)
        type.name = (const char *)(built->words + data_words(desc, plan));
    if (desc->tail != NULL) {
        type.tail = desc->tail;
        type.flags |= TRI_TYPE_FLEX;
    } else if (type.ptr_bytes == 0) {
        type.flags |= TRI_TYPE_LEAF;
    }
    choose_slot(&type, built->type);
    return type;
}

static void hold_tail(struct tri__built *built, const tri_type *tail)
{
    if (tail == NULL || (tail->flags & TRI_TYPE_BUILT) == 0)
        return;
    built->tail = tri__built_of(tail);
    tri__fetch_add_relaxed(&built->tail->holders, 1);
}

int tri_type_build(tri_type *out, const tri_type_desc *desc)
{
    TRI__IN_RUNTIME;
    struct plan plan;
    struct tri__built *built;

    if (!check(desc, &plan))
        return -EINVAL;
    built = prepare_fields(desc) ? built_new(data_words(desc, &plan), desc->name) : NULL;
    if (built == NULL)
        return -ENOMEM;
    built->type = out;
    hold_tail(built, desc->tail);
    *out = describe(built, desc, &plan);
    TRI__ASSERT(tri__type_check(out) == NULL);
    return 0;
}

void tri__built_free(struct tri__built *built)
{
    tri_type *type = built->type;

    TRI__ASSERT(tri__load_relaxed(&built->state.spans) == 0); /* [inv.type.retire] */
    TRI__ASSERT(tri__load_relaxed(&built->state.run_offset) == 0);
    if (built->tail != NULL)
        tri__fetch_sub_relaxed(&built->tail->holders, 1);
    free(built->state.mask);
    free(built);
    type->extras = 0; /* who allocates with it all the same gets to tri__type_check_use() */
    tri__store_release(&type->cache, (void **)NULL); /* rel -> acq in tri_type_retired() */
}
