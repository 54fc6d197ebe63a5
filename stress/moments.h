/* SPDX-License-Identifier: MIT */
/* stress/moments.h: where in the cycle the calling thread is, and waiting until it is somewhere
 * else. No other program should look. */
#ifndef TRI__STRESS_MOMENTS_H
#define TRI__STRESS_MOMENTS_H

#include "stress/worker.h"

/* How long to wait for a step of the cycle. */
#define MOMENT_NS UINT64_C(500000000)

static inline unsigned barrier_state(void)
{
    unsigned state = tri__self->barrier;

    return state == TRI__BARRIER_WATCHED ? TRI__BARRIER_IDLE : state;
}

static inline bool is_asked(void)
{
    return __atomic_load_n(&tri__self->request, __ATOMIC_RELAXED) != 0;
}

/* There is something else to do than waiting for a moment. */
bool must_leave(const struct worker *worker);

/* Answers requests until the thread's barrier is in that state, or is not. false: it takes too
 * long, or there is something else to do. */
bool await_state(const struct worker *worker, unsigned state, bool is);

/* Until this thread has been scanned, by a scan that is still to come. */
bool await_scan(const struct worker *worker);

/* Until a request comes in that state; it is left unanswered. */
bool await_request(const struct worker *worker, unsigned state);

/* Until the running cycle is over and swept: the next one has begun. */
void await_sweep(const struct worker *worker);

/* Answers requests until then. */
void await_time(uint64_t time);

/* Moves that a thread makes while a mark is running and it has been scanned: spread over the time
 * that marking takes, so that some come while the marker is at work on what they change. */
struct moves {
    uint64_t start, mark_ns, made, most;
};

static inline struct moves moves_from_now(uint64_t mark_ns, uint64_t most)
{
    return (struct moves){.start = now_ns(), .mark_ns = mark_ns, .most = most};
}

/* Waits until it is time for another move. false: there is none left, or the mark is over, or there
 * is something else to do. */
bool await_move(const struct worker *worker, struct moves *moves);

/* Waits for the end of the mark. Returns how long marking takes, for the next time. */
uint64_t await_last_move(const struct worker *worker, const struct moves *moves);

/* Makes the compiler write to memory what it thinks nobody reads: a scan of the stack does. */
static inline void on_the_stack(const void *variable)
{
    __asm__ volatile("" ::"r"(variable) : "memory");
}

#endif
