/* SPDX-License-Identifier: MIT */
/* Retired types: those that were asked for, those that are watched, those that are gone.
 *
 * Locks: retire_lock; hot_lock is taken under it.
 * See: docs/architecture.md "Types made at run time" */
#include "layout/type_retire.h"

#include <errno.h>
#include <pthread.h>

#include "base/entry.h"
#include "base/fault.h"

static pthread_mutex_t retire_lock = PTHREAD_MUTEX_INITIALIZER;

/* [retire_lock] */
static struct tri__built *requested; /* since the last review */
static struct tri__built *watched;   /* since an earlier one */
static void (*withdraw_spans)(const tri_type *type); /* NULL: there is no heap */

bool tri__type_is_retired(const tri_type *type)
{
    return (type->flags & TRI_TYPE_BUILT) != 0 &&
           (tri_type_retired(type) ||
            tri__load_relaxed(&tri__built_of(type)->life) != TRI__TYPE_ALIVE);
}

/* Several markers may store the same. */
static void meet(const tri_type *type)
{
    if (tri__type_is_retired(type) && !tri__fault(TRI__FAULT_FORGET_TYPES))
        tri__store_relaxed(&tri__built_of(type)->life, (uint8_t)TRI__TYPE_MET);
}

void tri__type_meet_slow(const tri_type *type)
{
    meet(type);
    if (type->tail != NULL)
        meet(type->tail);
}

/* ---- the lists ---- */

static void push_locked(struct tri__built **list, struct tri__built *built)
{
    built->next = *list;
    *list = built;
}

static struct tri__built *pop_locked(struct tri__built **list)
{
    struct tri__built *built = *list;

    if (built != NULL)
        *list = built->next;
    return built;
}

/* Relaxed: no span has been given back since all answered H1, and what threads did before that
 * happens before the review [inv.type.retire]. */
static bool has_spans(const struct tri__built *built)
{
    return tri__load_relaxed(&built->state.spans) != 0 && !tri__fault(TRI__FAULT_FORGET_SPANS);
}

/* Not met since the last review, no other type's tail, and no span is its own. */
static bool is_unused(const struct tri__built *built)
{
    return tri__load_relaxed(&built->life) == TRI__TYPE_RETIRED &&
           tri__load_relaxed(&built->holders) == 0 && !has_spans(built);
}

/* A type that is kept is looked at again when the next cycle has marked. */
static void review_watched_locked(void)
{
    struct tri__built *list = watched, *built;

    watched = NULL;
    while ((built = pop_locked(&list)) != NULL) {
        if (is_unused(built)) {
            tri__built_free(built);
            continue;
        }
        tri__store_relaxed(&built->life, (uint8_t)TRI__TYPE_RETIRED);
        push_locked(&watched, built);
    }
}

/* What has met a type before it was watched, in a mark that was running when it was retired, does
 * not count. */
static void watch_requested_locked(void)
{
    struct tri__built *built;

    while ((built = pop_locked(&requested)) != NULL) {
        tri__store_relaxed(&built->life, (uint8_t)TRI__TYPE_RETIRED);
        push_locked(&watched, built);
    }
}

void tri__retired_types_review(void)
{
    pthread_mutex_lock(&retire_lock);
    review_watched_locked();
    watch_requested_locked();
    pthread_mutex_unlock(&retire_lock);
}

bool tri__retired_types_are_watched(void)
{
    bool any;

    pthread_mutex_lock(&retire_lock);
    any = watched != NULL;
    pthread_mutex_unlock(&retire_lock);
    return any;
}

/* Without a heap only other types refer to a type: the round after a type is gone, its tail may
 * be. */
static void end_all_locked(void)
{
    struct tri__built *before;

    watch_requested_locked();
    do {
        for (before = watched; before != NULL && !is_unused(before);)
            before = before->next;
        review_watched_locked();
    } while (before != NULL);
}

/* ---- fork ---- */

void tri__retired_types_before_fork(void)
{
    pthread_mutex_lock(&retire_lock);
}

void tri__retired_types_after_fork(void)
{
    pthread_mutex_unlock(&retire_lock);
}

/* As if all had been met: what dead objects name has come to life again, and a mark that could have
 * found types was abandoned [inv.type.retire]. */
void tri__retired_types_keep(void)
{
    pthread_mutex_lock(&retire_lock);
    for (struct tri__built *built = watched; built != NULL; built = built->next)
        tri__store_relaxed(&built->life, (uint8_t)TRI__TYPE_MET);
    pthread_mutex_unlock(&retire_lock);
}

/* ---- the interface ---- */

static const char no_run; /* a tag that no run has */

void tri__retired_types_open(void (*withdraw)(const tri_type *type))
{
    pthread_mutex_lock(&retire_lock);
    withdraw_spans = withdraw;
    pthread_mutex_unlock(&retire_lock);
}

void tri__retired_types_close(void)
{
    pthread_mutex_lock(&retire_lock);
    withdraw_spans = NULL;
    review_watched_locked(); /* what was met in the last cycle is not any more */
    end_all_locked();
    pthread_mutex_unlock(&retire_lock);
}

static int retire_locked(tri_type *type)
{
    if ((type->flags & TRI_TYPE_BUILT) == 0)
        return -EINVAL;
    if (tri__type_is_retired(type))
        return -EALREADY;
    type->run_tag = &no_run; /* the slow path tells debug builds of further allocations */
    tri__store_relaxed(&tri__built_of(type)->life, (uint8_t)TRI__TYPE_RETIRED);
    push_locked(&requested, tri__built_of(type));
    if (withdraw_spans != NULL)
        withdraw_spans(type);
    else
        end_all_locked();
    return 0;
}

int tri_type_retire(tri_type *type)
{
    TRI__IN_RUNTIME;
    int error;

    pthread_mutex_lock(&retire_lock);
    error = retire_locked(type);
    pthread_mutex_unlock(&retire_lock);
    return error;
}

bool tri_type_retired(const tri_type *type)
{
    /* acq <- rel in tri__built_free() */
    return (type->flags & TRI_TYPE_BUILT) != 0 && tri__load_acquire(&type->cache) == NULL;
}
