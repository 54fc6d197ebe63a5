/* SPDX-License-Identifier: MIT */
/* Every word outside of stacks that the collector takes for a pointer, and where it is: for
 * verification, which has to name it. Marking has loops of its own.
 * Threads: the coordinator, between the verdict of a mark and H4. */
#ifndef TRI__COLLECTOR_WORDS_H
#define TRI__COLLECTOR_WORDS_H

#include "heap/object.h"

enum tri__holder_kind {
    TRI__HOLDER_ROOT, /* a TRI_ROOT variable, or memory of tri_root_add() */
    TRI__HOLDER_HANDLE,
    TRI__HOLDER_ARENA, /* a chunk of an arena that is not freed */
    TRI__HOLDER_OBJECT,
};

struct tri__holder {
    enum tri__holder_kind kind;
    struct tri__ref ref; /* OBJECT */
};

/* Does the word lead to an object that the mark has not reached? */
static inline bool tri__is_white(uintptr_t value, struct tri__ref *ref)
{
    return tri__locate(value, ref) && ref->span_class != TRI__ARENA_SPAN &&
           tri__load_acquire(ref->colour) == TRI__WHITE;
}

/* `slot` holds `value`, which is not NULL; the program may be storing there. No lock is held. */
typedef void tri__visit_word(const struct tri__holder *holder, uintptr_t slot, uintptr_t value,
                             void *argument);

/* Words of roots, handles and live arenas. */
void tri__root_words_each(tri__visit_word *visit, void *argument);

/* Words of one object. */
void tri__object_words_each(const struct tri__ref *ref, tri__visit_word *visit, void *argument);

/* Words of all marked objects, those born black included. */
void tri__marked_words_each(tri__visit_word *visit, void *argument);

#endif
