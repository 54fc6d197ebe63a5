/* SPDX-License-Identifier: MIT */
/* Guessing. Locks: none. */
#include "collector/verify_rule.h"

#include "base/fatal.h"
#include "heap/type_notes.h"
#include "heap/watch.h"
#include "mutator/roots.h"
#include "mutator/stack.h"

#define UNTOLD "a pointer was stored without the collector being told, probably by "

#define PLAIN UNTOLD "a plain store (=). Use tri_store; docs/verify.md has examples"

#define PLAIN_OR_COPY                                                                              \
    UNTOLD "a plain store (=), or with the struct around it by memcpy or =. Use tri_store, or "    \
           "tri_memcpy; docs/verify.md and docs/verify-barrier.md have examples"

#define COPY                                                                                       \
    "pointers side by side were stored without the collector being told, probably by memcpy, "     \
    "memmove or the assignment of a struct. Use tri_memcpy or tri_memmove; "                       \
    "docs/verify-barrier.md has examples"

#define HAND_OFF                                                                                   \
    "the collector was told of this store, but nothing led to the object before: probably it was " \
    "handed over in malloc'd memory that is no root. Use a handle or tri_root_add for what such "  \
    "memory holds; docs/verify-clobber.md has examples"

/* ---- what lies around the word ---- */

/* The pointer words before and behind it; 0: there is none. */
struct neighbours {
    uintptr_t before, behind;
    size_t element; /* bytes after which the layout begins again; 0: not known */
};

static void find_neighbours(struct neighbours *found, struct tri__type_pointers it, uintptr_t slot)
{
    uintptr_t at;

    while ((at = tri__type_pointers_next(&it)) != 0 && at < slot)
        found->before = at;
    if (at == slot)
        found->behind = tri__type_pointers_next(&it);
}

/* Of a flexible object: its fixed part, or an element of its tail. */
static const tri_type *part_at(const tri_type *type, size_t offset)
{
    return type != NULL && type->tail != NULL && offset >= type->size ? type->tail : type;
}

/* TRI_ROOT variables have nothing to do with each other; and an arena may be freed at any moment,
 * while roots stay as long as they are walked over. */
static struct neighbours neighbours_of(const struct tri__finding *finding)
{
    const struct tri__holder *holder = finding->holder;
    struct neighbours found = {0, 0, 0};
    struct tri__root_range root;
    const tri_type *type = NULL;

    if (holder->kind == TRI__HOLDER_OBJECT) {
        type = part_at(tri__noted_type(&holder->ref), finding->slot - holder->ref.base);
        find_neighbours(&found, tri__type_pointers_of_ref(&holder->ref), finding->slot);
    } else if (holder->kind == TRI__HOLDER_ROOT &&
               tri__root_find(finding->slot, finding->slot + 1, &root) && !root.module) {
        type = root.type;
        find_neighbours(&found, tri__type_pointers_of_type(type, root.base, root.limit),
                        finding->slot);
    }
    found.element = type != NULL ? type->size : 0;
    return found;
}

static bool leads_to_white(uintptr_t slot)
{
    struct tri__ref ref;

    return slot != 0 && tri__is_white(tri__stack_word(slot), &ref);
}

/* Would a copy of the element have brought this pointer alone, and something else? */
static bool is_alone(const struct neighbours *around, uintptr_t slot)
{
    return around->element > TRI_WORD &&
           (around->before == 0 || slot - around->before >= around->element) &&
           (around->behind == 0 || around->behind - slot >= around->element);
}

/* ---- what was told of ---- */

static bool is_of_word(const struct tri__told *told, uintptr_t slot)
{
    return told->slot == slot && told->bytes == TRI_WORD;
}

static bool is_in_this_mark(const struct tri__told *told)
{
    return told->mark == tri__told_mark() && !tri__barrier_is_at_rest(told->barrier);
}

/* What such a store has shaded is marked before the verdict; or it came after, and then nobody
 * should have had the address [inv.verify.barrier]. */
static bool was_told(const struct tri__told *told, const struct tri__finding *finding)
{
    return is_of_word(told, finding->slot) && told->value == finding->value &&
           is_in_this_mark(told);
}

const char *tri__broken_rule(const struct tri__finding *finding)
{
    struct neighbours around = neighbours_of(finding);

    if (finding->is_known && was_told(&finding->told, finding))
        return HAND_OFF;
    if (leads_to_white(around.before) || leads_to_white(around.behind))
        return COPY;
    if (finding->is_known && is_of_word(&finding->told, finding->slot))
        return PLAIN; /* of what was there before */
    if (finding->holder->kind == TRI__HOLDER_ARENA || is_alone(&around, finding->slot))
        return PLAIN_OR_COPY;
    return PLAIN;
}

/* ---- who has told ---- */

static const char *phase_of(const struct tri__told *told)
{
    if (tri__barrier_is_at_rest(told->barrier))
        return "while no mark was running for it";
    if (!is_in_this_mark(told))
        return "in an earlier mark";
    return told->barrier == TRI__BARRIER_UNSCANNED ? "in this mark, before its stack was scanned"
                                                   : "in this mark, after its stack was scanned";
}

static void print_told_of_object(const struct tri__finding *finding)
{
    const struct tri__told *told = &finding->told;

    tri__warn("  the last store into that object that was told of, by thread %u, %s, was at offset "
              "%zu",
              told->thread, phase_of(told), (size_t)(told->slot - finding->holder->ref.base));
}

void tri__print_told(const struct tri__finding *finding)
{
    bool is_object = finding->holder->kind == TRI__HOLDER_OBJECT;
    const struct tri__told *told = &finding->told;

    if (!finding->is_known)
        tri__warn("  among the latest stores that were told of there is none to that %s",
                  is_object ? "object" : "word");
    else if (is_of_word(told, finding->slot))
        tri__warn("  the last store to that word that was told of, by thread %u, %s, was of %#zx",
                  told->thread, phase_of(told), (size_t)told->value);
    else if (is_object)
        print_told_of_object(finding);
    else
        tri__warn("  that word was told of last by thread %u, %s, among others", told->thread,
                  phase_of(told));
}
