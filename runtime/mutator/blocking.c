/* SPDX-License-Identifier: MIT */
/* TRI_BLOCKING: handing the thread's part of the protocol to the collector while the thread may
 * sleep. The state machine stands in mutator.h, the pairing with the coordinator in handshake.c. */
#include "base/fatal.h"
#include "base/futex.h"
#include "base/os.h"
#include "mutator/handshake.h"
#include "mutator/stack.h"

/* BLOCKED unless a request came first: that one the thread answers itself, or the
 * coordinator has just claimed it. */
static void become_blocked(struct tri__mutator *self)
{
    for (;;) {
        uint32_t state = TRI__BLOCKED;

        /* seqcst: before the load of the request. rel -> acq in claim_and_answer() */
        tri__store_seqcst(&self->state, TRI__BLOCKED);
        if ((tri__load_seqcst(&self->writer.cache.front.request) & TRI__REQUEST_MASK) ==
            TRI__REQUEST_NONE)
            return;
        if (!tri__cas_seqcst(&self->state, &state, TRI__RUNNING))
            return;
        tri__handshake_answer(self);
    }
}

/* Sleeps until the coordinator has finished with this thread. */
static void await_unclaimed(struct tri__mutator *self, uint32_t state)
{
    uint64_t start = tri__os_now();

    TRI__ASSERT(state == TRI__CLAIMED || state == TRI__AWAITED || state == TRI__BLOCKED);
    while (state != TRI__BLOCKED) {
        if (state == TRI__AWAITED || tri__cas_acqrel(&self->state, &state, TRI__AWAITED))
            tri__futex_wait(&self->state, TRI__AWAITED, 0);
        state = tri__load_acquire(&self->state); /* acq <- rel in unclaim() */
    }
    tri__mutator_delayed(self, TRI_DELAY_WAIT, start);
}

static void become_running(struct tri__mutator *self)
{
    uint32_t state = TRI__BLOCKED;

    while (!tri__cas_seqcst(&self->state, &state, TRI__RUNNING)) { /* acq <- rel in unclaim() */
        await_unclaimed(self, state);
        state = TRI__BLOCKED;
    }
}

__attribute__((noinline)) void tri_blocking_begin(void)
{
    struct tri__mutator *self = tri__mutator_self();

    if (self == NULL || self->blocking_depth++ != 0)
        return;
    tri__registers_read(self->registers.saved);
    tri__stack_save(self, tri__stack_pointer());
    self->stack_low = (uintptr_t)__builtin_frame_address(0);
    TRI__ASSERT(self->stack_low - tri__stack_pointer() <= TRI__SAVED_FRAME * TRI_WORD ||
                self->stack_low < tri__stack_pointer());
    become_blocked(self);
}

void tri_blocking_end(void)
{
    struct tri__mutator *self = tri__mutator_self();

    if (self == NULL)
        return;
    if (self->blocking_depth == 0)
        tri__fatal("the end of TRI_BLOCKING without its beginning: the heap was used inside "
                   "the block, which attached the thread; use the heap before or after it");
    if (--self->blocking_depth != 0)
        return;
    become_running(self);
    tri__handshake_answer(self);
}
