/* SPDX-License-Identifier: MIT */
/* tricolor/type_build.h: types that are made, and given up, while the program runs. For language
 * implementations, whose layouts no C declaration knows:
 *
 *     static const tri_type_field fields[] = {
 *         {.offset = 0, .count = 2},                       // two pointers
 *         {.offset = 24, .count = 4, .type = &tri_type_slot}, // four structs
 *     };
 *     tri_type *type = malloc(sizeof *type);
 *     int error = tri_type_build(type, &(tri_type_desc){.name = "frame", .size = 152,
 *                                                       .fields = fields, .field_count = 2});
 *
 * A type built this way is as good as one made by a macro. (Allocation reads *type: at an address
 * that is a multiple of 64 it is one cache line, as those of the macros are.) */
#ifndef TRICOLOR_TYPE_BUILD_H
#define TRICOLOR_TYPE_BUILD_H

#include <tricolor/gc_program.h>
#include <tricolor/type.h>

TRI_BEGIN_DECLS

/* Some elements of one type inside another one. */
typedef struct tri_type_field {
    /* Of the first element, in bytes. A multiple of the word if it has pointers. */
    size_t offset;
    /* How many; at least 1. */
    size_t count;
    /* Bytes from one element to the next, at least their size; 0: their size. A multiple of the
     * word if they have pointers. */
    size_t stride;
    /* Of an element: any type that is not flexible. NULL: a pointer. Its layout is copied: it may
     * be retired, or a variable that ends, before the new type is. */
    const tri_type *type;
} tri_type_field;

/* What words no field has are scalars. Fields may overlap, as members of a union do: a word is a
 * pointer if one of them says so. Instead of fields there may be a program; with neither, the type
 * has no pointers but those of its tail. */
typedef struct tri_type_desc {
    /* For messages and tools, or NULL; copied. */
    const char *name;
    /* Bytes of one element; of the fixed part, which may be 0, if there is a tail. A multiple of
     * the word if there are pointers in it or in the tail. */
    size_t size;
    const tri_type_field *fields;
    size_t field_count;
    /* {NULL, 0}: none. Copied. */
    tri_gc_program program;
    /* Of the elements that fill the object from offset `size` on (tri_alloc_flex); not flexible
     * itself. NULL: the type is not flexible. Not copied: it must live as long as the new type. */
    const tri_type *tail;
    /* 0. */
    uint32_t flags;
} tri_type_desc;

/* Makes *out the type that `desc` describes. *out belongs to the caller and stays where it is and
 * as it is until the type has been retired; all else that the type needs belongs to the library.
 * The description is not needed any more.
 * 0; -EINVAL if the description breaks one of the rules above or one of gc_program.h, or uses a
 * type that does or that was retired; -ENOMEM. On an error *out is left alone.
 * Any thread, before tri_init too; no safepoint. Time and memory: a bit for each word of a field
 * list's type up to its last pointer; the length of a program, whatever its counts. */
TRI_API int tri_type_build(tri_type *out, const tri_type_desc *desc);

/* The type is not used any more: the memory behind it is to be given back when no object, root, or
 * other type that is still there refers to it. From the call on, nothing may be allocated with it,
 * no root registered, no type built on it; debug builds tell who does. Objects that exist may
 * be used on, and are collected as any others.
 * Nothing waits here: each cycle looks whether it has met the type. *type belongs to the library
 * until tri_type_retired() says that it is over. That takes a whole cycle in which nothing refers
 * to it, and the beginning of the next one. Objects of a type that was allocated often may lie in
 * memory set aside for it, which refers to it as long as one of them is there.
 * 0; -EINVAL if it is no type that tri_type_build() has made; -EALREADY if it is retired already.
 * Any thread; no safepoint. */
TRI_API int tri_type_retire(tri_type *type);

/* Is it over with a retired type? Once this is true, *type is the caller's again, to be freed or
 * built anew. tri_shutdown() ends all retired types. Any thread; no safepoint. */
TRI_API bool tri_type_retired(const tri_type *type);

TRI_END_DECLS
#endif
