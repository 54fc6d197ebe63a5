/* SPDX-License-Identifier: MIT */
/* Threads: attaching, detaching, TRI_BLOCKING, handshakes with threads that run, sleep, wake and
 * end, and rules whose breach is fatal. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "capture.h"
#include "collected.h"
#include "heap/resolve.h"
#include "phase.h"
#include "suite.h"

typedef struct node {
    struct node *next;
    uintptr_t key;
} node;
TRI_TYPE(node, next);

#define MAGIC 0x7265616c6c7921ul

static void collect_some(int n)
{
    for (int i = 0; i < n; i++)
        tri_collect();
}

static void start_thread(pthread_t *thread, void *(*function)(void *), void *argument)
{
    ck_assert_int_eq(pthread_create(thread, NULL, function, argument), 0);
}

static void *join(pthread_t thread)
{
    void *result;
    int status;
    TRI_BLOCKING
        status = pthread_join(thread, &result);
    ck_assert_int_eq(status, 0);
    return result;
}

static uint64_t attached(void)
{
    tri_stats stats = TRI_STATS_INIT;
    ck_assert_int_eq(tri_stats_get(&stats), 0);
    return stats.threads;
}

/* ---- attaching ---- */

static bool is_attached(void)
{
    return tri__self != &tri__unattached;
}

static void first_use(int how)
{
    static node *slot;
    switch (how) {
    case 0:
        ck_assert_int_eq(tri_thread_attach(), 0);
        break;
    case 1:
        ck_assert_ptr_nonnull(tri_new(node));
        break;
    case 2:
        ck_assert_ptr_nonnull(tri_alloc_bytes(3));
        break;
    case 3:
        tri_store(&slot, NULL);
        break;
    case 4:
        ck_assert_ptr_nonnull(tri_handle_new(NULL));
        break;
    case 5:
        tri_memclr(&slot, sizeof slot);
        break;
    default:
        tri_collect();
    }
}
#define USES 7

static void *attach_by_use(void *how)
{
    static node root;

    ck_assert(!is_attached());
    tri_safepoint();
    ck_assert_ptr_null(tri_object_base(&how));
    TRI_BLOCKING
        ck_assert(!is_attached());
    ck_assert_int_eq(tri_root_add(&root, &tri_type_node, 1), 0); /* it leaves again */
    ck_assert_int_eq(tri_root_remove(&root), 0);
    ck_assert(!is_attached());
    first_use((int)(intptr_t)how);
    ck_assert(is_attached());
    ck_assert_uint_eq(attached(), 2);
    tri_thread_detach();
    ck_assert(!is_attached());
    ck_assert_uint_eq(attached(), 1);
    first_use((int)(intptr_t)how == 4 ? 1 : (int)(intptr_t)how); /* a root is added once */
    ck_assert(is_attached());
    return NULL; /* the end detaches */
}

START_TEST(the_first_use_attaches)
{
    pthread_t thread;
    start_quiet();
    ck_assert(is_attached());
    ck_assert_uint_eq(attached(), 1);
    start_thread(&thread, attach_by_use, (void *)(intptr_t)_i);
    join(thread);
    ck_assert_uint_eq(attached(), 1);
    tri_shutdown();
    ck_assert(!is_attached());
}
END_TEST

static void *attach_nested(void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(tri_thread_attach(), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert(is_attached());
        tri_thread_detach();
    }
    ck_assert(!is_attached());
    tri_new(node);
    ck_assert_int_eq(tri_thread_attach(), 0); /* some library does so, and undoes it */
    tri_thread_detach();
    ck_assert(is_attached());
    tri_thread_detach();
    ck_assert(!is_attached());
    return NULL;
}

START_TEST(attaches_nest)
{
    pthread_t thread;
    start_quiet();
    start_thread(&thread, attach_nested, NULL);
    join(thread);
    ck_assert_uint_eq(attached(), 1);
    tri_shutdown();
}
END_TEST

static pthread_key_t key;

