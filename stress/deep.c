/* SPDX-License-Identifier: MIT */
/* stress/deep.c: long lists and cycles: a mark has to follow them link by link, for as long as it
 * takes, while they are reversed in place, closed to rings, cut open elsewhere, spliced, exchanged
 * with other threads, and dropped as rings. See stress/driver.h for how it is called.
 *
 * The shadow: a chain says how many links it has and which numbers they have, in the one or the
 * other direction; so a link that was lost, cut off or led elsewhere is seen when it is walked
 * along. */
#include <stdio.h>
#include <stdlib.h>

#include "stress/driver.h"
#include "stress/objects.h"

#define LINKS_MOST (30000u / SLOWDOWN)
#define SHARED 6u

typedef struct link {
    uint64_t id, check; /* as a token's */
    uint64_t number;
    struct link *next;
    struct link *across; /* any link that there was when this one was made; or NULL */
    uint64_t across_id;
    slot load;
} link_t;
TRI_TYPE(link_t, next, across, load.p);

/* Who has got hold of it by an exchange is alone with it. */
typedef struct chain {
    link_t *first;
    uint64_t count;
    uint64_t start;    /* the number of the first link */
    uint64_t backward; /* 1: numbers go down by one from link to link; 0: up. Modulo count */
} chain;
TRI_TYPE(chain, first);

TRI_ROOT static chain *shared[SHARED];
/* Some link: what others lead across to. It keeps the rest of its chain alive. */
TRI_ROOT static link_t *landmark;

/* ---- links ---- */

static slot as_token(const link_t *at, uint64_t id)
{
    return (slot){(void *)(uintptr_t)at, want_of(TOKEN, id)};
}

static link_t *link_new(struct worker *worker, uint64_t number, link_t *next)
{
    link_t *fresh = tri_new(link_t), *across = NULL;
    slot load = chance(worker, 5) ? leaf_new(worker) : nothing;

    if (fresh == NULL)
        give_up("out of memory");
    if (chance(worker, 1))
        across = __atomic_load_n(&landmark, __ATOMIC_ACQUIRE);
    fresh->id = next_id(worker);
    fresh->check = mix(fresh->id);
    fresh->number = number;
    fresh->across_id = across != NULL ? across->id : 0;
    tri_init_store(&fresh->across, across);
    tri_init_store(&fresh->next, next);
    tri_init_store(&fresh->load.p, load.p);
    fresh->load.want = load.want;
    return fresh;
}

static void check_link(struct worker *worker, const link_t *at, uint64_t number)
{
    if (at == NULL)
        lost(worker, nothing, "a chain", "its end before number %" PRIu64, number);
    check_slot(worker, as_token(at, at->id), "a chain");
    if (at->number != number)
        lost(worker, as_token(at, at->id), "a chain", "number %" PRIu64 " for %" PRIu64, at->number,
             number);
    if (at->across_id != 0)
        check_slot(worker, as_token(at->across, at->across_id), "another chain");
    check_slot(worker, at->load, "a link");
}

/* ---- chains ---- */

static uint64_t following(const chain *of, uint64_t number)
{
    return (number + (of->backward ? of->count - 1 : 1)) % of->count;
}

static chain *chain_new(struct worker *worker)
{
    chain *fresh = tri_new(chain);
    uint64_t count = 1 + below(worker, 1 + below(worker, LINKS_MOST));

    if (fresh == NULL)
        give_up("out of memory");
    for (uint64_t number = 0; number < count; number++) {
        link_t *first = link_new(worker, number, fresh->first);

        tri_store(&fresh->first, first);
        if (stopping())
            count = number + 1;
    }
    fresh->count = count;
    fresh->start = count - 1;
    fresh->backward = 1;
    return fresh;
}

static void check_chain(struct worker *worker, const chain *of)
{
    const link_t *at = of->first;
    uint64_t number = of->start;

    for (uint64_t i = 0; i < of->count; i++, at = at->next, number = following(of, number))
        check_link(worker, at, number);
    if (at != NULL)
        lost(worker, nothing, "a chain", "more than %" PRIu64 " links", of->count);
}

static void reverse(chain *of)
{
    link_t *done = NULL, *at = of->first;
    uint64_t last = of->start;

    while (at != NULL) {
        link_t *rest = at->next;

        last = at->number;
        tri_store(&at->next, done);
        done = at;
        at = rest;
        tri_safepoint();
    }
    tri_store(&of->first, done);
    of->start = last;
    of->backward ^= 1;
}

static link_t *last_of(const chain *of)
{
    link_t *at = of->first;

    for (uint64_t i = 1; i < of->count; i++, at = at->next)
        tri_safepoint();
    return at;
}

/* Closes it to a ring, and opens that somewhere else. */
static void turn(struct worker *worker, chain *of)
{
    link_t *last = last_of(of);

    tri_store(&last->next, of->first);
    for (uint64_t left = below(worker, of->count); left > 0; left--) {
        last = last->next;
        tri_safepoint();
    }
    tri_store(&of->first, last->next);
    tri_store(&last->next, NULL);
    of->start = of->first->number;
}

/* A new link in place of one in the middle. */
static void replace(struct worker *worker, chain *of)
{
    link_t *before = of->first;

    for (uint64_t left = below(worker, of->count); left > 1; left--)
        before = before->next;
    if (before->next != NULL) {
        link_t *old = before->next;

        tri_store(&before->next, link_new(worker, old->number, old->next));
    }
}

/* A ring that nobody needs, part of which others may lead across to. */
static void drop_as_ring(chain *of)
{
    tri_store(&last_of(of)->next, of->first);
    tri_store_release(&landmark, of->first);
    tri_store(&of->first, NULL);
}

/* ---- what threads do ---- */

static chain *change(struct worker *worker, chain *mine)
{
    switch (below(worker, 8)) {
    case 0:
        drop_as_ring(mine);
        return chain_new(worker);
    case 1:
        check_chain(worker, mine);
        return mine;
    case 2:
        turn(worker, mine);
        return mine;
    case 3:
        reverse(mine);
        return mine;
    default:
        replace(worker, mine);
        return mine;
    }
}

/* From a chain that is shared to another one, so that no stack holds more than the chain itself. */
static void act(struct worker *worker)
{
    chain *mine = tri_exchange(&shared[below(worker, SHARED)], NULL);

    worker_begins(worker, "chain");
    if (mine == NULL)
        mine = chain_new(worker);
    for (uint64_t left = below(worker, 6); left > 0 && !stopping(); left--)
        mine = change(worker, mine);
    mine = tri_exchange(&shared[below(worker, SHARED)], mine);
    if (mine != NULL && chance(worker, 50))
        check_chain(worker, mine);
}

static void work(struct worker *worker)
{
    while (!stopping()) {
        act(worker);
        scrub_stack();
        if (chance(worker, 5))
            tri_store_release(&landmark, NULL);
    }
}

static void begin(struct worker *worker)
{
    (void)worker;
}

static void end(struct worker *worker)
{
    for (size_t i = 0; i < SHARED; i++)
        if (shared[i] != NULL)
            check_chain(worker, shared[i]);
}

int main(int argc, char **argv)
{
    static const struct stress deep = {"deep", begin, work, NULL, end};

    return stress_main(argc, argv, &deep);
}
