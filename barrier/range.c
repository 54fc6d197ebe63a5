/* SPDX-License-Identifier: MIT */
/* The rules of bulk operations, and the pointer words of a range. */
#include "barrier/range.h"

#include <tricolor/inspect.h>

#include "base/fatal.h"
#include "heap/object.h"

static tri__find_root *find_root;

void tri__bulk_init(tri__find_root *function)
{
    find_root = function;
}

/* --- what is said of a range that breaks a rule ----------------------------------------------- */

static const char *name_of(const tri_type *type)
{
    return type == NULL ? "not recorded" : type->name == NULL ? "without a name" : type->name;
}

static const char *type_of(const struct tri__ref *ref)
{
    return name_of(tri_object_type((const void *)ref->base));
}

static bool is_whole(uintptr_t address_or_size)
{
    return address_or_size % TRI_WORD == 0;
}

_Noreturn static void not_whole(const struct tri__range *range, const char *what, uintptr_t base,
                                size_t bytes, const char *type)
{
    tri__fatal("%s: a range that is not made of whole words: dst %p, src %p, %zu bytes, in the %s "
               "at %p (%zu bytes, type %s), which holds pointers; move whole words from word "
               "addresses to word addresses",
               range->call, (void *)range->dst, (void *)range->src, range->bytes, what,
               (void *)base, bytes, type);
}

_Noreturn static void leaves(const struct tri__range *range, const char *whose, uintptr_t at,
                             uintptr_t base, uintptr_t limit, const char *type)
{
    tri__fatal("%s: a range that leaves its %s: %zu bytes at %p, but the %s at %p (%zu bytes, "
               "type %s) goes from there to %p; move what lies in one %s at a time",
               range->call, whose, range->bytes, (void *)at, whose, (void *)base,
               (size_t)(limit - base), type, (void *)limit, whose);
}

void tri__range_check_words(const struct tri__range *range)
{
    struct tri__root_range root;
    struct tri__ref ref;

    if (is_whole(range->dst | range->src | range->bytes))
        return;
    if (tri__resolve(range->dst, &ref) && !tri__ref_is_leaf(&ref))
        not_whole(range, "object", ref.base, tri__ref_limit(&ref) - ref.base, type_of(&ref));
    if (find_root(range->dst, range->dst + 1, &root) && tri__type_is_pointerful(root.type))
        not_whole(range, "root", root.base, root.limit - root.base, name_of(root.type));
    tri__fatal("%s: a range that is not made of whole words: dst %p, src %p, %zu bytes; give "
               "the barrier whole words at word addresses, or, for memory without pointers, "
               "leave it out",
               range->call, (void *)range->dst, (void *)range->src, range->bytes);
}

void tri__range_check_src(const struct tri__range *range)
{
    if (range->src == 0)
        tri__fatal("%s: src is NULL: %zu bytes to %p; tri_memclr clears memory", range->call,
                   range->bytes, (void *)range->dst);
}

/* What holds wherever the range lies. */
static void check_addresses(const struct tri__range *range)
{
    if (range->dst == 0)
        tri__fatal("%s: dst is NULL: %zu bytes from %p; check what the allocation returned",
                   range->call, range->bytes, (void *)range->src);
    if (range->bytes > UINTPTR_MAX - range->dst || range->bytes > UINTPTR_MAX - range->src)
        tri__fatal("%s: a range that goes past the end of memory: dst %p, src %p, %zu bytes; the "
                   "size was computed wrongly, it may be negative",
                   range->call, (void *)range->dst, (void *)range->src, range->bytes);
}

/* --- in the heap ------------------------------------------------------------------------------ */

/* The object that the bytes lie in. */
static struct tri__ref object_around(const struct tri__range *range, uintptr_t address)
{
    struct tri__ref ref;
    uintptr_t limit;

    if (!tri__resolve(address, &ref))
        tri__fatal("%s: heap memory that is no object: %zu bytes at %p; it was freed, or the "
                   "pointer is wild; keep the object reachable as long as it is used",
                   range->call, range->bytes, (void *)address);
    limit = tri__ref_limit(&ref);
    if (address > limit || range->bytes > limit - address)
        leaves(range, "object", address, ref.base, limit, type_of(&ref));
    return ref;
}

