/* SPDX-License-Identifier: MIT */
/* tests/phase.h: brings all mutators into a phase of a mark that the test holds, with no marker
 * about, and shows what they shade.
 *
 * The coordinator must have nothing to do: automatic cycles off, no tri_collect() until the mark is
 * over. White objects do not survive the end of such a mark, for nothing was marked.
 * Threads: one, attached; the handshake answers for it as for any blocked thread. */
#ifndef TRI__TESTS_PHASE_H
#define TRI__TESTS_PHASE_H

#include <check.h>

#include <tricolor.h>

#include "mutator/handshake.h"
#include "suite.h"

static inline void ask_all(enum tri__request what)
{
    struct tri__handshake_report report;
    TRI_BLOCKING {
        tri__handshake(what, &report);
        tri__handshake_settle(&report);
    }
}

static inline struct tri__writer *own_writer(void)
{
    return &tri__mutator_self()->writer;
}

static inline void forget_entry(uintptr_t value, void *unused)
{
    (void)value, (void)unused;
}

/* Drops what has been shaded so far. */
static inline void forget_shaded(void)
{
    while (tri__buffer_drain_full(forget_entry, NULL) != 0)
        continue;
    tri__buffer_drain_writer(own_writer(), forget_entry, NULL);
}

/* Of a test that ends in it: what has overflowed does not matter any more. */
static inline void give_mark_up(void)
{
    end_held_mark = NULL;
    tri__overflow_take();
    if (!tri__buffers_close())
        return;
    ask_all(TRI__REQUEST_RELEASE);
    tri__buffer_discard_full();
}

/* The barrier is on; the thread's stack has not been scanned, or it has. */
static inline void begin_mark(enum tri__barrier_state state)
{
    end_held_mark = give_mark_up;
    tri__buffers_open();
    ask_all(TRI__REQUEST_ARM);
    if (state == TRI__BARRIER_SCANNED)
        ask_all(TRI__REQUEST_SCAN);
    ck_assert_uint_eq(tri__self->barrier, state);
    forget_shaded();
}

static inline void end_mark(void)
{
    end_held_mark = NULL;
    ck_assert(tri__buffers_close());
    ask_all(TRI__REQUEST_RELEASE);
    tri__buffer_discard_full();
    ck_assert_uint_eq(tri__self->barrier, TRI__BARRIER_IDLE);
}

#define SHADED_ROOM 100000

struct shaded {
    size_t count;
    uintptr_t entries[SHADED_ROOM];
};

static inline void keep_entry(uintptr_t value, void *shaded)
{
    struct shaded *to = shaded;
    if (to->count == SHADED_ROOM)
        ck_abort_msg("more is shaded than there is room for");
    to->entries[to->count++] = value;
}

/* What the calling thread has shaded since the last time, in order if it was less than a buffer. */
static inline const struct shaded *take_shaded(void)
{
    static struct shaded shaded;
    shaded.count = 0;
    while (tri__buffer_drain_full(keep_entry, &shaded) != 0)
        continue;
    tri__buffer_drain_writer(own_writer(), keep_entry, &shaded);
    return &shaded;
}

static inline bool is_among(const struct shaded *shaded, const void *p)
{
    for (size_t i = 0; i < shaded->count; i++)
        if (shaded->entries[i] == (uintptr_t)p)
            return true;
    return false;
}

/* Since the last time. */
static inline bool is_shaded(const void *p)
{
    return is_among(take_shaded(), p);
}

#endif
