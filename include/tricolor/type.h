/* SPDX-License-Identifier: MIT */
/* tricolor/type.h: types, which tell the collector which words of an object are pointers.
 *
 * A type is a constant descriptor, made once at file scope beside the struct it describes and
 * named after it:
 *
 *     typedef struct node { struct node *left, *right; long key; } node;
 *     TRI_TYPE(node, left, right);               // defines tri_type_node, for tri_new(node)
 *
 * What a list of members must say:
 *   - Every word that may hold the only pointer to a heap object is named. A word left out is
 *     never read: what only it points to will be freed while in use.
 *   - A member is a pointer, an array of pointers, or a designator of one: left, in.left,
 *     slot[2].p.
 *   - A named word may hold NULL, a pointer to or into a heap object, tagged or not, or a
 *     pointer to other memory. So naming a word too many costs time, not safety.
 * Mistakes the compiler can see are errors at compile time that name the type and the member.
 *
 * The macros work in C11 and C++17 (the compiler's GNU extensions are used), at file scope,
 * once per type and program. */
#ifndef TRICOLOR_TYPE_H
#define TRICOLOR_TYPE_H

#include <tricolor/base.h>
#include <tricolor/each.h>
#include <tricolor/size_class.h>

TRI_BEGIN_DECLS

/* Flags of a type.
 * LEAF: no pointers; ptr_bytes is 0 and gc_data is not read.
 * FLEX: the object ends in a flexible array whose elements are `tail`; the other fields are
 * about the part before it.
 * BYTE_MASK: gc_data has one byte a word, 0 or 1, instead of one bit. The runtime turns it into
 * bits once and keeps them in *cache.
 * CONSERVATIVE: the layout is not known, so every word is named; for tools that tell such
 * objects from exact ones.
 * GC_PROGRAM: gc_data is a tri_gc_program (gc_program.h). The runtime turns it into bits, once,
 * before the first object is allocated, and keeps them in *cache. If ptr_bytes is above 1 MiB it
 * makes bits for each object instead, which go with the object; in *cache it keeps those of such a
 * type only once it was that of a root, of an arena's value or of a field (type_build.h).
 * BUILT: made by tri_type_build(); no other type has this flag. */
#define TRI_TYPE_LEAF 1u
#define TRI_TYPE_FLEX 2u
#define TRI_TYPE_BYTE_MASK 4u
#define TRI_TYPE_CONSERVATIVE 8u
#define TRI_TYPE_GC_PROGRAM 16u
#define TRI_TYPE_BUILT 32u

/* The layout of one element: allocation tiles an array with it. A program may write a
 * descriptor by hand; it may leave slot_size, span_class and run_tag 0 (allocation is then a
 * call), and whatever its flags do not ask for. A descriptor never changes and lives as long as
 * the heap, but for those of type_build.h. The collector sees to that where it is part of a shared
 * object: one of whose types there has been an object, a value of an arena or a root stays loaded
 * until the process ends, whatever dlclose() is told (docs/threads.md). So the first object of such
 * a type asks the loader: it waits while another thread is in dlopen() or dlclose(), and what
 * dlerror() had to say is lost. Who may hold a lock that a constructor of a shared object wants
 * makes one object of the type before, best in a constructor of the type's own shared object. Its
 * size and the order of its fields belong to the library's ABI. */
typedef struct tri_type {
    /* Bytes of one element, of the fixed part if FLEX; a multiple of the word unless leaf. */
    size_t size;
    /* No pointer lies at or past this offset; a multiple of the word. 0: no pointers. */
    size_t ptr_bytes;
    /* Bit k, counted from the low bit of the first word: word k is a pointer. Aligned to 8 bytes
     * and readable in whole words. */
    const void *gc_data;
    /* For messages and tools, or NULL. */
    const char *name;
    /* TRI_TYPE_LEAF and so on. */
    uint32_t flags;
    /* Bytes of the slot that one element gets inline; 0: a large object, or for the slow path to
     * find. */
    uint16_t slot_size;
    /* Which of a thread's runs has slots for it while it has none of its own; 0: none has. */
    uint8_t span_class;
    /* TRI__HAS_STATE: cache points to a struct tri__type_state, so the type may get spans of its
     * own. TRI__HAS_NAMES: name is that of a struct tri__type_names. A program that writes a
     * descriptor leaves it 0, also one that copies another one and changes its name. */
    uint8_t extras;
    /* What the run's tag must be for inline allocation: the type itself, or &tri_type_bytes if it
     * is a leaf type. NULL: the slow path decides. */
    const void *run_tag;
    /* FLEX: the element that fills the object from offset `size` on; not FLEX itself. Else NULL. */
    const struct tri_type *tail;
    /* BYTE_MASK, GC_PROGRAM: a word that starts as NULL, for the runtime's use; HAS_STATE: the
     * state's first. BUILT: the runtime's.
     * Else NULL. */
    void **cache;
} tri_type;