static void use_heap_at_the_end(void *again)
{
    node *p = tri_new(node);
    ck_assert_ptr_nonnull(p);
    if (again == (void *)1)
        ck_assert_int_eq(pthread_setspecific(key, (void *)2), 0);
}

static void *end_late(void *unused)
{
    (void)unused;
    tri_new(node);
    ck_assert_int_eq(pthread_setspecific(key, (void *)1), 0);
    return NULL;
}

/* Destructors of the program's that run after ours. */
START_TEST(the_heap_is_used_while_a_thread_ends)
{
    pthread_t thread;
    start_quiet();
    ck_assert_int_eq(pthread_key_create(&key, use_heap_at_the_end), 0);
    start_thread(&thread, end_late, NULL);
    join(thread);
    ck_assert_uint_eq(attached(), 1);
    tri_collect();
    tri_shutdown();
}
END_TEST

static void *join_phase(void *phase)
{
    struct tri__ref ref;

    ck_assert(tri__resolve((uintptr_t)tri_new(node), &ref));
    ck_assert_uint_eq(tri__self->barrier, (uintptr_t)phase);
    ck_assert_int_eq(tri__load_acquire(ref.colour) == TRI__BLACK,
                     (uintptr_t)phase == TRI__BARRIER_SCANNED); /* [inv.alloc.black] */
    return NULL;
}

START_TEST(new_threads_join_the_phase)
{
    pthread_t thread;
    start_quiet();
    if (_i != TRI__BARRIER_IDLE)
        begin_mark((enum tri__barrier_state)_i);
    start_thread(&thread, join_phase, (void *)(intptr_t)_i);
    join(thread);
    tri_shutdown();
}
END_TEST

static node *left_behind;

static void *shade_and_leave(void *unused)
{
    static node *slot;
    (void)unused;
    left_behind = tri_new(node);
    tri_store(&slot, left_behind);
    return NULL;
}

/* What a thread has shaded outlives it. */
START_TEST(leaving_during_a_mark)
{
    const struct shaded *shaded;
    pthread_t thread;
    bool found = false;
    start_quiet();
    begin_mark(TRI__BARRIER_SCANNED);
    start_thread(&thread, shade_and_leave, NULL);
    join(thread);
    shaded = take_shaded();
    for (size_t i = 0; i < shaded->count; i++)
        found = found || shaded->entries[i] == (uintptr_t)left_behind;
    ck_assert(found);
    tri_shutdown();
}
END_TEST

/* ---- TRI_BLOCKING ---- */

static uint32_t state(void)
{
    return tri__load_relaxed(&tri__mutator_self()->state);
}

static int leave_by_return(void)
{
    TRI_BLOCKING {
        ck_assert_uint_eq(state(), TRI__BLOCKED);
        return 4711;
    }
    return 0;
}

static void check_running(void)
{
    ck_assert_uint_eq(state(), TRI__RUNNING);
    ck_assert_uint_eq(tri__mutator_self()->blocking_depth, 0);
}

START_TEST(ways_out_of_blocking)
{
    int turns = 0;
    start_quiet();
    TRI_BLOCKING {
        ck_assert_uint_eq(state(), TRI__BLOCKED);
        turns++;
    }
    check_running();
    TRI_BLOCKING {
        turns++;
        if (turns == 2)
            break;
        turns = 100;
    }
    check_running();
    TRI_BLOCKING {
        turns++;
        if (turns == 3)
            continue;
        turns = 100;
    }
    check_running();
    TRI_BLOCKING {
        turns++;
        goto out;
    }
out:
    check_running();
    ck_assert_int_eq(turns, 4);
    ck_assert_int_eq(leave_by_return(), 4711);
    check_running();
    tri_blocking_begin();
    ck_assert_uint_eq(state(), TRI__BLOCKED);
    tri_blocking_end();
    check_running();
}
END_TEST

static void block_inside(void)
{
    TRI_BLOCKING {
        tri_blocking_begin();
        ck_assert_uint_eq(tri__mutator_self()->blocking_depth, 3);
        tri_blocking_end();
        ck_assert_uint_eq(state(), TRI__BLOCKED);
    }
}

