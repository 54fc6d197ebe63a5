/* SPDX-License-Identifier: MIT */
/* tests/test_assist.c: no thread of the program marks once the verdict is being reached
 * [inv.assist.closed]. */
#include "suite.h"

#include <pthread.h>

#include "base/os.h"
#include "collected.h"
#include "collector/assist.h"
#include "collector/marker.h"
#include "collector/work.h"
#include "phase.h"

#define MOST_ROUNDS 1000000
#define MOST_NS UINT64_C(3000000000)

static uint64_t own_assists(void)
{
    return tri__load_acquire(&tri__mutator_self()->assists);
}

/* As at a safepoint of a thread that has a buffer to take on, if there is one. */
static void assist(void)
{
    own_writer()->owed = 1;
    tri__assist(tri__mutator_self(), 0);
}

/* Of words that are no pointers. */
static void give_a_buffer_away(void)
{
    for (unsigned i = 0; i < TRI__BUFFER_ENTRIES; i++)
        tri__buffer_push(own_writer(), 7);
    tri__buffer_surrender(own_writer());
}

START_TEST(assists_while_it_may)
{
    start_quiet();
    assist();
    ck_assert_uint_eq(own_assists(), 0); /* no mark is running */
    begin_mark(TRI__BARRIER_SCANNED);
    give_a_buffer_away();
    assist();
    ck_assert_uint_eq(own_assists(), 0);
    ck_assert_uint_eq(tri__buffers_full(), 1);
    tri__assist_open();
    assist();
    ck_assert_uint_eq(own_assists(), 1);
    ck_assert_uint_eq(tri__buffers_full(), 0);
    tri__assist_close();
    assist();
    ck_assert_uint_eq(own_assists(), 1);
    ck_assert(tri__work_is_done());
    end_mark();
    tri_shutdown();
}
END_TEST

/* A handshake does not wait for more than a few batches. */
START_TEST(who_is_asked_leaves)
{
    uint32_t *request;

    start_quiet();
    request = &own_writer()->cache.front.request;
    begin_mark(TRI__BARRIER_SCANNED);
    tri__assist_open();
    give_a_buffer_away();
    give_a_buffer_away();
    own_writer()->owed = 2;
    tri__fetch_or_relaxed(request, TRI__REQUEST_ASKED);
    tri__assist(tri__mutator_self(), 0);
    tri__fetch_and_relaxed(request, ~(uint32_t)TRI__REQUEST_ASKED);
    ck_assert_uint_eq(tri__buffers_full(), 1);
    assist();
    ck_assert_uint_eq(tri__buffers_full(), 0);
    tri__assist_close();
    end_mark();
    tri_shutdown();
}
END_TEST

typedef struct link {
    uintptr_t number;
    struct link *next;
} link_t;
TRI_TYPE(link_t, next);

#define LINKS 1000
#define LEAST_PORTION 8192 /* bytes of effort */

static link_t *own_list; /* white; no cycle ends in this test */

static void push_link(void)
{
    link_t *fresh = tri_new(link_t);

    ck_assert_ptr_nonnull(fresh);
    fresh->next = own_list; /* no mark is running */
    own_list = fresh;
}

/* Work that somebody has published. */
static void publish_the_list(void)
{
    struct tri__marker marker;

    tri__marker_enter(&marker);
    tri__marker_take((uintptr_t)own_list, &marker);
    tri__marker_leave(&marker);
}

static void mark_the_rest(void)
{
    struct tri__marker marker;

    tri__marker_enter(&marker);
    tri__marker_drain(&marker);
    tri__marker_leave(&marker);
}

