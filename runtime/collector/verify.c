/* SPDX-License-Identifier: MIT */
/* Finding missing barriers.
 *
 * At the verdict everything that is reachable is marked, and what is born later is black. So until
 * H4 no thread can get hold of a white object any more, and no word of a marked object, of a root,
 * of a handle or of an arena holds the address of one: at no moment, whatever the program stores
 * meanwhile, if it has told the collector of its stores. That is looked for while the program runs
 * on [inv.verify.barrier]. A word that breaks this was stored plainly, or copied, or has been
 * handed over where the collector does not look; the object would be lost in this cycle. Words on
 * stacks prove nothing: compilers leave old ones there. Threads: the coordinator. */
#include "collector/verify.h"

#include <stdio.h>

#include "base/fatal.h"
#include "base/os.h"
#include "collector/verify_layout.h"
#include "collector/words.h"
#include "heap/type_notes.h"
#include "layout/member_name.h"

#define REPORTS_MOST 20u /* in all; more would hide the first */
#define PATH_MOST 8u     /* steps of a path that are printed */
#define TEXT 160u
#define MEMBER 80u

static enum tri__verify_barrier mode;
static unsigned reports;

int tri__verify_init(const struct tri__options *options)
{
    mode = options->barrier;
    reports = 0;
    tri__verify_layout_init(options->layout);
    return mode == TRI__VERIFY_OFF && !options->layout ? 0 : tri__type_notes_init();
}

void tri__verify_release(void)
{
    tri__type_notes_release();
}

bool tri__verify_is_on(void)
{
    return mode != TRI__VERIFY_OFF;
}

static bool is_white(uintptr_t value, struct tri__ref *ref)
{
    return tri__locate(value, ref) && ref->span_class != TRI__ARENA_SPAN &&
           tri__load_acquire(ref->colour) == TRI__WHITE;
}

/* ---- the path to an owner ---- */

/* Breadth first, so that the path is short. `from` has, for each unit of the heap, the slot through
 * which the object there was found first; `queue` the objects found. */
struct search {
    uintptr_t *from, *queue;
    size_t units, head, tail;
};

static size_t unit_of(uintptr_t base)
{
    return (base - tri__heap.base) / TRI__NOTE_UNIT;
}

static void find_object(const struct tri__holder *holder, uintptr_t slot, uintptr_t value,
                        void *argument)
{
    struct search *search = argument;
    struct tri__ref ref;

    (void)holder;
    if (!tri__locate(value, &ref) || ref.span_class == TRI__ARENA_SPAN ||
        tri__load_acquire(ref.colour) != TRI__BLACK)
        return;
    if (unit_of(ref.base) >= search->units || search->from[unit_of(ref.base)] != 0)
        return;
    search->from[unit_of(ref.base)] = slot;
    search->queue[search->tail++] = ref.base;
}

static bool begin_search(struct search *search)
{
    size_t bytes;

    *search = (struct search){
        .units = (tri__page_heap_committed(&tri__heap.pages) << TRI__PAGE_SHIFT) / TRI__NOTE_UNIT};
    bytes = search->units * sizeof *search->from;
    search->from = tri__os_map(bytes);
    search->queue = search->from == NULL ? NULL : tri__os_map(bytes);
    return search->queue != NULL;
}

static void end_search(struct search *search)
{
    size_t bytes = search->units * sizeof *search->from;

    if (search->queue != NULL)
        tri__os_unmap(search->queue, bytes);
    if (search->from != NULL)
        tri__os_unmap(search->from, bytes);
}

static void search_until(struct search *search, uintptr_t wanted)
{
    tri__root_words_each(find_object, search);
    while (search->head < search->tail && search->from[unit_of(wanted)] == 0) {
        struct tri__ref ref;

        if (tri__resolve(search->queue[search->head++], &ref))
            tri__object_words_each(&ref, find_object, search);
    }
}

/* ---- messages ---- */