START_TEST(blocks_nest)
{
    start_quiet();
    TRI_BLOCKING {
        block_inside();
        ck_assert_uint_eq(state(), TRI__BLOCKED);
    }
    check_running();
}
END_TEST

/* What a thread has left to do for others it does when it is awake. */
START_TEST(a_safepoint_in_a_block)
{
    struct tri__mutator *self;
    start_quiet();
    self = tri__mutator_self();
    tri__fetch_or_relaxed(&self->writer.cache.front.request, TRI__REQUEST_ASIDE);
    TRI_BLOCKING {
        tri_safepoint();
        ck_assert_uint_eq(state(), TRI__BLOCKED);
    }
    tri_safepoint();
    check_running();
}
END_TEST

static pthread_barrier_t meeting;

static void meet(void)
{
    TRI_BLOCKING
        pthread_barrier_wait(&meeting);
}

static void prepare_meeting(unsigned threads)
{
    ck_assert_int_eq(pthread_barrier_init(&meeting, NULL, threads), 0);
}

/* Objects that only locals point to: of the function with the block, and of its callers. */
static __attribute__((noinline)) uintptr_t sleep_with(node *mine, uintptr_t depth)
{
    node *local = tri_new(node);
    local->key = MAGIC + depth;
    if (depth > 0)
        return sleep_with(local, depth - 1) + (mine->key - MAGIC);
    TRI_BLOCKING {
        pthread_barrier_wait(&meeting); /* the collector runs from here */
        pthread_barrier_wait(&meeting); /* to here */
    }
    for (int i = 0; i < 2000; i++)
        tri_new(node); /* whatever was freed is used again */
    return (local->key - MAGIC) + (mine->key - MAGIC);
}

static void *sleeper_main(void *unused)
{
    node *mine = tri_new(node);
    (void)unused;
    mine->key = MAGIC + 1000;
    return (void *)sleep_with(mine, 5);
}

#define SLEEPERS 20

START_TEST(sleeping_threads_hold_their_objects)
{
    pthread_t threads[SLEEPERS];
    start_quiet();
    prepare_meeting(SLEEPERS + 1);
    for (int i = 0; i < SLEEPERS; i++)
        start_thread(&threads[i], sleeper_main, NULL);
    meet();
    collect_some(3);
    ck_assert_uint_eq(attached(), SLEEPERS + 1);
    meet();
    for (int i = 0; i < SLEEPERS; i++)
        ck_assert_uint_eq((uintptr_t)join(threads[i]), 1000 + 5 + 4 + 3 + 2 + 1);
    tri_shutdown();
}
END_TEST

/* A thread that wakes and sleeps all the time, so that it often wakes while it is claimed. */
static uint32_t stop; /* atomic */

static bool stopped(void)
{
    return __atomic_load_n(&stop, __ATOMIC_RELAXED) != 0;
}

static void *flicker_main(void *unused)
{
    node *mine = NULL;
    uintptr_t count = 0;
    (void)unused;
    while (!stopped()) {
        if (count % 100 == 0)
            mine = NULL;
        node *fresh = tri_new(node);
        fresh->key = count++;
        tri_init_store(&fresh->next, mine);
        mine = fresh;
        TRI_BLOCKING
            sched_yield();
        if (mine->key != count - 1 || (mine->next != NULL && mine->next->key != count - 2))
            return "an object was freed too early";
    }
    return NULL;
}

static void *spinner_main(void *unused)
{
    node *mine = tri_new(node);
    (void)unused;
    mine->key = MAGIC;
    while (!stopped())
        tri_safepoint();
    return mine->key == MAGIC ? NULL : "an object was freed too early";
}

static void *idler_main(void *unused)
{
    node *mine = tri_new(node);
    (void)unused;
    mine->key = MAGIC;
    TRI_BLOCKING
        while (!stopped())
            usleep(1000);
    return mine->key == MAGIC ? NULL : "an object was freed too early";
}

