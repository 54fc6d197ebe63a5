/* SPDX-License-Identifier: MIT */
/* Notes of types. Locks: none. */
#include "heap/type_notes.h"

#include <errno.h>

#include "base/os.h"

const tri_type **tri__type_notes;

static size_t notes_bytes(void)
{
    return tri__heap.bytes / TRI__NOTE_UNIT * sizeof *tri__type_notes;
}

int tri__type_notes_init(void)
{
    tri__type_notes = tri__os_map(notes_bytes());
    return tri__type_notes == NULL ? -ENOMEM : 0;
}

void tri__type_notes_release(void)
{
    if (tri__type_notes != NULL)
        tri__os_unmap((void *)tri__type_notes, notes_bytes());
    tri__type_notes = NULL;
}

const tri_type *tri__noted_type(const struct tri__ref *ref)
{
    if (!tri__ref_is_leaf(ref) && tri__class_info[ref->span_class].kind != TRI__KIND_BITMAP)
        return tri__ref_type(ref);
    if (ref->span_class == TRI__ARENA_SPAN || tri__type_notes == NULL)
        return NULL;
    return tri__load_relaxed(&tri__type_notes[(ref->base - tri__heap.base) / TRI__NOTE_UNIT]);
}
