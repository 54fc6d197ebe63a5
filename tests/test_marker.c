/* SPDX-License-Identifier: MIT */
/* tests/test_marker.c: a marker that stops and goes on, shares its work, and has little room loses
 * nothing and counts everything. */
#include "suite.h"

#include <pthread.h>

#include "base/os.h"
#include "collector/marker.h"
#include "collector/work.h"
#include "heap/resolve.h"
#include "phase.h"

typedef struct node {
    struct node *left, *right;
} node;
TRI_TYPE(node, left, right);

#define WIDTH 64 /* as many pointers as a mask names */

typedef struct wide {
    node *nodes[WIDTH];
} wide;
TRI_TYPE(wide, nodes);

#define WIDES 300

typedef struct forest {
    wide *wides[WIDES];
} forest;
TRI_TYPE(forest, wides);

TRI_ROOT static node *trunk;
TRI_ROOT static forest *woods;

/* ---- objects ---- */

static node *tree(int depth)
{
    node *fresh = tri_new(node);

    ck_assert_ptr_nonnull(fresh);
    if (depth == 0)
        return fresh;
    tri_store(&fresh->left, tree(depth - 1));
    tri_store(&fresh->right, tree(depth - 1));
    return fresh;
}

#define DEPTH 12
#define TREE_NODES ((UINT64_C(2) << DEPTH) - 1)

static bool is_black(const void *object)
{
    struct tri__ref ref;

    return tri__resolve((uintptr_t)object, &ref) && tri__load_acquire(ref.colour) == TRI__BLACK;
}

static uint64_t count_black(const node *at)
{
    if (at == NULL)
        return 0;
    return is_black(at) + count_black(at->left) + count_black(at->right);
}

static struct tri__marker marker;

/* The collector has no markers that would take what a test shares. */
static void start(const char *verify)
{
    tri_config config = TRI_CONFIG_INIT;

    config.gc_percent = -1;
    config.markers = 1;
    config.verify = verify;
    ck_assert_int_eq(tri_init(&config), 0);
}

static void begin(void)
{
    begin_mark(TRI__BARRIER_SCANNED);
    tri__marked_reset();
    tri__marker_enter(&marker);
}

/* ---- one marker ---- */

/* Works a little, leaves, and finds what it has left when it comes again. */
START_TEST(quanta)
{
    static const uint64_t efforts[] = {1, 100, 3000, 20000};
    int rounds = 0;

    start(NULL);
    tri_store(&trunk, tree(DEPTH));
    begin();
    tri__marker_take((uintptr_t)trunk, &marker);
    for (;; rounds++) {
        tri__marker_work(&marker, efforts[_i]);
        tri__marker_leave(&marker);
        if (tri__work_is_done())
            break;
        tri__marker_enter(&marker);
    }
    ck_assert_int_gt(rounds, 2);
    ck_assert_uint_eq(count_black(trunk), TREE_NODES);
    ck_assert_uint_eq(tri__marked_objects(), TREE_NODES);
    ck_assert_uint_eq(tri__marked_bytes(), TREE_NODES * sizeof(node));
    end_mark();
    tri_shutdown();
}
END_TEST

/* Whatever room a chunk has left, there is enough for all that one object points to. */
START_TEST(wide_objects)
{
    start(NULL);
    tri_store(&woods, tri_new(forest));
    for (int i = 0; i < WIDES; i++) {
        tri_store(&woods->wides[i], tri_new(wide));
        for (int k = 0; k < WIDTH; k++)
            tri_store(&woods->wides[i]->nodes[k], tri_new(node));
    }
    begin();
    tri__marker_take((uintptr_t)woods, &marker);
    tri__marker_drain(&marker);
    tri__marker_leave(&marker);
    ck_assert(tri__work_is_done());
    ck_assert_uint_eq(tri__marked_objects(), 1 + WIDES + WIDES * WIDTH);
    for (int i = 0; i < WIDES; i++)
        for (int k = 0; k < WIDTH; k++)
            ck_assert(is_black(woods->wides[i]->nodes[k]));
    end_mark();
    tri_shutdown();
}
END_TEST

typedef uint64_t pixel;
TRI_LEAF_TYPE(pixel);