static void describe(char *text, const struct tri__ref *ref)
{
    const tri_type *type = tri__noted_type(ref);

    snprintf(text, TEXT, "%s%s%s at %#zx (%zu bytes)", type == NULL ? "" : "\"",
             type == NULL         ? "an object without pointers"
             : type->name != NULL ? type->name
                                  : "a type without a name",
             type == NULL ? "" : "\"", (size_t)ref->base, tri__ref_limit(ref) - ref->base);
}

/* With a space behind it; or nothing, if its name is not known. */
static void describe_member(char *text, const struct tri__ref *ref, uintptr_t slot)
{
    const tri_type *type = tri__noted_type(ref);
    char name[MEMBER - 4];

    if (type != NULL && tri__member_name(type, slot - ref->base, name, sizeof name))
        snprintf(text, MEMBER, "\"%s\" ", name);
    else
        *text = '\0';
}

static void describe_slot(char *text, const struct tri__holder *holder, uintptr_t slot)
{
    static const char *const names[] = {[TRI__HOLDER_ROOT] = "the root",
                                        [TRI__HOLDER_HANDLE] = "the handle",
                                        [TRI__HOLDER_ARENA] = "the word of an arena"};
    char owner[TEXT], member[MEMBER];

    if (holder->kind != TRI__HOLDER_OBJECT) {
        snprintf(text, 2 * TEXT, "%s at %#zx", names[holder->kind], (size_t)slot);
        return;
    }
    describe(owner, &holder->ref);
    describe_member(member, &holder->ref, slot);
    snprintf(text, 2 * TEXT, "the pointer %sat offset %zu of %s", member,
             (size_t)(slot - holder->ref.base), owner);
}

/* From the object towards a root. false: there is nothing further. */
static bool print_step(const struct search *search, uintptr_t *base)
{
    uintptr_t slot = search->from[unit_of(*base)];
    struct tri__ref ref;
    char text[TEXT], member[MEMBER];

    if (slot == 0) {
        tri__warn("  which only a stack holds, or nothing any more");
        return false;
    }
    if (!tri__resolve(slot, &ref) || ref.span_class == TRI__ARENA_SPAN) {
        tri__warn("  which a root, handle or arena holds, at %#zx", (size_t)slot);
        return false;
    }
    describe(text, &ref);
    describe_member(member, &ref, slot);
    tri__warn("  which is %sat offset %zu of %s", member, (size_t)(slot - ref.base), text);
    *base = ref.base;
    return true;
}

static void print_path(uintptr_t owner)
{
    struct search search;

    if (begin_search(&search)) {
        search_until(&search, owner);
        for (unsigned step = 0; step < PATH_MOST && print_step(&search, &owner); step++)
            continue;
    }
    end_search(&search);
}

static void print_finding(const struct tri__holder *holder, uintptr_t slot, uintptr_t value,
                          const struct tri__ref *lost)
{
    char where[2 * TEXT], what[TEXT];

    describe_slot(where, holder, slot);
    describe(what, lost);
    tri__warn("a barrier is missing: %s holds %#zx, in %s, which the mark has not reached", where,
              (size_t)value, what);
    if (holder->kind == TRI__HOLDER_OBJECT)
        print_path(holder->ref.base);
}

/* ---- the check ---- */

struct check {
    struct tri__marker *marker;
    size_t found;
};

static void check_word(const struct tri__holder *holder, uintptr_t slot, uintptr_t value,
                       void *argument)
{
    struct check *check = argument;
    struct tri__ref lost;

    if (TRI__LIKELY(!is_white(value, &lost)))
        return;
    check->found++;
    if (reports++ < REPORTS_MOST)
        print_finding(holder, slot, value, &lost);
    if (mode == TRI__VERIFY_ABORT)
        tri__fatal("a pointer was stored without the collector being told: by a plain store, by "
                   "memcpy, or through memory that is no root. Use tri_store, tri_memmove, and "
                   "handles for what malloc'd memory holds; docs/verify.md has examples");
    tri__marker_take(value, check->marker);
}

size_t tri__verify_barriers(struct tri__marker *marker)
{
    struct check check = {marker, 0};

    tri__root_words_each(check_word, &check);
    tri__marked_words_each(check_word, &check);
    return check.found;
}
