/* SPDX-License-Identifier: MIT */
/* stress/servers_stacks.c: stacks of all kinds: coroutines that any thread may run, deep recursion,
 * and memory from alloca; each holds objects that nothing else leads to. */
#include <alloca.h>

#include "stress/servers.h"
#include "tests/coroutine.h"

#define COROUTINES 24u
#define ALLOCA_MOST 2000u

/* ---- coroutines ---- */

struct fiber {
    uint32_t held; /* atomic: a thread runs it, or is about to */
    struct coroutine *coroutine;
    struct worker worker; /* the coroutine's */
};

static struct fiber fibers[COROUTINES];

static bool fiber_try(struct fiber *fiber)
{
    uint32_t nobody = 0;

    return __atomic_compare_exchange_n(&fiber->held, &nobody, 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static void fiber_leave(struct fiber *fiber)
{
    __atomic_store_n(&fiber->held, 0, __ATOMIC_RELEASE);
}

static void live_as_fiber(struct coroutine *self);

static void fiber_renew(struct fiber *fiber)
{
    if (fiber->coroutine != NULL)
        coroutine_free(fiber->coroutine);
    fiber->coroutine = coroutine_new(live_as_fiber, fiber);
    worker_init(&fiber->worker);
}

/* One that is `caller` runs another one, on whose stack it is the caller then. */
static void run_another(struct coroutine *caller, struct worker *worker)
{
    struct fiber *fiber = &fibers[below(worker, COROUTINES)];

    if (!fiber_try(fiber))
        return;
    if (!fiber->coroutine->ended)
        coroutine_resume_from(fiber->coroutine, caller);
    fiber_leave(fiber);
}

/* What uses the heap is not inlined into what changes threads: compilers know nothing of that, and
 * may keep the address of thread-local variables. */
static __attribute__((noinline)) slot fiber_begin(struct worker *worker)
{
    return tree_new(worker);
}

static __attribute__((noinline)) void fiber_step(struct coroutine *self, struct worker *worker,
                                                 slot mine)
{
    tree_check(worker, mine, "what a coroutine holds");
    table_change(worker);
    make_garbage(worker);
    if (chance(worker, 10))
        sleep_somehow(worker);
    if (chance(worker, 5))
        spin_shortly(worker);
    if (chance(worker, 10))
        run_another(self, worker);
    tree_check(worker, mine, "what a coroutine holds, later");
}

static void live_as_fiber(struct coroutine *self)
{
    struct fiber *fiber = self->argument;
    struct worker *worker = &fiber->worker;
    slot mine = fiber_begin(worker);

    worker->act = "live as a coroutine";
    for (uint64_t left = 1 + below(worker, 20); left > 0; left--) {
        coroutine_yield(self);
        fiber_step(self, worker, mine);
        if (chance(worker, 20))
            mine = fiber_begin(worker);
    }
}

void act_coroutines(struct worker *worker)
{
    slot mine = tree_new(worker);

    for (uint64_t left = 1 + below(worker, 10); left > 0; left--) {
        struct fiber *fiber = &fibers[below(worker, COROUTINES)];

        if (!fiber_try(fiber))
            continue;
        for (uint64_t steps = 1 + below(worker, 5); steps > 0 && !fiber->coroutine->ended; steps--)
            coroutine_resume(fiber->coroutine);
        if (fiber->coroutine->ended || chance(worker, 5))
            fiber_renew(fiber);
        fiber_leave(fiber);
    }
    tree_check(worker, mine, "what a thread that runs coroutines holds");
}

void stacks_init(struct worker *worker)
{
    (void)worker;
    for (size_t i = 0; i < COROUTINES; i++)
        fiber_renew(&fibers[i]);
}

void stacks_end(void)
{
    for (size_t i = 0; i < COROUTINES; i++)
        coroutine_free(fibers[i].coroutine);
}

/* ---- deep recursion ---- */

static void do_at_the_bottom(struct worker *worker)
{
    switch (below(worker, 3)) {
    case 0:
        tri_collect();
        break;
    case 1:
        sleep_somehow(worker);
        break;
    default:
        spin_shortly(worker);
    }
}

static __attribute__((noinline)) void recurse(struct worker *worker, uintptr_t end)
{
    slot mine = token_new(worker);

    if ((uintptr_t)__builtin_frame_address(0) > end)
        recurse(worker, end);
    else
        do_at_the_bottom(worker);
    check_slot(worker, mine, "a frame of a deep recursion");
}

/* Of the half of a thread's stack. */
static size_t most_bytes(void)
{
    pthread_attr_t attributes;
    size_t bytes = 0;

    if (pthread_getattr_default_np(&attributes) == 0) {
        pthread_attr_getstacksize(&attributes, &bytes);
        pthread_attr_destroy(&attributes);
    }
    return bytes / 2 < RECURSION_BYTES ? bytes / 2 : RECURSION_BYTES;
}

void act_recursion(struct worker *worker)
{
    size_t bytes = below(worker, chance(worker, 10) ? most_bytes() : 100000);

    recurse(worker, (uintptr_t)__builtin_frame_address(0) - bytes);
}

/* ---- alloca ---- */

static __attribute__((noinline)) void hold_in_alloca(struct worker *worker, size_t n)
{
    slot *mine = alloca(n * sizeof *mine);

    for (size_t i = 0; i < n; i++)
        mine[i] = chance(worker, 1) ? tree_new(worker) : token_new(worker);
    scrub_stack();
    do_at_the_bottom(worker);
    for (size_t i = 0; i < n; i++)
        tree_check(worker, mine[i], "memory from alloca");
}

void act_alloca(struct worker *worker)
{
    hold_in_alloca(worker, 1 + below(worker, ALLOCA_MOST));
}
