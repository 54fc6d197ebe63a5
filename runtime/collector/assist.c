/* SPDX-License-Identifier: MIT */
/* Assists.
 *
 * Nobody but the coordinator may mark once the verdict is being reached, nor after it: spans are
 * swept then [inv.assist.closed]. So an assist enters (tri__marker_enter raises `pending`) and then
 * looks whether it may; the coordinator clears the flag and then waits for `pending` to be 0. Both
 * sides store before they load, sequentially consistent. */
#include "collector/assist.h"

#include "barrier/buffer.h"
#include "base/chaos.h"
#include "base/os.h"
#include "collector/marker.h"
#include "collector/pace.h"

/* Some microseconds; ten when it is a piece of a large object. */
#define STEP_EFFORT (UINT64_C(16) << 10)

static uint32_t open; /* atomic */

void tri__assist_open(void)
{
    tri__store_seqcst(&open, 1);
}

void tri__assist_close(void)
{
    tri__store_seqcst(&open, 0);
}

/* A few batches at a time: who is asked in a handshake leaves, and lets nobody wait for a whole
 * portion. What is left of it is dropped: no more than one portion a handshake. */
static bool work_unless_asked(const struct tri__mutator *self, struct tri__marker *marker,
                              uint64_t effort)
{
    uint64_t stop = marker->effort + effort, before = UINT64_MAX;

    while (!tri__mutator_is_asked(self)) {
        uint64_t now = marker->effort;

        if (now >= stop || now == before)
            return true;
        before = now;
        tri__marker_work(marker, stop - now < STEP_EFFORT ? stop - now : STEP_EFFORT);
    }
    return false;
}

static void take_on(const struct tri__mutator *self, struct tri__marker *marker, uint64_t effort,
                    uint32_t buffers)
{
    while (buffers-- > 0 && tri__buffer_drain_full(tri__marker_take, marker) != 0)
        if (!work_unless_asked(self, marker, TRI__BUFFER_ENTRIES * TRI__OBJECT_EFFORT))
            return;
    work_unless_asked(self, marker, effort);
}

static void quantum(struct tri__mutator *self, uint64_t effort, uint32_t buffers)
{
    struct tri__marker marker;
    uint64_t start = tri__os_now();

    tri__marker_enter(&marker);
    tri__chaos(TRI__CHAOS_ASSIST);
    if (tri__load_seqcst(&open) != 0) {
        take_on(self, &marker, effort, buffers);
        tri__add_single_writer(&self->assists, 1);
    }
    tri__marker_leave(&marker);
    tri__mutator_delayed(self, TRI_DELAY_ASSIST, start);
}

static uint32_t take_owed(struct tri__mutator *self)
{
    uint32_t owed = self->writer.owed;

    if (owed != 0)
        tri__fetch_and_relaxed(&self->writer.cache.front.request, ~TRI__REQUEST_FILTER);
    self->writer.owed = 0;
    return owed;
}

void tri__assist(struct tri__mutator *self, uint64_t allocated_bytes)
{
    uint32_t owed = take_owed(self);
    uint64_t effort;

    if (tri__barrier_is_at_rest(self->writer.cache.front.barrier) || tri__load_relaxed(&open) == 0)
        return;
    effort = allocated_bytes == 0 ? 0 : tri__pace_assist(allocated_bytes);
    if (effort != 0 || owed != 0)
        quantum(self, effort, owed);
}