START_TEST(cycles_beside_threads_of_all_kinds)
{
    void *(*const mains[])(void *) = {flicker_main, spinner_main, idler_main, flicker_main};
    pthread_t threads[4];
    void *error;
    start_quiet();
    for (int i = 0; i < 4; i++)
        start_thread(&threads[i], mains[i], NULL);
    collect_some(150);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 4; i++) {
        error = join(threads[i]);
        ck_assert_msg(error == NULL, "thread %d: %s", i, (char *)error);
    }
    tri_shutdown();
}
END_TEST

START_TEST(handshakes_with_many_blocked_threads)
{
    enum { THREADS = 100 };
    struct tri__handshake_report report;
    pthread_t threads[THREADS];
    start_quiet();
    for (int i = 0; i < THREADS; i++)
        start_thread(&threads[i], idler_main, NULL);
    while (attached() != THREADS + 1)
        usleep(1000);
    for (int i = 0; i < 300; i++) {
        TRI_BLOCKING
            tri__handshake(TRI__REQUEST_PING, &report);
        if (i == 0) /* some may be on their way to their first TRI_BLOCKING */
            usleep(10000);
        else
            ck_assert_uint_eq(report.mutators, 0);
        ck_assert_uint_le(report.slowest_ns, report.ns);
    }
    collect_some(3);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        ck_assert_ptr_null(join(threads[i]));
    tri_shutdown();
}
END_TEST

/* ---- handshakes and sleep, one step at a time ---- */

static void announce(enum tri__request what)
{
    struct tri__handshake_report report;
    TRI_BLOCKING
        tri__handshake(what, &report);
}

/* How many threads had to be visited; the caller, who sleeps meanwhile, is one unless the
 * announcement is an old one. */
static size_t settle(void)
{
    struct tri__handshake_report report;
    TRI_BLOCKING
        tri__handshake_settle(&report);
    return report.asleep;
}

static node *first_slot;
static uintptr_t sleeps_with; /* hidden */

static bool find_shaded(uintptr_t value)
{
    const struct shaded *shaded = take_shaded();
    for (size_t i = 0; i < shaded->count; i++)
        if (shaded->entries[i] == value)
            return true;
    return false;
}

/* Sleeps from one meeting to the next, and stores before anything else. */
static void *store_when_it_wakes(void *unused)
{
    node *mine = tri_new(node);
    (void)unused;
    TRI_BLOCKING {
        pthread_barrier_wait(&meeting);
        pthread_barrier_wait(&meeting);
    }
    tri_store(&first_slot, mine);
    return find_shaded((uintptr_t)mine) ? NULL : "the first store was not shaded";
}

START_TEST(a_thread_sleeps_through_h1)
{
    pthread_t thread;
    void *error;
    start_quiet();
    prepare_meeting(2);
    start_thread(&thread, store_when_it_wakes, NULL);
    meet();
    tri__buffers_open();
    announce(TRI__REQUEST_ARM);
    announce(TRI__REQUEST_PING);
    meet();
    error = join(thread);
    ck_assert_msg(error == NULL, "%s", (char *)error);
    ask_all(TRI__REQUEST_SCAN);
    end_mark();
    tri_shutdown();
}
END_TEST

static void *be_scanned_when_it_wakes(void *unused)
{
    node *mine = tri_new(node);
    (void)unused;
    TRI_BLOCKING {
        pthread_barrier_wait(&meeting);
        pthread_barrier_wait(&meeting);
    }
    if (tri__self->barrier != TRI__BARRIER_SCANNED)
        return "it goes on, and has not been scanned";
    return find_shaded((uintptr_t)mine) ? NULL : "its stack was not looked at";
}

START_TEST(a_thread_wakes_before_h2_is_settled)
{
    pthread_t thread;
    void *error;
    start_quiet();
    prepare_meeting(2);
    start_thread(&thread, be_scanned_when_it_wakes, NULL);
    meet();
    tri__buffers_open();
    announce(TRI__REQUEST_ARM);
    announce(TRI__REQUEST_SCAN);
    meet();
    error = join(thread);
    ck_assert_msg(error == NULL, "%s", (char *)error);
    settle();
    end_mark();
    tri_shutdown();
}
END_TEST

