/* SPDX-License-Identifier: MIT */
/* stress/moments.c: waiting for a moment of the cycle. */
#include "stress/moments.h"

bool must_leave(const struct worker *worker)
{
    uint32_t owner = __atomic_load_n(&gate_owner, __ATOMIC_RELAXED);

    return stopping() || !hurrying() || (owner != 0 && owner != worker->number);
}

bool await_state(const struct worker *worker, unsigned state, bool is)
{
    uint64_t end = now_ns() + MOMENT_NS;

    while ((barrier_state() == state) != is) {
        if (must_leave(worker) || now_ns() > end)
            return false;
        tri_safepoint();
        pause_shortly();
    }
    return true;
}

bool await_scan(const struct worker *worker)
{
    return await_state(worker, TRI__BARRIER_SCANNED, false) &&
           await_state(worker, TRI__BARRIER_SCANNED, true);
}

bool await_request(const struct worker *worker, unsigned state)
{
    uint64_t end = now_ns() + MOMENT_NS;

    while (barrier_state() != state || !is_asked()) {
        if (must_leave(worker) || now_ns() > end)
            return false;
        tri_safepoint();
        pause_shortly();
    }
    return true;
}

void await_sweep(const struct worker *worker)
{
    scrub_stack();
    if (await_state(worker, TRI__BARRIER_IDLE, true))
        await_state(worker, TRI__BARRIER_IDLE, false);
}

void await_time(uint64_t time)
{
    while (now_ns() < time) {
        tri_safepoint();
        pause_shortly();
    }
}