typedef struct image {
    node *owner;
    pixel pixels[];
} image;
TRI_FLEX_TYPE_OF(image, pixels, pixel, owner);

TRI_ROOT static image *picture;

/* What lies behind the last pointer is not looked at, and no effort: it would be others' share. */
START_TEST(a_large_object_costs_what_it_has_of_pointers)
{
    start(NULL);
    tri_store(&picture, tri_new_flex(image, (size_t)1 << 20));
    tri_store(&picture->owner, tree(0));
    begin();
    tri__marker_take((uintptr_t)picture, &marker);
    tri__marker_drain(&marker);
    tri__marker_leave(&marker);
    ck_assert(tri__work_is_done());
    ck_assert(is_black(picture->owner));
    ck_assert_uint_eq(tri__marked_objects(), 2);
    ck_assert_uint_eq(tri__marked_effort(),
                      2 * TRI__OBJECT_EFFORT + TRI_WORD + sizeof(node));
    end_mark();
    tri_shutdown();
}
END_TEST

#define REPEATS 20000

static void expect_effort_for(uintptr_t word)
{
    uint64_t before;

    begin();
    for (int i = 0; i < REPEATS; i++)
        tri__marker_take(word, &marker);
    before = marker.effort;
    tri__marker_work(&marker, 1000 * TRI__MARKED_EFFORT);
    ck_assert_uint_le(marker.effort - before, 1100 * TRI__MARKED_EFFORT);
    tri__marker_leave(&marker);
    ck_assert(!tri__work_is_done());
    tri__marker_enter(&marker);
    tri__marker_drain(&marker);
    tri__marker_leave(&marker);
    ck_assert(tri__work_is_done());
    end_mark();
}

/* A thread that assists must not go on for long because there is nothing to mark. */
START_TEST(what_is_marked_already_is_effort_too)
{
    start(NULL);
    tri_store(&trunk, tree(0));
    expect_effort_for((uintptr_t)trunk);
    ck_assert_uint_eq(tri__marked_objects(), 1);
    tri_shutdown();
}
END_TEST

START_TEST(what_leads_to_no_object_is_effort_too)
{
    start(NULL);
    expect_effort_for(tri__heap.base + tri__heap.bytes - TRI_WORD);
    ck_assert_uint_eq(tri__marked_objects(), 0);
    ck_assert_uint_eq(tri__marked_effort(), REPEATS * TRI__MARKED_EFFORT);
    tri_shutdown();
}
END_TEST

/* ---- somebody waits for work ---- */

static uint32_t over; /* atomic */

/* And takes none, so that the marker has to take what it has shared. */
static void *wait_for_work(void *unused)
{
    while (tri__load_acquire(&over) == 0)
        tri__work_wait(tri__work_events(), 1000000);
    return unused;
}

START_TEST(work_is_shared)
{
    pthread_t thread;

    start(NULL);
    tri_store(&trunk, tree(DEPTH));
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_work, NULL), 0);
    begin();
    tri__marker_take((uintptr_t)trunk, &marker);
    while (!tri__work_is_wanted())
        tri__os_yield();
    tri__marker_drain(&marker);
    tri__marker_leave(&marker);
    tri__store_release(&over, 1);
    pthread_join(thread, NULL);
    ck_assert(tri__work_is_done());
    ck_assert_uint_eq(count_black(trunk), TREE_NODES);
    ck_assert_uint_eq(tri__marked_objects(), TREE_NODES);
    end_mark();
    tri_shutdown();
}
END_TEST

/* ---- who leaves ---- */

#define ROUNDS 200000
#define ROUNDS_NS UINT64_C(3000000000)

static uint32_t round_of_helper, round_of_coordinator; /* atomic: each is inside in that round */
static uint32_t last_round;                            /* written before it begins */

static void wait_until(const uint32_t *round, uint32_t wanted)
{
    for (unsigned i = 1; tri__load_acquire(round) < wanted; i++)
        if (i % 4096 == 0)
            tri__os_yield(); /* there may be one processor */
}

