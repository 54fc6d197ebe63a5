/* SPDX-License-Identifier: MIT */
/* The types of small objects and of leaf ones, for messages: a bitmap says where their pointers are,
 * and nothing keeps what they were. With verification on it is noted here, by address, when a layout
 * is written, and when a leaf object is allocated, for which no run carries a tag then. Threads: who
 * allocates notes; anybody looks. */
#ifndef TRI__HEAP_TYPE_NOTES_H
#define TRI__HEAP_TYPE_NOTES_H

#include "heap/object.h"

/* No two objects are nearer to each other, but for small leaf ones, of which none is noted. */
#define TRI__NOTE_UNIT TRI_WORD

extern const tri_type **tri__type_notes; /* NULL: nothing is noted; atomic entries */

/* 0 or -ENOMEM. Before the first allocation; given back by tri__type_notes_release(). */
int tri__type_notes_init(void);
void tri__type_notes_release(void);

/* Then no type may end before the heap does: objects of retired types are looked up here. */
static inline bool tri__types_are_noted(void)
{
    return tri__type_notes != NULL;
}

/* A note that says so already is only read: its page may be one of zeros that nobody has written. */
static inline void tri__type_note(uintptr_t base, const tri_type *type)
{
    const tri_type **note;

    if (TRI__LIKELY(tri__type_notes == NULL))
        return;
    note = &tri__type_notes[(base - tri__heap.base) / TRI__NOTE_UNIT];
    if (tri__load_relaxed(note) != type)
        tri__store_relaxed(note, type);
}

/* Of any object; NULL: bytes, or not known. */
const tri_type *tri__noted_type(const struct tri__ref *ref);

#endif
