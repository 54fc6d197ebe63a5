/* SPDX-License-Identifier: MIT */
/* Entering, leaving and scanning stacks. Locks: none; the state of each says whose it is. */
#define TRI_IMPLEMENTATION
#include "mutator/user_stack.h"

#include <errno.h>

#include "base/entry.h"
#include "base/fatal.h"
#include "base/futex.h"
#include "base/os.h"
#include "base/pool.h"
#include "mutator/attach.h"
#include "mutator/registry.h"
#include "mutator/stack.h"

#define SLAB_BYTES ((size_t)16 << 10)

static struct tri__pool pool = TRI__POOL_OF(struct tri_stack, SLAB_BYTES);

/* atomic: counts marks. While a thread's barrier is on it does not change for that thread: the next
 * mark begins after its answer to H4. */
static uint32_t mark_number;

static tri_stack *stack_of(struct tri__stack_entry *link)
{
    return (tri_stack *)(void *)link; /* link is the first member */
}

/* ---- registering ---- */

tri_stack *tri_stack_register(void *low, size_t bytes)
{
    TRI__IN_RUNTIME;
    struct tri__stack_entry *link = tri__pool_take(&pool);
    tri_stack *stack;

    if (link == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    stack = stack_of(link);
    stack->low = (uintptr_t)low;
    stack->high = ((uintptr_t)low + bytes) & ~(uintptr_t)(TRI_WORD - 1);
    stack->pointer = stack->high;
    stack->scanned = 0;
    stack->registers = (struct tri__registers){{0}, {0}};
    tri__store_release(&stack->state, TRI__STACK_LEFT); /* rel -> acq in claim() */
    return stack;
}

/* ---- whose it is ---- */

/* Sleeps until the collector is done with it. */
static void await_scanned(tri_stack *stack)
{
    uint32_t state = tri__load_relaxed(&stack->state);

    while (state == TRI__STACK_CLAIMED || state == TRI__STACK_AWAITED) {
        if (state == TRI__STACK_AWAITED ||
            tri__cas_acqrel(&stack->state, &state, (uint32_t)TRI__STACK_AWAITED))
            tri__futex_wait(&stack->state, TRI__STACK_AWAITED, 0);
        state = tri__load_relaxed(&stack->state);
    }
}

/* A thread takes a stack that nobody is on. */
static void enter(tri_stack *stack, const char *call)
{
    uint32_t state = TRI__STACK_LEFT;

    /* acq <- rel in leave() and unclaim() */
    while (!tri__cas_acqrel(&stack->state, &state, (uint32_t)TRI__STACK_ENTERED)) {
        if (state == TRI__STACK_ENTERED)
            tri__fatal("%s() of a stack that a thread is on: %p..%p; leave it first, with "
                       "tri_stack_switch() to another one",
                       call, (void *)stack->low, (void *)stack->high);
        if (state == TRI__STACK_UNUSED)
            tri__fatal("%s() of a stack that is not registered, or not any more: %p", call,
                       (void *)stack);
        await_scanned(stack);
        state = TRI__STACK_LEFT;
    }
}

static void leave(tri_stack *stack)
{
    tri__store_release(&stack->state, TRI__STACK_LEFT); /* rel -> acq in enter() and claim() */
}

/* ---- scanning ---- */

static void scan(const tri_stack *stack, tri__buffer_take *take, void *argument)
{
    tri__stack_words((uintptr_t)&stack->registers, (uintptr_t)(&stack->registers + 1), take,
                     argument);
    tri__stack_words(stack->pointer, stack->high, take, argument);
}

/* Grey words must not come to a black thread: [inv.stack.left]. */
static void shade_entered(struct tri__mutator *self, tri_stack *stack)
{
    uint32_t now = tri__load_relaxed(&mark_number);

    if (self->writer.cache.front.barrier != TRI__BARRIER_SCANNED || stack->scanned == now)
        return;
    scan(stack, tri__stack_shade, self);
    stack->scanned = now;
}

void tri_stack_unregister(tri_stack *stack)
{
    TRI__IN_RUNTIME;
    struct tri__visit visit;

    if (stack == NULL)
        return;
    visit = tri__visit_begin();
    enter(stack, "tri_stack_unregister");
    shade_entered(tri__mutator_self(), stack); /* as an old value is when it is overwritten */
    tri__store_release(&stack->state, TRI__STACK_UNUSED);
    tri__pool_give(&pool, &stack->link);
    tri__visit_end(visit);
}

/* ---- switching ---- */

/* The first time that a thread leaves its own stack: from now on that has a record. */
static tri_stack *current(struct tri__mutator *self)
{
    if (self->stack != NULL)
        return self->stack;
    self->native.low = self->stack_end;
    self->native.high = self->stack_high;
    self->native.scanned = 0;
    tri__store_relaxed(&self->native.state, TRI__STACK_ENTERED);
    self->stack = &self->native;
    return self->stack;
}

/* What a stack is when the thread leaves it: as black as the thread. A stack that was black is not
 * any more, once a grey thread has been on it. */
static uint32_t colour_of(const struct tri__mutator *self)
{
    bool black = self->writer.cache.front.barrier == TRI__BARRIER_SCANNED;

    return black ? tri__load_relaxed(&mark_number) : 0;
}

/* On the inner one nobody could tell which of the two a thread is on. */
static void check_apart(const tri_stack *from, const tri_stack *to)
{
    if (from->low < to->high && to->low < from->high)
        tri__fatal("tri_stack_switch() between two stacks that overlap: %p..%p and %p..%p; give each "
                   "memory of its own (mmap, malloc), not a part of another stack",
                   (void *)from->low, (void *)from->high, (void *)to->low, (void *)to->high);
}

__attribute__((noinline)) void tri_stack_switch(tri_stack *stack)
{
    TRI__IN_RUNTIME;
    struct tri__mutator *self = tri__mutator_here();
    tri_stack *from = current(self), *to = stack != NULL ? stack : &self->native;

    if (self->blocking_depth != 0)
        tri__fatal("tri_stack_switch() inside TRI_BLOCKING, where the collector may be looking at the "
                   "stack that is left; switch before the block or after it");
    if (from == to)
        return;
    enter(to, "tri_stack_switch");
    check_apart(from, to);
    shade_entered(self, to);
    from->scanned = colour_of(self);
    tri__registers_read(from->registers.saved);
    tri__stack_save(&from->registers, tri__stack_pointer(), from->high);
    from->pointer = (uintptr_t)__builtin_frame_address(0);
    TRI__ASSERT(from->pointer - tri__stack_pointer() <= TRI__SAVED_FRAME * TRI_WORD);
    self->stack = to;
    self->stack_end = to->low;
    self->stack_high = to->high;
    leave(from);
}

void tri__user_stacks_check_leave(const struct tri__mutator *self)
{
    if (self->stack != NULL && self->stack != &self->native)
        tri__fatal("a thread ends, or is detached, on a registered stack (%p..%p); go back to its "
                   "own first: tri_stack_switch(NULL)",
                   (void *)self->stack->low, (void *)self->stack->high);
}

/* ---- the collector ---- */

void tri__user_stacks_begin_mark(void)
{
    uint32_t next = tri__load_relaxed(&mark_number) + 1;

    tri__store_relaxed(&mark_number, next != 0 ? next : 1); /* 0 is never scanned */
}

struct taker {
    tri__buffer_take *take;
    void *argument;
};

static bool claim(tri_stack *stack)
{
    uint32_t state = TRI__STACK_LEFT;

    /* acq <- rel in leave() and tri_stack_register() */
    return tri__cas_acqrel(&stack->state, &state, (uint32_t)TRI__STACK_CLAIMED);
}

static void unclaim(tri_stack *stack)
{
    /* rel -> acq in enter() */
    if (tri__exchange_acqrel(&stack->state, TRI__STACK_LEFT) == TRI__STACK_AWAITED)
        tri__futex_wake(&stack->state, INT32_MAX);
}

/* One that a thread has come to since H2 was scanned by that thread. */
static void scan_if_left(tri_stack *stack, const struct taker *taker)
{
    if (tri__load_relaxed(&stack->state) != TRI__STACK_LEFT || !claim(stack))
        return;
    if (stack->scanned != tri__load_relaxed(&mark_number))
        scan(stack, taker->take, taker->argument);
    stack->scanned = tri__load_relaxed(&mark_number);
    unclaim(stack);
}

static void scan_registered(struct tri__stack_entry *link, void *taker)
{
    scan_if_left(stack_of(link), taker);
}

static void scan_native(struct tri__mutator *mutator, void *taker)
{
    scan_if_left(&mutator->native, taker);
}

void tri__user_stacks_scan(tri__buffer_take *take, void *argument)
{
    struct taker taker = {take, argument};

    tri__pool_each(&pool, scan_registered, &taker);
    tri__registry_each(scan_native, &taker);
}

/* ---- fork ---- */

/* Whom the collector had claimed it never gives back; who had another thread on it is empty. */
static void free_stack(tri_stack *stack, const tri_stack *own)
{
    uint32_t state = tri__load_relaxed(&stack->state);

    if (state == TRI__STACK_UNUSED || state == TRI__STACK_LEFT || stack == own)
        return;
    if (state == TRI__STACK_ENTERED) {
        stack->pointer = stack->high;
        stack->registers = (struct tri__registers){{0}, {0}};
    }
    tri__store_relaxed(&stack->state, TRI__STACK_LEFT);
}

static void free_registered(struct tri__stack_entry *link, void *own)
{
    free_stack(stack_of(link), own);
}

void tri__user_stacks_after_fork(struct tri__mutator *self)
{
    tri__pool_each(&pool, free_registered, self != NULL ? self->stack : NULL);
    if (self != NULL && self->stack != NULL)
        free_stack(&self->native, self->stack);
}

void tri__user_stacks_release(void)
{
    tri__pool_release(&pool);
}
