/* SPDX-License-Identifier: MIT */
/* The table of mutators: copy, replace, free after a grace period. */
#include "mutator/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fatal.h"

struct tri__members {
    size_t count;
    struct tri__rcu_head rcu;
    struct tri__mutator *mutators[]; /* NULL: a gap */
};

struct tri__phase tri__phase;

static struct tri__members nobody;
/* atomic: release in replace_locked(), acquire in tri__registry_each() */
static struct tri__members *members = &nobody;
static size_t attached; /* atomic */
static uint64_t entered; /* atomic */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;

void tri__registry_lock(void)
{
    tri__rcu_register(); /* the table may be read under the lock */
    TRI__ASSERT(tri__rcu_is_registered()); /* [inv.fork.locks] */
    pthread_mutex_lock(&registry_lock);
}

void tri__registry_unlock(void)
{
    pthread_mutex_unlock(&registry_lock);
}

/* Blocks lie on pages of their own, and a walk that reads one word of each waits for nothing else. */
static void fetch_ahead(const struct tri__members *now, size_t i)
{
    enum { AHEAD = 12 };
    const struct tri__mutator *later =
        i + AHEAD < now->count ? tri__load_relaxed(&now->mutators[i + AHEAD]) : NULL;

    if (later != NULL)
        __builtin_prefetch(&later->state);
}

void tri__registry_each(void (*visit)(struct tri__mutator *mutator, void *argument), void *argument)
{
    struct tri__members *now;

    tri__rcu_lock();
    now = tri__load_acquire(&members); /* acq <- rel in replace_locked() */
    for (size_t i = 0; i < now->count; i++) {
        struct tri__mutator *mutator = tri__load_relaxed(&now->mutators[i]);

        fetch_ahead(now, i);
        if (mutator != NULL)
            visit(mutator, argument);
    }
    tri__rcu_unlock();
}

size_t tri__registry_size(void)
{
    return tri__load_acquire(&attached); /* acq <- rel in tri__registry_remove_locked() */
}

/* An update, though it changes nothing: one that it does not count comes later, and acquires from it,
 * so that nothing of what its thread has done was seen before [mo.alone]. */
uint64_t tri__registry_entered(void)
{
    return tri__fetch_add_acqrel(&entered, 0);
}

static void free_members(struct tri__rcu_head *head)
{
    free((char *)head - offsetof(struct tri__members, rcu));
}

static void replace_locked(struct tri__members *fresh)
{
    struct tri__members *old = members;

    tri__store_release(&members, fresh); /* rel -> acq in tri__registry_each() */
    if (old != &nobody)
        tri__rcu_call(&old->rcu, free_members);
}

/* A copy of the table without gaps and without `left_out`, with room for `extra` more. */
static struct tri__members *copy_members(const struct tri__mutator *left_out, size_t extra)
{
    size_t room = members->count + extra;
    struct tri__members *copy = malloc(sizeof *copy + room * sizeof copy->mutators[0]);

    if (copy == NULL)
        return NULL;
    copy->count = 0;
    for (size_t i = 0; i < members->count; i++) {
        struct tri__mutator *mutator = tri__load_relaxed(&members->mutators[i]);

        if (mutator != NULL && mutator != left_out)
            copy->mutators[copy->count++] = mutator;
    }
    return copy;
}

int tri__registry_enter_locked(struct tri__mutator *mutator)
{
    struct tri__members *fresh = copy_members(NULL, 1);

    if (fresh == NULL)
        return -ENOMEM;
    fresh->mutators[fresh->count++] = mutator;
    replace_locked(fresh);
    tri__store_release(&attached, fresh->count); /* the same */
    tri__fetch_add_acqrel(&entered, 1); /* before it does anything [mo.alone] */
    return 0;
}

static void leave_gap(const struct tri__mutator *mutator)
{
    for (size_t i = 0; i < members->count; i++)
        if (members->mutators[i] == mutator)
            tri__store_relaxed(&members->mutators[i], NULL);
}

void tri__registry_remove_locked(struct tri__mutator *mutator)
{
    struct tri__members *fresh = copy_members(mutator, 0);

    tri__store_release(&attached, attached - 1); /* rel -> acq in tri__registry_size() */
    if (fresh != NULL)
        replace_locked(fresh);
    else
        leave_gap(mutator);
}

struct tri__mutator *tri__registry_shrink_locked(struct tri__mutator *survivor,
                                                 struct tri__mutator *dead)
{
    for (size_t i = 0; i < members->count; i++) {
        struct tri__mutator *mutator = members->mutators[i];

        if (mutator == NULL || mutator == survivor)
            continue;
        mutator->next_dead = dead;
        dead = mutator;
    }
    if (survivor != NULL)
        members->mutators[0] = survivor;
    if (members != &nobody)
        members->count = survivor != NULL;
    tri__store_relaxed(&attached, (size_t)(survivor != NULL));
    return dead;
}

void tri__registry_release(void)
{
    tri__registry_lock();
    TRI__ASSERT(attached == 0);
    replace_locked(&nobody);
    tri__registry_unlock();
}