/* One pointer, one leaf byte, one word of which nothing is known: what tri_new_ptrs,
 * tri_alloc_bytes and tri_alloc_conservative allocate arrays of. */
extern TRI_API const tri_type tri_type_ptr;
extern TRI_API const tri_type tri_type_bytes;
extern TRI_API const tri_type tri_type_conservative;

TRI_END_DECLS

/* TRI_TYPE(T, member, ...): defines tri_type_T for the typedef name T, with 1 to 64 members. */
#define TRI_TYPE(T, ...)                                                                           \
    TRI__STATIC_ASSERT(sizeof(#__VA_ARGS__) > 1,                                                   \
                       "TRI_TYPE(" #T "): no members; a type without pointers is TRI_LEAF_TYPE");  \
    TRI__DEFINE_SLOT(T, 0);                                                                        \
    TRI__DEFINE_MASK(T, ~, __VA_ARGS__);                                                           \
    TRI__DEFINE_NAMES(T, NULL, ~, __VA_ARGS__);                                                    \
    TRI__DEFINE_TYPE(T, TRI__PTR_BYTES(T), TRI__GC_DATA(T), tri__names_##T.text, TRI__GC_FLAGS(T), \
                     TRI__SLOT_SIZE(T), TRI__SPAN_CLASS_OF(T, 0),                                  \
                     TRI__HAS_NAMES | (TRI__IS_SMALL(T) ? TRI__HAS_STATE : 0), TRI__RUN_TAG(T),    \
                     NULL, &tri__state_##T.mask)

/* TRI_LEAF_TYPE(T): defines tri_type_T for a T that has no pointers to the heap. */
#define TRI_LEAF_TYPE(T)                                                                           \
    TRI__ASSERT_ALIGNMENT(T);                                                                      \
    TRI__DEFINE_SLOT(T, 1);                                                                        \
    TRI__DEFINE_TYPE(T, 0, NULL, #T, TRI_TYPE_LEAF, TRI__SLOT_SIZE(T), TRI__SPAN_CLASS_OF(T, 1),   \
                     0, &tri_type_bytes, NULL, NULL)

/* TRI_FLEX_TYPE(T, items, member, ...): T ends in `items`, a flexible array of pointers, for
 * tri_new_flex(T, n). The members, which there may be none of, are those before it. */
#define TRI_FLEX_TYPE(T, ...)                                                                      \
    TRI__ASSERT_POINTER_TAIL(T, __VA_ARGS__, ~);                                                   \
    TRI__DEFINE_FLEX(T, &tri_type_ptr, TRI__FIRST_NAME(__VA_ARGS__, ~), __VA_ARGS__)

/* TRI_FLEX_TYPE_OF(T, items, E, member, ...): the same for a flexible array of E, which has a
 * type of its own, leaf or not, but not flexible. */
#define TRI_FLEX_TYPE_OF(T, items, ...)                                                            \
    TRI__ASSERT_TYPED_TAIL(T, items, __VA_ARGS__, ~);                                              \
    TRI__DEFINE_FLEX(T, TRI__FIRST_TYPE(__VA_ARGS__, ~), #items, __VA_ARGS__)

/* TRI_EXTERN_TYPE(T): declares in a header what one file defines with one of the macros above. */
#ifdef __cplusplus
#define TRI_EXTERN_TYPE(T) extern "C" TRI_API const tri_type tri_type_##T
#else
#define TRI_EXTERN_TYPE(T) extern TRI_API const tri_type tri_type_##T
#endif

#include <tricolor/type_make.h>

#endif
