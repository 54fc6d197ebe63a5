/* SPDX-License-Identifier: MIT */
/* tri_free: a promise that an object is not used again. Nothing is freed by it: the collector finds
 * out for itself. With verification on the promise is kept in mind (heap/graves.h). */
#include <tricolor/alloc.h>

#include "base/entry.h"
#include "base/fatal.h"
#include "heap/graves.h"
#include "heap/watch.h"

_Noreturn static void complain_of_address(uintptr_t address)
{
    uintptr_t base;

    if (tri__graves_are_kept() && tri__grave_at(address, &base))
        tri__fatal("tri_free() of %#zx, in an object that was freed already: what was \"%s\" at "
                   "%#zx. It was given up twice, or nothing led to it at the end of a mark; "
                   "docs/verify-clobber.md",
                   (size_t)address, tri__grave_name(base), (size_t)base);
    tri__fatal("tri_free() of %#zx, where there is no object of the heap: it was freed already, or "
               "is another allocator's",
               (size_t)address);
}

/* Small leaf objects share such slots (heap/alloc.c, alloc_tiny), and nothing tells those from a
 * slot of a single object. */
static bool is_shared(const struct tri__ref *ref)
{
    return tri__ref_is_leaf(ref) && tri__ref_bytes(ref) == 2 * TRI_WORD;
}

/* false: nothing is known of it alone. */
static bool find(uintptr_t address, struct tri__ref *ref)
{
    if (!tri__locate(address, ref))
        complain_of_address(address);
    if (ref->span_class == TRI__ARENA_SPAN)
        tri__fatal("tri_free() of %#zx, which lies in an arena: its values go with the arena, by "
                   "tri_arena_free()",
                   (size_t)address);
    if (!tri__is_allocated(ref))
        complain_of_address(address);
    if (is_shared(ref))
        return false;
    if (address == ref->base)
        return true;
    tri__fatal("tri_free() of %#zx, which is %zu bytes behind the beginning of its object, at %#zx",
               (size_t)address, (size_t)(address - ref->base), (size_t)ref->base);
}

void tri_free(void *p)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    struct tri__ref ref;

    if (p == NULL || !find((uintptr_t)p, &ref))
        return;
    if (tri__graves_are_kept() && !tri__grave_give_up(&ref))
        tri__fatal("tri_free() of \"%s\" at %p a second time; give an object up once, where its "
                   "last user is done with it; docs/verify-clobber.md",
                   tri__grave_name(ref.base), p);
}
