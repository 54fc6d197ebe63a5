/* SPDX-License-Identifier: MIT */
/* Searching from the roots. Breadth first, so that paths are short. */
#include "collector/verify_path.h"

#include "base/fatal.h"
#include "base/os.h"
#include "heap/type_notes.h"

#define PATH_MOST 8u /* steps of a path that are printed */

/* `from` has, for each unit of the heap, the slot through which the object there was found first;
 * `queue` the objects found. */
struct tri__search {
    uintptr_t *from, *queue;
    size_t units, head, tail;
    bool (*is_wanted)(uintptr_t base); /* NULL: `wanted` is */
    uintptr_t wanted;                  /* 0 until it is known */
    bool found;
};

static size_t unit_of(uintptr_t base)
{
    return (base - tri__heap.base) / TRI__NOTE_UNIT;
}

static bool is_wanted(const struct tri__search *search, uintptr_t base)
{
    return search->is_wanted != NULL ? search->is_wanted(base) : base == search->wanted;
}

static void find_object(const struct tri__holder *holder, uintptr_t slot, uintptr_t value,
                        void *argument)
{
    struct tri__search *search = argument;
    struct tri__ref ref;

    (void)holder;
    if (search->found || !tri__locate(value, &ref) || ref.span_class == TRI__ARENA_SPAN ||
        !tri__is_black(ref.colour))
        return;
    if (unit_of(ref.base) >= search->units || search->from[unit_of(ref.base)] != 0)
        return;
    search->from[unit_of(ref.base)] = slot;
    search->found = is_wanted(search, ref.base);
    if (search->found)
        search->wanted = ref.base;
    else
        search->queue[search->tail++] = ref.base;
}

static bool begin_search(struct tri__search *search)
{
    size_t bytes;

    search->units =
        (tri__page_heap_committed(&tri__heap.pages) << TRI__PAGE_SHIFT) / TRI__NOTE_UNIT;
    bytes = search->units * sizeof *search->from;
    search->from = tri__os_map(bytes);
    search->queue = search->from == NULL ? NULL : tri__os_map(bytes);
    return search->queue != NULL;
}

static void end_search(struct tri__search *search)
{
    size_t bytes = search->units * sizeof *search->from;

    if (search->queue != NULL)
        tri__os_unmap(search->queue, bytes);
    if (search->from != NULL)
        tri__os_unmap(search->from, bytes);
}

bool tri__holds_anything(const struct tri__ref *ref)
{
    const tri_type *type = tri__noted_type(ref);

    return type == NULL || (type->flags & TRI_TYPE_CONSERVATIVE) != 0;
}

/* What nobody has meant as a pointer keeps an object alive, but is no breach of a promise: who
 * looks for those is not led on by it [inv.verify.given-up]. */
static bool leads_on(const struct tri__search *search, const struct tri__ref *ref)
{
    return search->is_wanted == NULL || !tri__holds_anything(ref);
}

static void run_search(struct tri__search *search)
{
    tri__root_words_each(find_object, search);
    while (search->head < search->tail && !search->found) {
        struct tri__ref ref;

        if (tri__resolve(search->queue[search->head++], &ref) && leads_on(search, &ref))
            tri__object_words_each(&ref, find_object, search);
    }
}

/* ---- messages ---- */

/* From the object towards a root. false: there is nothing further. */
static bool print_step(const struct tri__search *search, uintptr_t *base)
{
    uintptr_t slot = search->from[unit_of(*base)];
    struct tri__ref ref;
    char text[2 * TRI__DESCRIPTION];

    if (slot == 0) {
        tri__warn("  which only a stack holds, or nothing any more");
        return false;
    }
    tri__describe_step(text, slot);
    tri__warn("  which is %s", text);
    if (!tri__resolve(slot, &ref) || ref.span_class == TRI__ARENA_SPAN)
        return false;
    *base = ref.base;
    return true;
}

void tri__search_print(const struct tri__search *search, uintptr_t base)
{
    for (unsigned step = 0; step < PATH_MOST && print_step(search, &base); step++)
        continue;
}

void tri__print_path(uintptr_t base)
{
    struct tri__search search = {.wanted = base};

    if (begin_search(&search)) {
        run_search(&search);
        tri__search_print(&search, base);
    }
    end_search(&search);
}

bool tri__search_reachable(bool (*wanted)(uintptr_t base),
                           void (*report)(const struct tri__search *search, uintptr_t base))
{
    struct tri__search search = {.is_wanted = wanted};

    if (begin_search(&search)) {
        run_search(&search);
        if (search.found)
            report(&search, search.wanted);
    }
    end_search(&search);
    return search.found;
}