/* A portion is no larger than what the pacer says, give or take two batches. */
START_TEST(a_portion_is_what_the_pacer_says)
{
    uint64_t most = LEAST_PORTION / (TRI__OBJECT_EFFORT + sizeof(link_t)) + 2 * TRI__BATCH, before;
    tri_config config = TRI_CONFIG_INIT;

    config.gc_percent = -1;
    config.markers = 1;
    ck_assert_int_eq(tri_init(&config), 0);
    for (unsigned i = 0; i < LINKS; i++)
        push_link();
    tri_alloc_bytes((size_t)16 << 20); /* more than the goal */
    begin_mark(TRI__BARRIER_SCANNED);
    tri__assist_open();
    publish_the_list();
    before = tri__marked_objects();
    tri_set_gc_percent(100);
    tri__assist(tri__mutator_self(), 1);
    tri_set_gc_percent(-1);
    ck_assert_uint_gt(tri__marked_objects(), before);
    ck_assert_uint_le(tri__marked_objects() - before, most);
    tri__assist_close();
    mark_the_rest();
    ck_assert_uint_eq(tri__marked_objects() - before, LINKS);
    end_mark();
    tri_shutdown();
}
END_TEST

/* ---- beside who closes ---- */

/* Both are there, so many times. */
static uint32_t arrived[2]; /* atomic */

static void meet(unsigned who)
{
    uint32_t mine = tri__load_relaxed(&arrived[who]) + 1;

    tri__store_release(&arrived[who], mine);
    for (unsigned i = 1; tri__load_acquire(&arrived[!who]) < mine; i++)
        if (i % 4096 == 0)
            tri__os_yield(); /* there may be one processor */
}

static uint32_t is_over; /* atomic */

struct closing {
    const uint64_t *assists; /* of the other thread */
    unsigned rounds, quiet, late;
};

/* The other thread has some way to go from where both meet: a little more each time. */
static void pass_time(unsigned round)
{
    for (volatile unsigned i = round % 256; i > 0;)
        i = i - 1;
}

/* The coordinator's part: from the moment at which it has closed and found nobody inside, nobody
 * assists. Who is inside is not waited for, but the round says nothing then. */
static void close_once(struct closing *closing)
{
    uint64_t before;
    bool done;

    tri__assist_open();
    meet(0);
    pass_time(closing->rounds);
    tri__assist_close();
    done = tri__work_is_done();
    before = tri__load_relaxed(closing->assists);
    meet(0);
    closing->quiet += done;
    closing->late += done && tri__load_relaxed(closing->assists) != before;
}

static void *close_often(void *argument)
{
    struct closing *closing = argument;
    uint64_t end = tri__os_now() + MOST_NS;

    for (bool more = true; more; closing->rounds++) {
        close_once(closing);
        more = closing->rounds < MOST_ROUNDS && tri__os_now() < end;
        tri__store_relaxed(&is_over, !more);
        meet(0);
    }
    return NULL;
}

/* Each stores before it loads: the flag and `pending`, or the other way round [mo.assist]. With
 * delays between the first look of an assist and its coming in; and without, for processors that
 * reorder. */
START_TEST(closing_beside_an_assist)
{
    tri_config config = TRI_CONFIG_INIT;
    struct closing closing = {0};
    pthread_t thread;

    config.gc_percent = -1;
    config.markers = 1;
    config.verify = _i == 0 ? NULL : "chaos=1:work";
    ck_assert_int_eq(tri_init(&config), 0);
    begin_mark(TRI__BARRIER_SCANNED);
    closing.assists = &tri__mutator_self()->assists;
    ck_assert_int_eq(pthread_create(&thread, NULL, close_often, &closing), 0);
    do {
        meet(1);
        assist();
        meet(1);
        meet(1);
    } while (!tri__load_relaxed(&is_over));
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_msg(closing.late == 0, "%u of %u rounds had an assist after the end", closing.late,
                  closing.rounds);
    ck_assert_uint_gt(closing.quiet, 0);
    end_mark();
    tri_shutdown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("assist");
    TCase *core = tcase_create("core");

    tcase_set_timeout(core, 60);
    tcase_add_test(core, assists_while_it_may);
    tcase_add_test(core, who_is_asked_leaves);
    tcase_add_test(core, a_portion_is_what_the_pacer_says);
    tcase_add_loop_test(core, closing_beside_an_assist, 0, 2);
    suite_add_tcase(suite, core);
    return run_suite(suite);
}