/* In each round it marks one object that is white again. */
static void *help_often(void *unused)
{
    static struct tri__marker mine;

    for (uint32_t round = 1, last = 0; last == 0; round++) {
        wait_until(&round_of_coordinator, round);
        last = last_round == round;
        tri__marker_enter(&mine);
        tri__marker_take((uintptr_t)trunk, &mine);
        tri__store_release(&round_of_helper, round);
        tri__marker_drain(&mine);
        tri__marker_leave(&mine);
    }
    return unused;
}

/* Who finds the work done reads a count with all that was marked [mo.work]. */
START_TEST(what_was_marked_is_counted_when_the_work_is_done)
{
    struct tri__ref ref;
    uint64_t end = tri__os_now() + ROUNDS_NS;
    uint32_t round = 0;
    pthread_t thread;

    start(_i == 0 ? NULL : "chaos=1:work");
    tri_store(&trunk, tri_new(node));
    ck_assert(tri__resolve((uintptr_t)trunk, &ref));
    begin_mark(TRI__BARRIER_SCANNED);
    tri__marked_reset();
    ck_assert_int_eq(pthread_create(&thread, NULL, help_often, NULL), 0);
    while (last_round == 0) {
        tri__store_relaxed(ref.colour, (uint8_t)TRI__WHITE);
        tri__work_enter();
        round++;
        if (round == ROUNDS || tri__os_now() > end)
            last_round = round;
        tri__store_release(&round_of_coordinator, round);
        wait_until(&round_of_helper, round);
        tri__work_leave();
        while (!tri__work_is_done())
            continue;
        ck_assert_uint_eq(tri__marked_objects(), round);
    }
    pthread_join(thread, NULL);
    end_mark();
    tri_shutdown();
}
END_TEST

/* ---- who shares ---- */

static uint32_t leaving; /* atomic: the round in which the helper is about to leave */

static void *share_often(void *unused)
{
    for (uint32_t round = 1, last = 0; last == 0; round++) {
        struct tri__chunk *chunk;

        wait_until(&round_of_coordinator, round);
        last = last_round == round;
        tri__work_enter();
        chunk = tri__chunk_take();
        if (chunk == NULL)
            ck_abort_msg("no memory");
        tri__work_publish(chunk);
        tri__store_release(&leaving, round);
        tri__work_leave();
        tri__store_release(&round_of_helper, round);
    }
    return unused;
}

static struct tri__chunk *await_chunk(void)
{
    struct tri__chunk *chunk;

    while ((chunk = tri__work_take()) == NULL)
        tri__os_yield();
    return chunk;
}

/* However fast a shared chunk is taken and done with: the work is not, while who has shared it is
 * inside [inv.work.pending]. With delays between the steps. */
START_TEST(a_chunk_is_counted_before_it_is_shared)
{
    uint64_t end = tri__os_now() + ROUNDS_NS;
    uint32_t round = 0;
    pthread_t thread;

    start("chaos=1:work");
    ck_assert_int_eq(pthread_create(&thread, NULL, share_often, NULL), 0);
    while (last_round == 0) {
        struct tri__chunk *chunk;
        bool done;

        tri__work_enter();
        round++;
        if (round == ROUNDS || tri__os_now() > end)
            last_round = round;
        tri__store_release(&round_of_coordinator, round);
        chunk = await_chunk();
        tri__work_leave();
        done = tri__work_is_done();
        ck_assert(!done || tri__load_acquire(&leaving) == round);
        tri__chunk_give(chunk);
        wait_until(&round_of_helper, round);
        ck_assert(tri__work_is_done());
    }
    pthread_join(thread, NULL);
    tri_shutdown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("marker");
    TCase *core = tcase_create("core");

    tcase_set_timeout(core, 60);
    tcase_add_loop_test(core, quanta, 0, 4);
    tcase_add_test(core, wide_objects);
    tcase_add_test(core, a_large_object_costs_what_it_has_of_pointers);
    tcase_add_test(core, what_is_marked_already_is_effort_too);
    tcase_add_test(core, what_leads_to_no_object_is_effort_too);
    tcase_add_test(core, work_is_shared);
    tcase_add_loop_test(core, what_was_marked_is_counted_when_the_work_is_done, 0, 2);
    tcase_add_test(core, a_chunk_is_counted_before_it_is_shared);
    suite_add_tcase(suite, core);
    return run_suite(suite);
}
