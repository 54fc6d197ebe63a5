/* SPDX-License-Identifier: MIT */
/* base/chaos.c: which point, how often, how long.
 *
 * A seed makes some points busy and leaves others almost alone: a bug needs delays at the one or two
 * places that matter, and delays everywhere leave things in the order they would have had. Each
 * thread has random numbers of its own. The same seed gives the same plan, not the same run: the
 * system schedules as it likes. */
#include "base/chaos.h"

#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/fatal.h"
#include "base/os.h"

uint8_t tri__chaos_on;
uint64_t tri__chaos_hits[TRI__CHAOS_POINTS];
void (*tri__chaos_at_point)(enum tri__chaos_point point);

/* Atomic, though const after init: a thread of an earlier heap's may still look. */
static uint64_t plan_seed;
static uint8_t plan[TRI__CHAOS_POINTS]; /* of 256 visits, so many strike */
static uint32_t threads;                /* atomic: that have had a number */

/* Not zero once the thread has drawn one. A signal handler may draw in between, which does no
 * harm. */
static __thread uint64_t state __attribute__((tls_model("initial-exec")));

/* When the thread may be delayed again. */
static __thread uint64_t rested __attribute__((tls_model("initial-exec")));

static const char *const names[TRI__CHAOS_POINTS] = {
    [TRI__CHAOS_ANNOUNCE] = "announce", [TRI__CHAOS_ASK] = "ask",
    [TRI__CHAOS_ANSWER] = "answer",     [TRI__CHAOS_ANSWERED] = "answered",
    [TRI__CHAOS_COUNT] = "count",       [TRI__CHAOS_SILENCE] = "silence",
    [TRI__CHAOS_BLOCK] = "block",       [TRI__CHAOS_WAKE] = "wake",
    [TRI__CHAOS_CLAIM] = "claim",       [TRI__CHAOS_ATTACH] = "attach",
    [TRI__CHAOS_DETACH] = "detach",     [TRI__CHAOS_PREPARE] = "prepare",
    [TRI__CHAOS_H1] = "h1",             [TRI__CHAOS_H1_AGAIN] = "h1-again",
    [TRI__CHAOS_H2] = "h2",             [TRI__CHAOS_ROOTS] = "roots",
    [TRI__CHAOS_MARK] = "mark",         [TRI__CHAOS_H3] = "h3",
    [TRI__CHAOS_H4] = "h4",             [TRI__CHAOS_SWEEP] = "sweep",
    [TRI__CHAOS_ASSIST] = "assist",     [TRI__CHAOS_PUSH] = "push",
    [TRI__CHAOS_POP] = "pop",           [TRI__CHAOS_EXCHANGE] = "exchange",
    [TRI__CHAOS_DRAIN] = "drain",       [TRI__CHAOS_WORK] = "work",
    [TRI__CHAOS_FUTEX] = "futex",       [TRI__CHAOS_REFILL] = "refill",
    [TRI__CHAOS_PAINT] = "paint",       [TRI__CHAOS_PUBLISH] = "publish",
    [TRI__CHAOS_RETRACT] = "retract",   [TRI__CHAOS_SWEEP_SPAN] = "sweep-span",
    [TRI__CHAOS_CYCLE] = "cycle",       [TRI__CHAOS_CHECK] = "check",
};
_Static_assert(TRI__CHAOS_POINTS <= 64, "a bit each");

#define ALL_POINTS ((UINT64_C(1) << TRI__CHAOS_POINTS) - 1)

/* ---- random numbers ---- */

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t draw(void)
{
    if (state == 0)
        state = mix(tri__load_relaxed(&plan_seed) + tri__fetch_add_relaxed(&threads, 1)) | 1;
    state += UINT64_C(0x9e3779b97f4a7c15) << 1; /* stays odd, so never 0 */
    return mix(state);
}

uint32_t tri__chaos_number(uint32_t most)
{
    return (uint32_t)(draw() >> 32) % most + 1;
}

/* ---- text ---- */

static bool parse_seed(const char **text, const char *end, uint64_t *seed)
{
    const char *first = *text;

    for (*seed = 0; *text < end && **text >= '0' && **text <= '9'; ++*text)
        if (__builtin_mul_overflow(*seed, 10u, seed) ||
            __builtin_add_overflow(*seed, (unsigned)(**text - '0'), seed))
            return false;
    return *text != first;
}