/* Sleeps, stores, sleeps again. */
static void *store_between_naps(void *unused)
{
    node *mine = tri_new(node);
    (void)unused;
    TRI_BLOCKING {
        pthread_barrier_wait(&meeting);
        pthread_barrier_wait(&meeting);
    }
    sleeps_with = ~(uintptr_t)mine;
    tri_store(&first_slot, mine);
    TRI_BLOCKING {
        pthread_barrier_wait(&meeting);
        pthread_barrier_wait(&meeting);
    }
    return NULL;
}

static size_t flush(void)
{
    announce(TRI__REQUEST_FLUSH);
    return settle();
}

START_TEST(a_sleeper_is_scanned_once)
{
    pthread_t thread;
    start_quiet();
    prepare_meeting(2);
    start_thread(&thread, store_between_naps, NULL);
    meet();
    begin_mark(TRI__BARRIER_SCANNED);
    ck_assert_uint_eq(flush(), 0);
    forget_shaded();
    meet();
    meet(); /* it has run */
    ck_assert(!find_shaded(~sleeps_with));
    ck_assert_uint_eq(flush(), 1);
    ck_assert(find_shaded(~sleeps_with));
    ck_assert_uint_eq(flush(), 0);
    end_mark(); /* an H4 is for everybody */
    meet();
    join(thread);
    tri_shutdown();
}
END_TEST

/* The number of a phase, and the state of barriers in it; 0 while it changes. */
static uint64_t phase_now; /* atomic */

static const char *check_phase(void)
{
    uint64_t seen = tri__load_seqcst(&phase_now);
    uint8_t barrier = tri__self->barrier;
    if (seen != 0 && tri__load_seqcst(&phase_now) == seen && barrier != seen % 4)
        return "it runs on in an old phase";
    return NULL;
}

/* Some sleep until the phase changes: if one fell asleep without an answer that is waited for, it
 * would sleep for ever. */
static void *nap_main(void *store)
{
    node *mine = tri_new(node);
    const char *error = NULL;
    while (error == NULL && !stopped()) {
        uint64_t seen = tri__load_seqcst(&phase_now);
        TRI_BLOCKING
            while (store == NULL && !stopped() && tri__load_seqcst(&phase_now) == seen)
                sched_yield();
        error = check_phase();
        if (store != NULL)
            tri_store(&mine->next, mine);
        tri_safepoint();
    }
    return (void *)error;
}

static void change_phase(enum tri__request what, enum tri__barrier_state barrier)
{
    static uint64_t number;
    tri__store_seqcst(&phase_now, 0);
    announce(what);
    tri__store_seqcst(&phase_now, 4 * ++number + barrier);
    if (what != TRI__REQUEST_ARM)
        settle();
}

START_TEST(wakings_beside_handshakes)
{
    enum { THREADS = 4, MARKS = 400 };
    pthread_t threads[THREADS];
    void *error;
    start_quiet();
    for (int i = 0; i < THREADS; i++)
        start_thread(&threads[i], nap_main, i % 2 != 0 ? &stop : NULL);
    for (int i = 0; i < MARKS; i++) {
        tri__buffers_open();
        change_phase(TRI__REQUEST_ARM, TRI__BARRIER_UNSCANNED);
        change_phase(TRI__REQUEST_SCAN, TRI__BARRIER_SCANNED);
        change_phase(TRI__REQUEST_FLUSH, TRI__BARRIER_SCANNED);
        ck_assert(tri__buffers_close());
        change_phase(TRI__REQUEST_RELEASE, TRI__BARRIER_IDLE);
        tri__buffer_discard_full();
    }
    heap_is_left_wrong = true; /* nobody sweeps what they allocate black */
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++) {
        error = join(threads[i]);
        ck_assert_msg(error == NULL, "thread %d: %s", i, (char *)error);
    }
    tri_shutdown();
}
END_TEST

/* ---- threads that end ---- */

