/* SPDX-License-Identifier: MIT */
/* Goal, trigger and assists. */
#include "collector/pace.h"

#include "base/atomic.h"
#include "heap/heap.h"

#define LEAST_GOAL ((uint64_t)4 << 20)

/* Effort at a time. */
#define ASSIST_LEAST ((uint64_t)8 << 10)  /* less is not worth entering the marker for */
#define ASSIST_MOST ((uint64_t)256 << 10) /* some tens of microseconds */

static int gc_percent;      /* atomic */
static size_t memory_limit; /* atomic; SIZE_MAX: none */
static uint64_t live;       /* atomic: bytes alive when the last mark ended */

/* atomic: net bytes handed out when the last mark ended: the heap is live plus what came since */
static uint64_t settled;
static uint64_t began;       /* coordinator: net bytes handed out when the running mark began */
static uint64_t during_mark; /* atomic: bytes handed out during the last mark */
static uint64_t effort_last; /* atomic: what the last mark took, in marker effort */

/* Handed out and not given back, ever; sweeping does not lower it. */
static uint64_t net_allocated(void)
{
    /* First: it is never more than was allocated before. */
    uint64_t given_back = tri__load_relaxed(&tri__heap.given_back);

    return tri__load_relaxed(&tri__heap.allocated) - given_back;
}

void tri__pace_init(int percent, size_t limit)
{
    tri__store_relaxed(&gc_percent, percent);
    tri__store_relaxed(&memory_limit, limit);
    tri__store_relaxed(&live, 0);
    tri__store_relaxed(&settled, 0);
    tri__store_relaxed(&during_mark, 0);
    tri__store_relaxed(&effort_last, 0);
    began = 0;
}

void tri__pace_mark_begins(void)
{
    began = net_allocated();
}

void tri__pace_mark_ends(uint64_t marked_bytes, uint64_t effort)
{
    uint64_t now = net_allocated();
    uint64_t born = now > began ? now - began : 0;

    tri__store_relaxed(&during_mark, born);
    tri__store_relaxed(&effort_last, effort);
    tri__store_relaxed(&live, marked_bytes + born); /* new objects are born black */
    tri__store_relaxed(&settled, now);
}

void tri__pace_after_fork(uint64_t heap)
{
    uint64_t alive = tri__load_relaxed(&live);

    alive = alive < heap ? alive : heap;
    tri__store_relaxed(&live, alive);
    tri__store_relaxed(&settled, net_allocated() - (heap - alive));
}

uint64_t tri__pace_live(void)
{
    return tri__load_relaxed(&live);
}

uint64_t tri__pace_heap(void)
{
    uint64_t now = net_allocated(), then = tri__load_relaxed(&settled);

    return tri__load_relaxed(&live) + (now > then ? now - then : 0);
}

/* Percent of the live heap, within the limit when there is one: 95 % of it, so that the
 * cycle ends before memory does. */
uint64_t tri__pace_goal(void)
{
    int percent = tri__load_relaxed(&gc_percent);
    uint64_t at = tri__pace_live(), limit = tri__load_relaxed(&memory_limit);
    uint64_t goal = percent < 0 ? UINT64_MAX : at + at / 100 * (uint64_t)percent;
    uint64_t least = percent < 0 ? UINT64_MAX : LEAST_GOAL / 100 * (uint64_t)percent;

    goal = goal < least ? least : goal;
    if (limit != SIZE_MAX && goal > limit / 100 * 95)
        goal = limit / 100 * 95;
    return goal;
}

/* Room between live heap and goal that is left to allocation while the mark runs: what the last
 * mark needed and a quarter, within bounds. */
static uint64_t trigger(uint64_t goal)
{
    uint64_t at = tri__pace_live(), room = goal > at ? goal - at : 0;
    uint64_t runway = tri__load_relaxed(&during_mark);

    if (goal == UINT64_MAX)
        return goal;
    runway += runway / 4;
    runway = runway < room / 10 ? room / 10 : runway;
    runway = runway > room / 2 ? room / 2 : runway;
    return goal - runway;
}

bool tri__pace_is_due(void)
{
    return tri__pace_heap() >= trigger(tri__pace_goal());
}

/* A thread that allocates a share of what is left until the goal marks the same share of what the
 * last cycle marked. Half the way is free, for the markers. Past the goal the share does not grow
 * any more: bounded, whatever happens. */
uint64_t tri__pace_assist(uint64_t allocated_bytes)
{
    uint64_t goal = tri__pace_goal(), heap = tri__pace_heap(), start = trigger(goal);
    uint64_t left, effort;

    if (goal == UINT64_MAX || heap < start + (goal - start) / 2)
        return 0;
    left = heap < goal ? goal - heap : 0;
    left = left < (goal - start) / 16 + 1 ? (goal - start) / 16 + 1 : left;
    effort = (uint64_t)((double)tri__load_relaxed(&effort_last) * (double)allocated_bytes /
                        (double)left);
    return effort < ASSIST_LEAST ? ASSIST_LEAST : effort > ASSIST_MOST ? ASSIST_MOST : effort;
}

int tri__pace_set_gc_percent(int percent)
{
    return tri__exchange_acqrel(&gc_percent, percent);
}

size_t tri__pace_set_memory_limit(size_t bytes)
{
    return tri__exchange_acqrel(&memory_limit, bytes);
}
