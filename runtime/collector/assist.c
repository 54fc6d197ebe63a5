/* SPDX-License-Identifier: MIT */
/* Assists.
 *
 * Nobody but the coordinator may mark once the verdict is being reached, nor after it: spans are swept then [inv.assist.closed]. So
 * an assist enters (tri__marker_enter raises `pending`) and then looks whether it may; the coordinator clears the flag and then waits for
 * `pending` to be 0. Both sides store before they load, sequentially consistent. */
#include "collector/assist.h"

#include "barrier/buffer.h"
#include "base/os.h"
#include "collector/marker.h"
#include "collector/pace.h"

#define FULL_BUFFERS_LEAST 64 /* waiting buffers that are nobody's concern: 256 KiB */

static uint32_t open; /* atomic */

void tri__assist_open(void)
{
    tri__store_seqcst(&open, 1);
}

void tri__assist_close(void)
{
    tri__store_seqcst(&open, 0);
}

/* One percent of the heap in full buffers, then whoever fills them must help: memory stays bounded however fast pointers are stored. */
static bool buffers_pile_up(void)
{
    uint64_t bytes = (uint64_t)tri__buffers_full() * sizeof(struct tri__buffer);

    return tri__buffers_full() > FULL_BUFFERS_LEAST && bytes > tri__pace_live() / 100;
}

static void quantum(struct tri__mutator *self, uint64_t objects, bool filter)
{
    struct tri__marker marker;
    uint64_t start = tri__os_now();

    tri__marker_enter(&marker);
    if (tri__load_seqcst(&open) != 0) {
        if (filter)
            tri__buffer_drain_full(tri__marker_take, &marker);
        tri__marker_work(&marker, objects);
        tri__add_single_writer(&self->assists, 1);
    }
    tri__marker_leave(&marker);
    tri__mutator_delayed(self, TRI_DELAY_ASSIST, start);
}

void tri__assist(struct tri__mutator *self, uint64_t allocated_bytes)
{
    uint64_t objects;

    if (self->writer.cache.front.barrier == TRI__BARRIER_IDLE || tri__load_relaxed(&open) == 0)
        return;
    objects = tri__pace_assist(allocated_bytes);
    if (buffers_pile_up())
        quantum(self, TRI__BUFFER_ENTRIES + objects, true);
    else if (objects != 0)
        quantum(self, objects, false);
}