static void *short_main(void *argument)
{
    node *first = argument;
    ck_assert_uint_eq(first->key, MAGIC);
    for (int i = 0; i < 50; i++) {
        node *fresh = tri_new(node);
        tri_store(&fresh->next, first->next);
        tri_store(&first->next, fresh);
    }
    return first->next == NULL ? "nothing was stored" : NULL;
}

static void *storm_main(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++) {
        node *argument = tri_new(node);
        pthread_t thread;
        argument->key = MAGIC;
        ck_assert_int_eq(tri_thread_create(&thread, NULL, short_main, argument), 0);
        ck_assert_ptr_null(join(thread));
    }
    return NULL;
}

START_TEST(storms_of_short_threads)
{
    pthread_t threads[3];
    start_quiet();
    for (int i = 0; i < 3; i++)
        start_thread(&threads[i], storm_main, NULL);
    collect_some(60);
    for (int i = 0; i < 3; i++)
        join(threads[i]);
    ck_assert_uint_eq(attached(), 1);
    tri_shutdown();
}
END_TEST

static void *sleep_for_ever(void *how)
{
    node *mine = tri_new(node);
    tri_blocking_begin();
    TRI_BLOCKING {
        pthread_barrier_wait(&meeting);
        if (how != NULL)
            pthread_exit(mine);
        for (;;)
            pause();
    }
    return mine;
}

START_TEST(a_thread_is_cancelled_while_it_sleeps)
{
    pthread_t thread;
    start_quiet();
    prepare_meeting(2);
    for (int i = 0; i < 10; i++) {
        start_thread(&thread, sleep_for_ever, NULL);
        meet();
        ck_assert_int_eq(pthread_cancel(thread), 0);
        ck_assert_ptr_eq(join(thread), PTHREAD_CANCELED);
        ck_assert_uint_eq(attached(), 1);
        tri_collect();
    }
    tri_shutdown();
}
END_TEST

START_TEST(a_thread_ends_inside_a_block)
{
    pthread_t thread;
    start_quiet();
    prepare_meeting(2);
    start_thread(&thread, sleep_for_ever, (void *)1);
    meet();
    ck_assert_ptr_nonnull(join(thread));
    ck_assert_uint_eq(attached(), 1);
    tri_collect();
    tri_shutdown();
}
END_TEST

/* ---- the argument of a new thread ---- */

#define CREATED 60

static void *check_argument(void *argument)
{
    node *mine = argument;
    if (tri_object_base(mine) != mine || mine->key != MAGIC)
        return "the argument was freed";
    for (int i = 0; i < 100; i++)
        tri_new(node);
    return mine->key == MAGIC ? NULL : "the argument was overwritten";
}

static __attribute__((noinline)) void create(pthread_t *thread)
{
    node *argument = tri_new(node);
    argument->key = MAGIC;
    ck_assert_int_eq(tri_thread_create(thread, NULL, check_argument, argument), 0);
}

START_TEST(the_argument_of_a_new_thread_lives)
{
    pthread_t threads[CREATED];
    void *error;
    start_quiet();
    for (int i = 0; i < CREATED; i++) {
        create(&threads[i]);
        clear_stack();
        if (i % 4 == 3)
            tri_collect();
        for (int k = 0; k < 500; k++)
            tri_new(node);
    }
    for (int i = 0; i < CREATED; i++) {
        error = join(threads[i]);
        ck_assert_msg(error == NULL, "%s", (char *)error);
    }
    tri_shutdown();
}
END_TEST

static __attribute__((noinline)) void fail_to_create(struct hidden *seen, const pthread_attr_t *how)
{
    pthread_t thread;
    node *argument = tri_new(node);
    *seen = hide(argument);
    ck_assert_int_ne(tri_thread_create(&thread, how, check_argument, argument), 0);
}

/* The argument is let go again. */
START_TEST(a_thread_that_cannot_be_created)
{
    static struct hidden seen[200];
    pthread_attr_t attributes;
    start_quiet();
    ck_assert_int_eq(pthread_attr_init(&attributes), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&attributes, (size_t)1 << 46), 0);
    for (int i = 0; i < 200; i++)
        fail_to_create(&seen[i], &attributes);
    collect();
    ck_assert_uint_le(count_objects(seen, 200), 10);
    pthread_attr_destroy(&attributes);
}
END_TEST

