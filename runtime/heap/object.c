/* SPDX-License-Identifier: MIT */
/* The public questions about one object, and its pointer words with every bound checked. Threads:
 * any; no locks; the caller keeps the object alive. */
#include "heap/object.h"

#include <tricolor/inspect.h>

#include "base/entry.h"
#include "base/fatal.h"

struct tri__type_pointers tri__type_pointers_of(uintptr_t from, size_t bytes)
{
    struct tri__ref ref;

    TRI__ASSERT(tri__resolve(from, &ref));
    TRI__ASSERT(from <= tri__ref_limit(&ref)); /* not in the footer [inv.layout.footer] */
    TRI__ASSERT(bytes <= tri__ref_limit(&ref) - from);
    return tri__type_pointers_of_range(&ref, from, bytes);
}

void *tri_object_base(const void *p)
{
    TRI__IN_RUNTIME;
    struct tri__ref ref;

    return tri__resolve((uintptr_t)p, &ref) ? (void *)ref.base : NULL;
}

size_t tri_object_size(const void *p)
{
    TRI__IN_RUNTIME;
    struct tri__ref ref;

    return tri__resolve((uintptr_t)p, &ref) ? tri__ref_limit(&ref) - ref.base : 0;
}

const tri_type *tri_object_type(const void *p)
{
    TRI__IN_RUNTIME;
    struct tri__ref ref;

    if (!tri__resolve((uintptr_t)p, &ref) ||
        tri__class_info[ref.span_class].kind == TRI__KIND_BITMAP)
        return NULL;
    if (ref.span_class == TRI__ARENA_SPAN)
        return tri__ref_type(&ref);
    return tri__ref_is_leaf(&ref) ? &tri_type_bytes : tri__ref_type(&ref);
}