static struct tri__type_pointers heap_pointers(const struct tri__range *range)
{
    struct tri__ref ref = object_around(range, range->dst);

    if (tri__ref_is_leaf(&ref))
        return tri__type_pointers_none();
    if (!is_whole(range->dst | range->src | range->bytes))
        not_whole(range, "object", ref.base, tri__ref_limit(&ref) - ref.base, type_of(&ref));
    return tri__type_pointers_of_range(&ref, range->dst, range->bytes);
}

/* --- outside of it ---------------------------------------------------------------------------- */

/* The first byte lies outside; the last one must not lie inside. */
static void check_outside_heap(const struct tri__range *range)
{
    if (range->dst < tri__heap.base && range->bytes > tri__heap.base - range->dst)
        tri__fatal("%s: a range that begins outside of the heap and ends in it: %zu bytes at %p, "
                   "the heap at %p; the size was computed wrongly",
                   range->call, range->bytes, (void *)range->dst, (void *)tri__heap.base);
}

bool tri__range_root_at(uintptr_t address, struct tri__root_range *root)
{
    return find_root(address, address + 1, root);
}

static struct tri__type_pointers root_pointers(const struct tri__range *range)
{
    uintptr_t end = range->dst + range->bytes;
    struct tri__root_range root;
    struct tri__type_pointers it;

    check_outside_heap(range);
    if (!find_root(range->dst, end, &root))
        return tri__type_pointers_none();
    if (range->dst < root.base || end > root.limit)
        leaves(range, "root", range->dst, root.base, root.limit, name_of(root.type));
    if (!tri__type_is_pointerful(root.type))
        return tri__type_pointers_none();
    if (!is_whole(range->dst | range->src | range->bytes))
        not_whole(range, "root", root.base, root.limit - root.base, name_of(root.type));
    it = tri__type_pointers_of_type(root.type, root.base, root.limit);
    tri__type_pointers_fast_forward(&it, range->dst, end);
    return it;
}

struct tri__type_pointers tri__range_pointers(const struct tri__range *range)
{
    check_addresses(range);
    return tri__in_heap(range->dst) ? heap_pointers(range) : root_pointers(range);
}

struct tri__type_pointers tri__range_pointers_of_type(const struct tri__range *range,
                                                      const tri_type *type)
{
    check_addresses(range);
    if (!tri__type_is_pointerful(type))
        return tri__type_pointers_none();
    if (!is_whole(range->dst | range->src))
        tri__range_check_words(range);
    return tri__type_pointers_of_type(type, range->dst, range->dst + range->bytes);
}

/* --- what only debug builds look at ----------------------------------------------------------- */

void tri__range_check_all(const struct tri__range *range)
{
    tri__range_pointers(range);
    if (range->src != 0 && tri__in_heap(range->src))
        object_around(range, range->src);
}

/* dst may have pointers where the type has none: it may be conservative. */
void tri__range_check_elements(const struct tri__range *range, const tri_type *type)
{
    struct tri__type_pointers there = tri__range_pointers(range);
    struct tri__type_pointers wanted = tri__range_pointers_of_type(range, type);
    struct tri__root_range root;
    uintptr_t slot, known = 0;

    if (!tri__in_heap(range->dst) && !find_root(range->dst, range->dst + range->bytes, &root))
        return;
    while ((slot = tri__type_pointers_next(&wanted)) != 0) {
        while (known < slot && (known = tri__type_pointers_next(&there)) != 0)
            continue;
        if (known != slot)
            tri__fatal("%s: memory that is not laid out for its elements: a %s at %p has a pointer "
                       "at offset %zu of the range, where the %s has none; copy elements to "
                       "where such elements are",
                       range->call, name_of(type), (void *)range->dst, (size_t)(slot - range->dst),
                       tri__in_heap(range->dst) ? "object" : "root");
    }
}

void tri__range_check_zero(const struct tri__range *range)
{
    struct tri__type_pointers it = tri__range_pointers(range);
    uintptr_t slot;

    while ((slot = tri__type_pointers_next(&it)) != 0)
        if (tri__load_relaxed((uintptr_t *)slot) != 0)
            tri__fatal("%s: the word at %p is not zero, so its old value would be lost to a mark; "
                       "use tri_bulk_barrier_pre_write",
                       range->call, (void *)slot);
}