/* ---- broken rules ---- */

static void detach_unattached(void)
{
    start_quiet();
    tri_thread_detach();
    tri_thread_detach();
}

static void detach_inside_a_block(void)
{
    start_quiet();
    TRI_BLOCKING
        tri_thread_detach();
}

static void end_without_begin(void)
{
    start_quiet();
    tri_blocking_end();
}

static void attach_inside_a_block(void)
{
    start_quiet();
    tri_thread_detach();
    TRI_BLOCKING
        tri_new(node);
}

static void allocate_inside_a_block(void)
{
    start_quiet();
    TRI_BLOCKING
        for (int i = 0; i < 100000; i++)
            tri_alloc_bytes(100);
}

static void attach_too_early(void)
{
    tri_thread_attach();
}

static const struct {
    void (*act)(void);
    const char *message;
} rules[] = {
    {detach_unattached, "tri_thread_detach() in a thread that is not attached"},
    {detach_inside_a_block, "tri_thread_detach() inside TRI_BLOCKING"},
    {end_without_begin, "the end of TRI_BLOCKING without its beginning"},
    {attach_inside_a_block, "the end of TRI_BLOCKING without its beginning"},
    {allocate_inside_a_block, "the heap was used inside TRI_BLOCKING"},
    {attach_too_early, "tri_thread_attach() before tri_init()"},
};
#define RULES ((int)(sizeof rules / sizeof rules[0]))

START_TEST(broken_rules_are_fatal)
{
    struct captured captured = capture_child(rules[_i].act);
    ck_assert_msg(captured_aborted(&captured), "rule %d", _i);
    ck_assert_msg(strstr(captured.text, rules[_i].message) != NULL, "rule %d: %s", _i,
                  captured.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutator");
    TCase *attach = tcase_create("attach"), *blocking = tcase_create("blocking");
    TCase *end = tcase_create("end"), *broken = tcase_create("rules");

    tcase_add_loop_test(attach, the_first_use_attaches, 0, USES);
    tcase_add_test(attach, attaches_nest);
    tcase_add_test(attach, the_heap_is_used_while_a_thread_ends);
    tcase_add_loop_test(attach, new_threads_join_the_phase, 0, TRI__BARRIER_SCANNED + 1);
    tcase_add_test(attach, leaving_during_a_mark);
    tcase_set_timeout(attach, 20);
    suite_add_tcase(suite, attach);

    tcase_add_test(blocking, ways_out_of_blocking);
    tcase_add_test(blocking, blocks_nest);
    tcase_add_test(blocking, a_safepoint_in_a_block);
    tcase_add_test(blocking, sleeping_threads_hold_their_objects);
    tcase_add_test(blocking, cycles_beside_threads_of_all_kinds);
    tcase_add_test(blocking, handshakes_with_many_blocked_threads);
    tcase_add_test(blocking, a_thread_sleeps_through_h1);
    tcase_add_test(blocking, a_thread_wakes_before_h2_is_settled);
    tcase_add_test(blocking, a_sleeper_is_scanned_once);
    tcase_add_test(blocking, wakings_beside_handshakes);
    tcase_set_timeout(blocking, 30);
    suite_add_tcase(suite, blocking);

    tcase_add_test(end, storms_of_short_threads);
    if (!HAS_TSAN) /* it takes no notice of what a thread does that was cancelled asleep */
        tcase_add_test(end, a_thread_is_cancelled_while_it_sleeps);
    tcase_add_test(end, a_thread_ends_inside_a_block);
    tcase_add_test(end, the_argument_of_a_new_thread_lives);
    tcase_add_test(end, a_thread_that_cannot_be_created);
    tcase_set_timeout(end, 30);
    suite_add_tcase(suite, end);

    tcase_add_loop_test(broken, broken_rules_are_fatal, 0, RULES);
    suite_add_tcase(suite, broken);
    return run_suite(suite);
}
