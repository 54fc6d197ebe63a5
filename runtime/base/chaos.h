/* SPDX-License-Identifier: MIT */
/* TRICOLOR_VERIFY=chaos=SEED: makes rare interleavings frequent.
 *
 * At each of the points below a thread may yield, spin or sleep for some microseconds, and some
 * things are made small, so that their borders are met all the time. A seed says how often at which
 * point. Off, a point is a test of a byte, and on no inline path of allocation or stores is one.
 * Signal-safe. See: docs/chaos.md */
#ifndef TRI__BASE_CHAOS_H
#define TRI__BASE_CHAOS_H

#include <tricolor/base.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

enum tri__chaos_point {
    TRI__CHAOS_ANNOUNCE, /* "announce": after an announcement, before anybody is asked */
    TRI__CHAOS_ASK,      /* "ask": before a running thread is asked */
    TRI__CHAOS_ANSWER,   /* "answer": a thread has seen an announcement, and not acted on it yet */
    TRI__CHAOS_ANSWERED, /* "answered": it has acted, and not said so */
    TRI__CHAOS_COUNT,    /* "count": it has said so, and is not counted yet */
    TRI__CHAOS_SILENCE,  /* "silence": signals are sent early */
    TRI__CHAOS_BLOCK,    /* "block": a thread is about to say that it sleeps, or just has */
    TRI__CHAOS_WAKE,     /* "wake": it is about to say that it runs, or just has */
    TRI__CHAOS_CLAIM,    /* "claim": a sleeping thread has been claimed */
    TRI__CHAOS_ATTACH,   /* "attach", "detach": a thread is coming or going */
    TRI__CHAOS_DETACH,
    TRI__CHAOS_PREPARE,  /* "prepare" to "sweep": borders of a cycle's steps */
    TRI__CHAOS_H1,       /* "h1" */
    TRI__CHAOS_H1_AGAIN, /* "h1-again" */
    TRI__CHAOS_H2,       /* "h2" */
    TRI__CHAOS_ROOTS,    /* "roots" */
    TRI__CHAOS_MARK,     /* "mark" */
    TRI__CHAOS_H3,       /* "h3" */
    TRI__CHAOS_H4,       /* "h4" */
    TRI__CHAOS_SWEEP,    /* "sweep" */
    TRI__CHAOS_ASSIST,   /* "assist": a thread is inside, and has not looked whether it may */
    TRI__CHAOS_PUSH,     /* "push", "pop": of any lock-free stack */
    TRI__CHAOS_POP,
    TRI__CHAOS_EXCHANGE,   /* "exchange": of a barrier buffer; buffers are small */
    TRI__CHAOS_DRAIN,      /* "drain": entries of a buffer are being taken */
    TRI__CHAOS_WORK,       /* "work": a marker enters, leaves or publishes */
    TRI__CHAOS_FUTEX,      /* "futex": before a futex is waited for; or it is not */
    TRI__CHAOS_REFILL,     /* "refill": before a run is cut; runs are small */
    TRI__CHAOS_PAINT,      /* "paint": a run is cut, and its colours are not set yet */
    TRI__CHAOS_PUBLISH,    /* "publish": a page has its descriptor in the page table, not its class */
    TRI__CHAOS_RETRACT,    /* "retract": pages are out of it, and not free yet */
    TRI__CHAOS_SWEEP_SPAN, /* "sweep-span": a span was popped to be swept */
    TRI__CHAOS_CYCLE,      /* "cycle": one is started at a refill now and then */
    TRI__CHAOS_CHECK,      /* "check": tri_heap_check() has found a page in a span */
    TRI__CHAOS_POINTS
};

/* Atomic: a thread that frees what an earlier heap has left may look. */
extern uint8_t tri__chaos_on;
extern uint64_t tri__chaos_hits[TRI__CHAOS_POINTS]; /* for tests */

/* For tests: is called at each point that may delay, while chaos is on; so a test can look at what
 * stands between two steps. Set while no other thread is there; NULL otherwise. */
extern void (*tri__chaos_at_point)(enum tri__chaos_point point);

/* What stands behind "chaos": nothing, "=SEED", or "=SEED:POINT[+POINT...]", of so many characters.
 * *seed is 0 if none was given; no point given: all are meant. false: it does not say that. */
bool tri__chaos_parse(const char *text, size_t length, uint64_t *seed, uint64_t *points);

/* `points`: a bit each; 0 switches it off. Says on standard error what was chosen. Threads:
 * tri_init, before any other. */
void tri__chaos_init(uint64_t seed, uint64_t points);

/* Of 1 to `most`; only while it is on. */
uint32_t tri__chaos_number(uint32_t most);

void tri__chaos_slow(enum tri__chaos_point point);
bool tri__chaos_strikes_slow(enum tri__chaos_point point);

/* A delay, perhaps. */
static inline void tri__chaos(enum tri__chaos_point point)
{
    if (TRI__UNLIKELY(tri__load_relaxed(&tri__chaos_on) != 0))
        tri__chaos_slow(point);
}

/* true, sometimes: something out of the ordinary is to be done. No delay. */
static inline bool tri__chaos_strikes(enum tri__chaos_point point)
{
    return TRI__UNLIKELY(tri__load_relaxed(&tri__chaos_on) != 0) && tri__chaos_strikes_slow(point);
}

/* `usual`, or sometimes less: `least` at least. */
static inline uint32_t tri__chaos_less(enum tri__chaos_point point, uint32_t least, uint32_t usual)
{
    if (TRI__LIKELY(!tri__chaos_strikes(point)) || usual <= least)
        return usual;
    return least - 1 + tri__chaos_number(usual - least + 1 < 4 ? usual - least + 1 : 4);
}

#endif
