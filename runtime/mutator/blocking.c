/* SPDX-License-Identifier: MIT */
/* TRI_BLOCKING: handing the thread's part of the protocol to the collector while the thread may
 * sleep. The state machine stands in mutator.h, the pairing with the coordinator
 * in handshake.c. */
#include "base/chaos.h"
#include "base/entry.h"
#include "base/fatal.h"
#include "base/futex.h"
#include "base/os.h"
#include "mutator/handshake.h"
#include "mutator/stack.h"
#include "mutator/thread_end.h"

/* BLOCKED unless something was announced before that was seen: that the thread takes itself, unless
 * it has just been claimed. */
static void become_blocked(struct tri__mutator *self)
{
    for (;;) {
        uint32_t state = TRI__BLOCKED;

        tri__chaos(TRI__CHAOS_BLOCK);
        /* seqcst: before the look at the announcement. rel -> acq in ask_running(), act_for() */
        tri__store_seqcst(&self->state, TRI__BLOCKED);
        tri__chaos(TRI__CHAOS_BLOCK);
        if (tri__handshake_is_answered(self))
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

/* Takes what it has slept through before it does anything else. */
static void become_running(struct tri__mutator *self)
{
    uint32_t state = TRI__BLOCKED;

    tri__chaos(TRI__CHAOS_WAKE);
    /* seqcst: before the look at the announcement. acq <- rel in unclaim() */
    while (!tri__cas_seqcst(&self->state, &state, TRI__RUNNING)) {
        await_unclaimed(self, state);
        state = TRI__BLOCKED;
    }
    tri__chaos(TRI__CHAOS_WAKE);
    tri__handshake_answer(self);
    tri__store_relaxed(&self->scanned_asleep, false);
}

bool tri__blocking_interrupt(void)
{
    struct tri__mutator *self = tri__mutator_self();

    if (self == NULL || self->blocking_depth == 0)
        return false;
    become_running(self);
    return true;
}

void tri__blocking_resume(bool interrupted)
{
    if (interrupted)
        become_blocked(tri__mutator_self());
}

/* On a stack that nobody has registered the collector would look for the wrong one [inv.stack.foreign].
 * The library itself may be called there, by fork() and exit(), in a handler on an alternate stack,
 * say: then there is no block, and the thread runs on. */
static bool is_no_block(const struct tri__mutator *self)
{
    if (TRI__LIKELY(tri__stack_is_own(self)))
        return false;
    if (tri__window_depth == 1)
        tri__stack_is_foreign(self, "entered TRI_BLOCKING");
    return self->blocking_depth == 0;
}

__attribute__((noinline)) void tri_blocking_begin(void)
{
    TRI__IN_RUNTIME;
    struct tri__mutator *self = tri__mutator_self();

    if (self == NULL || is_no_block(self) || self->blocking_depth++ != 0)
        return;
    tri__registers_read(self->registers.saved);
    tri__stack_save(&self->registers, tri__stack_pointer(), self->stack_high);
    self->stack_low = (uintptr_t)__builtin_frame_address(0);
    TRI__ASSERT(self->stack_low - tri__stack_pointer() <= TRI__SAVED_FRAME * TRI_WORD ||
                self->stack_low < tri__stack_pointer());
    become_blocked(self);
    tri__thread_end_watch(); /* may wait for the loader's lock */
}

void tri_blocking_end(void)
{
    TRI__IN_RUNTIME;
    struct tri__mutator *self = tri__mutator_self();

    if (self == NULL || (self->blocking_depth == 0 && is_no_block(self)))
        return;
    if (self->blocking_depth == 0)
        tri__fatal("the end of TRI_BLOCKING without its beginning: the heap was used inside "
                   "the block, which attached the thread; use the heap before or after it");
    if (--self->blocking_depth != 0)
        return;
    become_running(self);
}

void tri__blocking_leave_all(void)
{
    struct tri__mutator *self = tri__mutator_self();

    if (self == NULL || self->blocking_depth == 0)
        return;
    self->blocking_depth = 1;
    tri_blocking_end();
}
