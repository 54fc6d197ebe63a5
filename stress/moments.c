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

bool await_move(const struct worker *worker, struct moves *moves)
{
    if (moves->made == moves->most)
        return false;
    if (moves->made > 0)
        await_time(moves->start + moves->mark_ns * (moves->made - 1) / moves->most);
    moves->made++;
    return barrier_state() == TRI__BARRIER_SCANNED && !must_leave(worker);
}

uint64_t await_last_move(const struct worker *worker, const struct moves *moves)
{
    while (barrier_state() == TRI__BARRIER_SCANNED && !must_leave(worker)) {
        tri_safepoint();
        pause_shortly();
    }
    return (moves->mark_ns + (now_ns() - moves->start)) / 2;
}