/* The bit of the point that is named in so many characters; 0: there is none. */
static uint64_t point_named(const char *name, size_t length)
{
    for (unsigned i = 0; i < TRI__CHAOS_POINTS; i++)
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
            return UINT64_C(1) << i;
    return 0;
}

static bool parse_points(const char *text, const char *end, uint64_t *points)
{
    *points = 0;
    for (;; text++) {
        const char *plus = memchr(text, '+', (size_t)(end - text));
        size_t length = (size_t)((plus != NULL ? plus : end) - text);
        uint64_t point = point_named(text, length);

        if (point == 0)
            return false;
        *points |= point;
        text += length;
        if (text == end)
            return true;
    }
}

bool tri__chaos_parse(const char *text, size_t length, uint64_t *seed, uint64_t *points)
{
    const char *end = text + length;

    *seed = 0;
    *points = ALL_POINTS;
    if (length == 0)
        return true;
    if (*text++ != '=' || !parse_seed(&text, end, seed))
        return false;
    return text == end || (*text == ':' && parse_points(text + 1, end, points));
}

/* ---- the plan ---- */

/* A quarter of the points is hit often, a quarter hardly ever. Points that were named are. */
static uint8_t share_of(unsigned point, uint64_t points)
{
    static const uint8_t shares[] = {2, 8, 24, 96};

    if ((points >> point & 1) == 0)
        return 0;
    return points != ALL_POINTS ? 128 : shares[mix(plan_seed ^ mix(point)) % 4];
}

static void say(uint64_t points)
{
    char text[512];
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < TRI__CHAOS_POINTS && points != ALL_POINTS; i++)
        if ((points >> i & 1) != 0) {
            size_t length = strlen(names[i]);

            text[used] = used == 0 ? ':' : '+';
            memcpy(text + used + 1, names[i], length + 1);
            used += length + 1;
        }
    tri__warn("TRICOLOR_VERIFY=chaos=%llu%s", (unsigned long long)plan_seed, text);
}

void tri__chaos_init(uint64_t seed, uint64_t points)
{
    tri__store_relaxed(&tri__chaos_on, points != 0);
    if (points == 0)
        return;
    tri__store_relaxed(&plan_seed, seed != 0 ? seed : tri__os_now() % 1000000 + 1);
    for (unsigned i = 0; i < TRI__CHAOS_POINTS; i++) {
        tri__store_relaxed(&plan[i], share_of(i, points));
        tri__store_relaxed(&tri__chaos_hits[i], 0);
    }
    say(points);
}

/* ---- a visit ---- */

static void spin(uint32_t times)
{
    for (volatile uint32_t i = 0; i < times; i++)
        continue;
}

__attribute__((noinline, cold)) bool tri__chaos_strikes_slow(enum tri__chaos_point point)
{
    tri__fetch_add_relaxed(&tri__chaos_hits[point], 1);
    return (draw() >> 56) < tri__load_relaxed(&plan[point]);
}

/* Mostly yields; one in four sleeps, for that long or, seldom, for longer than a handshake takes. */
static void pause_for_others(void)
{
    uint32_t kind = tri__chaos_number(32);

    if (kind <= 24)
        tri__os_yield();
    else
        tri__os_sleep(kind == 32 ? tri__chaos_number(1000000) : tri__chaos_number(50000));
}

/* Where processors are rare a yield may last for milliseconds. A thread shall get on: it runs half
 * as long as it was away before it gives the processor away again, and spins meanwhile. */
__attribute__((noinline, cold)) void tri__chaos_slow(enum tri__chaos_point point)
{
    int error = errno;
    uint64_t start;

    if (tri__chaos_at_point != NULL)
        tri__chaos_at_point(point);
    if (!tri__chaos_strikes_slow(point))
        return;
    start = tri__os_now();
    if (start < rested || tri__chaos_number(4) == 1) {
        spin(tri__chaos_number(2000));
    } else {
        pause_for_others();
        uint64_t end = tri__os_now();
        rested = end + (end - start) / 2;
    }
    errno = error;
}
