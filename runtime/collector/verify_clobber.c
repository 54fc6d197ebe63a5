/* SPDX-License-Identifier: MIT */
/* Pointers to what is gone.
 *
 * Until H4 no slot is freed, and none that is free becomes anything but black; so what a marked
 * object or a root holds is no address of a free slot, at any moment, if it is the address of an
 * object at all [inv.verify.freed]. An object that was given up before the mark began must not be
 * reachable in it but from stacks, where compilers leave old words [inv.verify.given-up].
 * Threads: the coordinator. */
#include "collector/verify_clobber.h"

#include "base/fatal.h"
#include "collector/verify_path.h"
#include "heap/graves.h"

#define MEND                                                                                       \
    "It was freed because no root, handle, stack or object that the collector knows of led to it " \
    "at the end of a mark: a pointer was stored plainly, copied by memcpy, forgotten in "          \
    "TRI_TYPE, or kept or handed over in memory that is no root; docs/verify-clobber.md"

static void print_holder(const struct tri__holder *holder)
{
    if (holder->kind == TRI__HOLDER_OBJECT)
        tri__print_path(holder->ref.base);
}

_Noreturn static void holds_pattern(const struct tri__holder *holder, uintptr_t slot,
                                    uintptr_t value, uintptr_t base)
{
    char where[2 * TRI__DESCRIPTION];

    tri__describe_slot(where, slot);
    tri__warn("a word was read from a freed object: %s holds %#zx, which is no pointer but what "
              "was \"%s\" at %#zx is filled with",
              where, (size_t)value, tri__grave_name(base), (size_t)base);
    print_holder(holder);
    tri__fatal("what was \"%s\" at %#zx is still used. " MEND, tri__grave_name(base), (size_t)base);
}

_Noreturn static void holds_freed(const struct tri__holder *holder, uintptr_t slot, uintptr_t value,
                                  uintptr_t base)
{
    char where[2 * TRI__DESCRIPTION];

    tri__describe_slot(where, slot);
    tri__warn("a freed object is still pointed to: %s holds %#zx, in what was \"%s\" at %#zx",
              where, (size_t)value, tri__grave_name(base), (size_t)base);
    print_holder(holder);
    tri__fatal("what was \"%s\" at %#zx can still be used. " MEND, tri__grave_name(base),
               (size_t)base);
}

static bool is_conservative(const struct tri__holder *holder)
{
    return holder->kind == TRI__HOLDER_OBJECT && tri__holds_anything(&holder->ref);
}

static void check_word(const struct tri__holder *holder, uintptr_t slot, uintptr_t value,
                       void *unused)
{
    uintptr_t base;

    (void)unused;
    if (tri__grave_is_pattern(value, &base))
        holds_pattern(holder, slot, value, base);
    if (TRI__UNLIKELY(tri__grave_at(value, &base)) && !is_conservative(holder))
        holds_freed(holder, slot, value, base);
}

static void report_given_up(const struct tri__search *search, uintptr_t base)
{
    tri__warn("tri_free() was called for \"%s\" at %#zx, and it can still be reached",
              tri__grave_name(base), (size_t)base);
    tri__search_print(search, base);
}

void tri__verify_clobber(void)
{
    tri__root_words_each(check_word, NULL);
    tri__marked_words_each(check_word, NULL);
    if (tri__graves_were_given_up() && tri__search_reachable(tri__was_given_up, report_given_up))
        tri__fatal("an object was given up before the last pointer to it was gone: store NULL, or "
                   "something else, over each pointer to it, and call tri_free() then; "
                   "docs/verify-clobber.md");
}
