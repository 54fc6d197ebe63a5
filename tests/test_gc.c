/* SPDX-License-Identifier: MIT */
/* Starting, steering and stopping the collector; what it says of itself in statistics and in the
 * trace. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/os.h"
#include "capture.h"
#include "collected.h"
#include "collector/pace.h"
#include "sanitized.h"
#include "suite.h"

#define MEGABYTE ((size_t)1 << 20)

typedef struct node {
    struct node *next;
    long payload[7];
} node;
TRI_TYPE(node, next);

TRI_ROOT static node *kept;

/* Goals are reckoned in whole percent. */
static bool is_least_goal(uint64_t goal)
{
    return goal > 4 * MEGABYTE - 4096 && goal <= 4 * MEGABYTE;
}

static void start_with(int gc_percent)
{
    tri_config config = TRI_CONFIG_INIT;
    config.gc_percent = gc_percent;
    config.memory_limit = SIZE_MAX;
    ck_assert_int_eq(tri_init(&config), 0);
}

static __attribute__((noinline)) void make_garbage(size_t bytes)
{
    for (size_t done = 0; done < bytes; done += sizeof(node))
        if (tri_new(node) == NULL)
            ck_abort_msg("out of memory");
}

static __attribute__((noinline)) void make_list(size_t bytes)
{
    for (size_t done = 0; done < bytes; done += sizeof(node)) {
        node *fresh = tri_new(node);
        if (fresh == NULL)
            ck_abort_msg("out of memory");
        tri_store(&fresh->next, kept);
        tri_store(&kept, fresh);
    }
}

static void drop_list(void)
{
    tri_store(&kept, NULL);
    clear_stack();
}

/* ---- when cycles run ---- */

/* Goes on allocating: a request that comes while a cycle ends is not kept. Ever less often, for what
 * is born in a mark counts as live: while the collector has no processor, the goal must not run away.
 * Outside of TRI_BLOCKING: each cycle finds the thread running. */
static void await_cycle(uint64_t before)
{
    for (unsigned turn = 0, next = 0; stats_now().cycles == before; turn++) {
        if (turn == next) {
            make_garbage(16 << 10);
            next = 2 * turn + 1;
        }
        usleep(1000);
    }
}

START_TEST(no_cycle_by_itself)
{
    start_with(-1);
    make_garbage(40 * MEGABYTE);
    ck_assert_uint_eq(stats_now().cycles, 0);
    ck_assert_uint_eq(stats_now().heap_goal, UINT64_MAX);
    collect();
    ck_assert_uint_eq(stats_now().cycles, 1);
    ck_assert_uint_eq(stats_now().forced_cycles, 1);
}
END_TEST

START_TEST(the_first_cycles_come_with_the_garbage)
{
    start_with(100);
    ck_assert(is_least_goal(stats_now().heap_goal));
    make_garbage(MEGABYTE);
    ck_assert_uint_eq(stats_now().cycles, 0);
    make_garbage(80 * MEGABYTE);
    await_cycle(0);
}
END_TEST

/* On a busy machine the collector comes late: wait for it where it is due. */
static uint64_t cycles_for(int percent)
{
    uint64_t first;
    ck_assert_int_ge(tri_set_gc_percent(percent), -1);
    tri_collect();
    first = stats_now().cycles;
    for (int i = 0; i < 120 * 4; i++) {
        uint64_t before = stats_now().cycles;
        make_garbage(MEGABYTE / 4);
        if (tri__pace_heap() >= tri__pace_goal())
            await_cycle(before);
    }
    return stats_now().cycles - first;
}

START_TEST(the_percentage_is_obeyed)
{
    uint64_t often, seldom, never;
    start_with(-1);
    make_list(8 * MEGABYTE);
    ck_assert_int_eq(tri_set_gc_percent(50), -1);
    often = cycles_for(50);
    seldom = cycles_for(1000);
    never = cycles_for(-1);
    ck_assert_int_eq(tri_set_gc_percent(100), -1);
    ck_assert_int_eq(tri_set_gc_percent(-7), 100);
    ck_assert_int_eq(tri_set_gc_percent(100), -1);
    ck_assert_uint_eq(never, 0);
    /* 120 MB of garbage at 4 MB a cycle, and at 80; what is born during a mark counts as live, so
     * that a slow marker (TSan, a busy machine) makes fewer cycles, and larger ones. */
    ck_assert(often >= 8 && often <= 80);
    ck_assert(seldom >= 1 && seldom <= 3);
    ck_assert_uint_ge(often, 4 * seldom);
}
END_TEST

START_TEST(the_goal_follows_the_live_heap)
{
    tri_stats stats;
    start_with(-1);
    make_list(10 * MEGABYTE);
    tri_set_gc_percent(100);
    tri_collect();
    stats = stats_now();
    ck_assert_uint_ge(stats.live_bytes, 10 * MEGABYTE);
    ck_assert_uint_le(stats.live_bytes, 11 * MEGABYTE);
    ck_assert_uint_ge(stats.heap_goal, stats.live_bytes * 19 / 10);
    ck_assert_uint_le(stats.heap_goal, stats.live_bytes * 21 / 10);
    drop_list();
    tri_collect();
    ck_assert_uint_le(stats_now().live_bytes, MEGABYTE);
    ck_assert(is_least_goal(stats_now().heap_goal));
}
END_TEST

/* A limit brings cycles even where the percentage forbids them. */
START_TEST(the_limit_brings_cycles)
{
    start_with(-1);
    ck_assert_uint_eq(tri_set_memory_limit(16 * MEGABYTE), SIZE_MAX);
    make_garbage(100 * MEGABYTE);
    ck_assert_uint_ge(stats_now().cycles, 4);
    ck_assert_uint_le(stats_now().mapped_bytes, 16 * MEGABYTE);
}
END_TEST

/* ---- statistics ---- */

static void check_monotone(const tri_stats *a, const tri_stats *b)
{
    ck_assert_uint_ge(b->cycles, a->cycles);
    ck_assert_uint_ge(b->forced_cycles, a->forced_cycles);
    ck_assert_uint_ge(b->handshakes, a->handshakes);
    ck_assert_uint_ge(b->handshake_ns, a->handshake_ns);
    ck_assert_uint_ge(b->handshake_max_ns, a->handshake_max_ns);
    ck_assert_uint_ge(b->mark_ns, a->mark_ns);
    ck_assert_uint_ge(b->mark_rounds, a->mark_rounds);
    ck_assert_uint_ge(b->freed_bytes, a->freed_bytes);
    ck_assert_uint_ge(b->marked_objects, a->marked_objects);
    ck_assert_uint_ge(b->barrier_entries, a->barrier_entries);
    ck_assert_uint_ge(b->barrier_full, a->barrier_full);
    ck_assert_uint_ge(b->assists, a->assists);
    for (int i = 0; i < TRI_DELAY_CAUSES; i++) {
        ck_assert_uint_ge(b->delays[i].count, a->delays[i].count);
        ck_assert_uint_ge(b->delays[i].total_ns, a->delays[i].total_ns);
        ck_assert_uint_ge(b->delays[i].max_ns, a->delays[i].max_ns);
    }
}

static void check_delay(const tri_delay *delay)
{
    uint64_t sum = 0;
    for (int i = 0; i < TRI_DELAY_BUCKETS; i++)
        sum += delay->buckets[i];
    ck_assert_uint_eq(sum, delay->count);
    ck_assert_uint_le(delay->p50_ns, delay->p90_ns);
    ck_assert_uint_le(delay->p90_ns, delay->p99_ns);
    ck_assert_uint_le(delay->p99_ns, delay->p999_ns);
    ck_assert_uint_le(delay->p999_ns, delay->max_ns + delay->max_ns / 8 + 1);
    ck_assert_uint_le(delay->max_ns, delay->total_ns);
}

START_TEST(statistics_are_plausible)
{
    tri_stats before = {.size = sizeof before}, now;
    start_with(100);
    for (int i = 0; i < 30; i++) {
        make_list(MEGABYTE / 4);
        make_garbage(MEGABYTE);
        if (i % 10 == 9)
            drop_list();
        if (i % 7 == 0)
            tri_collect();
        now = stats_now();
        check_monotone(&before, &now);
        before = now;
    }
    tri_set_gc_percent(-1); /* a sweep beside it would come between two figures */
    tri_collect();
    now = stats_now();
    check_monotone(&before, &now);
    ck_assert_uint_eq(now.threads, 1);
    ck_assert_uint_eq(now.forced_cycles, 6);
    ck_assert_uint_ge(now.cycles, 6);
    ck_assert_uint_ge(now.handshakes, 4 * now.cycles);
    ck_assert_uint_ge(now.mark_rounds, now.cycles);
    ck_assert_uint_ge(now.handshake_ns, now.handshake_max_ns);
    ck_assert_uint_ge(now.allocated_bytes, 30 * MEGABYTE);
    ck_assert_uint_le(now.allocated_bytes, 45 * MEGABYTE);
    ck_assert_uint_ge(now.heap_bytes, now.allocated_bytes - now.freed_bytes);
    ck_assert_uint_le(now.heap_bytes, now.allocated_bytes - now.freed_bytes + MEGABYTE / 8);
    ck_assert_uint_ge(now.mapped_bytes, now.heap_bytes);
    ck_assert_uint_ge(now.resident_bytes, MEGABYTE);
    for (int i = 0; i < TRI_DELAY_CAUSES; i++)
        check_delay(&now.delays[i]);
    ck_assert_uint_ge(now.delays[TRI_DELAY_WAIT].count, 6);
    ck_assert_uint_ge(now.delays[TRI_DELAY_REFILL].count, 100);
}
END_TEST

/* An object in a heap that a collection has just emptied, of whichever thread. */
START_TEST(the_first_object_shows_in_the_heap)
{
    size_t sizes[] = {sizeof(node), 5000, MEGABYTE};

    start_with(-1);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t before;

        collect();
        before = stats_now().heap_bytes;
        tri_store(&kept, tri_alloc_conservative(sizes[i]));
        ck_assert_uint_ge(stats_now().heap_bytes, before + sizes[i]);
        ck_assert_uint_le(stats_now().heap_bytes, before + sizes[i] + MEGABYTE / 8);
    }
    collect();
    ck_assert_uint_ge(stats_now().live_bytes, MEGABYTE);
}
END_TEST

START_TEST(statistics_of_other_versions)
{
    struct {
        tri_stats stats;
        unsigned char after[8];
    } s;
    memset(&s, 0x77, sizeof s);
    s.stats.size = offsetof(tri_stats, delays);
    start_with(-1);
    ck_assert_int_eq(tri_stats_get(&s.stats), 0);
    ck_assert_uint_eq(s.stats.size, offsetof(tri_stats, delays));
    ck_assert_uint_eq(s.stats.threads, 1);
    ck_assert_uint_eq(s.stats.delays[0].count, UINT64_C(0x7777777777777777));
    s.stats.size = 0;
    ck_assert_int_eq(tri_stats_get(&s.stats), -EINVAL);
    s.stats.size = sizeof s.stats + 8;
    ck_assert_int_eq(tri_stats_get(&s.stats), -EINVAL);
    ck_assert_uint_eq(s.after[0], 0x77);
}
END_TEST

START_TEST(names_of_delays)
{
    ck_assert_str_eq(tri_delay_name(TRI_DELAY_HANDSHAKE), "handshake");
    ck_assert_str_eq(tri_delay_name(TRI_DELAY_STACK), "stack");
    ck_assert_str_eq(tri_delay_name(TRI_DELAY_REFILL), "refill");
    ck_assert_str_eq(tri_delay_name(TRI_DELAY_ASSIST), "assist");
    ck_assert_str_eq(tri_delay_name(TRI_DELAY_WAIT), "wait");
    ck_assert_ptr_null(tri_delay_name(TRI_DELAY_CAUSES));
    ck_assert_ptr_null(tri_delay_name((tri_delay_cause)-1));
}
END_TEST

/* ---- the trace ---- */

static struct {
    char lines[64][700];
    unsigned count;
    void *argument;
} log_seen;

static void keep_line(const char *line, void *argument)
{
    ck_assert_uint_lt(log_seen.count, 64);
    snprintf(log_seen.lines[log_seen.count++], sizeof log_seen.lines[0], "%s", line);
    log_seen.argument = argument;
}

struct trace_line {
    unsigned number, rounds, tid, threads, asleep, used;
    double asleep_ms, at, prepare, mark, h1, h2, h3, h4, sweep, slowest, before, after, goal, freed, marked;
    unsigned long objects, entries, full, assists;
    int end;
};

static struct trace_line read_line(const char *line, const char *forced)
{
    char format[600];
    struct trace_line t = {.end = 0};
    snprintf(format, sizeof format,
             "gc %%u%s @%%lfs: prepare %%lf mark %%lf (h1 %%lf h2 %%lf h3 %%lf x%%u) h4 %%lf "
             "sweep %%lf ms; slowest %%lf ms tid %%u of %%u, asleep %%u %%lf ms; "
             "heap %%lf -> %%lf MB, goal %%lf; freed %%lf MB; marked %%lu objects %%lf MB; barrier %%lu entries %%lu full; "
             "%%lu assists\n%%n",
             forced);
    sscanf(line, format, &t.number, &t.at, &t.prepare, &t.mark, &t.h1, &t.h2, &t.h3, &t.rounds,
           &t.h4, &t.sweep, &t.slowest, &t.tid, &t.threads, &t.asleep, &t.asleep_ms, &t.before,
           &t.after, &t.goal, &t.freed, &t.objects, &t.marked, &t.entries, &t.full, &t.assists,
           &t.end);
    ck_assert_msg(t.end != 0 && line[t.end] == '\0', "a line the test cannot read: %s", line);
    return t;
}

static void check_line(const struct trace_line *t, unsigned number)
{
    ck_assert_uint_eq(t->number, number);
    ck_assert_uint_ge(t->rounds, 1);
    ck_assert_uint_eq(t->threads + t->asleep, 1);
    ck_assert(t->h1 + t->h2 + t->h3 <= t->mark + 0.01);
    ck_assert(t->slowest <= t->h1 + t->h2 + t->h3 + t->h4 + 0.01);
    ck_assert(t->prepare >= 0 && t->sweep >= 0 && t->at >= 0);
    ck_assert_uint_ge(t->objects, 1);
}

START_TEST(one_line_a_cycle)
{
    tri_config config = TRI_CONFIG_INIT;
    struct trace_line t;
    int here;
    config.gc_percent = -1;
    config.log = keep_line;
    config.log_argument = &here;
    ck_assert_int_eq(setenv("TRICOLOR_TRACE", "gc", 1), 0);
    ck_assert_int_eq(tri_init(&config), 0);
    for (unsigned i = 1; i <= 3; i++) {
        make_list(MEGABYTE);
        make_garbage(2 * MEGABYTE);
        tri_collect();
        ck_assert_uint_eq(log_seen.count, i);
        t = read_line(log_seen.lines[i - 1], " (forced)");
        check_line(&t, i);
        ck_assert(t.before >= 2.9 + i - 1 && t.before <= 3.2 + i - 1);
        ck_assert(t.after >= 0.9 * i && t.after <= 1.2 * i);
        ck_assert(t.freed >= 1.8 && t.freed <= 2.2);
        ck_assert(t.marked >= 0.9 * i && t.marked <= 1.2 * i);
    }
    ck_assert_ptr_eq(log_seen.argument, &here);
    tri_set_gc_percent(100);
    make_garbage(30 * MEGABYTE);
    await_cycle(3);
    tri_shutdown();
    ck_assert_uint_ge(log_seen.count, 4);
    t = read_line(log_seen.lines[3], "");
    check_line(&t, 4);
}
END_TEST

static void one_traced_cycle(void)
{
    setenv("TRICOLOR_TRACE", "gc", 1);
    start_with(-1);
    tri_collect();
}

START_TEST(lines_go_to_stderr)
{
    uint64_t start = tri__os_now();
    struct captured captured = capture_child(one_traced_cycle);
    struct trace_line t = read_line(captured.text, " (forced)");
    ck_assert(captured_exited(&captured, 0));
    ck_assert_uint_eq(t.number, 1);
    ck_assert(1e9 * t.at <= (double)(tri__os_now() - start) + 1e6); /* since tri_init(), in ms */
}
END_TEST

START_TEST(no_line_unless_asked)
{
    tri_config config = TRI_CONFIG_INIT;
    config.log = keep_line;
    ck_assert_int_eq(unsetenv("TRICOLOR_TRACE"), 0);
    ck_assert_int_eq(tri_init(&config), 0);
    tri_collect();
    ck_assert_uint_eq(log_seen.count, 0);
}
END_TEST

/* ---- beginning and end ---- */

START_TEST(a_second_init)
{
    start_with(-1);
    ck_assert_int_eq(tri_init(NULL), -EALREADY);
    tri_shutdown();
    ck_assert_int_eq(tri_init(NULL), 0);
}
END_TEST

START_TEST(a_bad_configuration)
{
    tri_config config = TRI_CONFIG_INIT;
    config.gc_percent = -2;
    ck_assert_int_eq(tri_init(&config), -EINVAL);
    ck_assert_int_eq(tri_init(NULL), 0);
    ck_assert_ptr_nonnull(tri_new(node));
}
END_TEST

static node foreign_root[2];

/* Nothing of a heap is left in the next one. */
START_TEST(again_and_again)
{
    for (int i = 0; i < 8; i++) {
        tri_handle *handle;
        start_with(i % 2 == 0 ? 100 : -1);
        ck_assert_ptr_null(kept);
        ck_assert_uint_eq(stats_now().cycles, 0);
        ck_assert_uint_eq(stats_now().barrier_full, 0);
        ck_assert_uint_le(stats_now().allocated_bytes, 64 << 10);
        ck_assert_int_eq(tri_root_add(foreign_root, &tri_type_node, 2), 0);
        handle = tri_handle_new(tri_new(node));
        ck_assert_ptr_nonnull(handle);
        make_list(6 * MEGABYTE);
        make_garbage(6 * MEGABYTE);
        tri_store(&foreign_root[1].next, kept);
        if (i % 3 == 0)
            tri_collect();
        tri_shutdown();
        foreign_root[1].next = NULL;
    }
}
END_TEST

static uint64_t address_space(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%lu", &pages), 1);
    ck_assert_int_eq(fclose(file), 0);
    return pages * 4096ull;
}

/* All memory is given back: what a heap takes is many times what the bound forgives. */
START_TEST(shutdown_gives_all_memory_back)
{
    uint64_t before = 0;
    if (IS_SANITIZED)
        return;
    for (int i = 0; i < 5; i++) {
        start_with(100);
        make_list(8 * MEGABYTE);
        make_garbage(16 * MEGABYTE);
        tri_shutdown();
        if (i == 1)
            before = address_space();
    }
    ck_assert_uint_le(address_space(), before + 2 * MEGABYTE);
}
END_TEST

static void shut_down_twice(void)
{
    start_with(-1);
    tri_shutdown();
    tri_shutdown();
}

START_TEST(shutdown_without_init_is_fatal)
{
    struct captured captured = capture_child(shut_down_twice);
    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "tri_shutdown() without tri_init()"));
}
END_TEST

static void *attached_main(void *barrier)
{
    tri_new(node);
    pthread_barrier_wait(barrier);
    TRI_BLOCKING
        pause();
    return NULL;
}

static void shut_down_too_early(void)
{
    pthread_barrier_t barrier;
    pthread_t thread;
    start_with(-1);
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, attached_main, &barrier);
    pthread_barrier_wait(&barrier);
    tri_shutdown();
}

START_TEST(shutdown_with_other_threads_is_fatal)
{
    struct captured captured = capture_child(shut_down_too_early);
    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "while 1 other thread is attached"));
}
END_TEST

static void use_too_early(void)
{
    tri_new(node);
}

static void store_too_early(void)
{
    tri_store(&kept, NULL);
}

static void use_too_late(void)
{
    start_with(-1);
    tri_shutdown();
    tri_alloc_bytes(100);
}

static void collect_too_early(void)
{
    tri_collect();
}

static void (*const too_early[])(void) = {use_too_early, store_too_early, use_too_late,
                                          collect_too_early};

START_TEST(use_without_init_is_fatal)
{
    struct captured captured = capture_child(too_early[_i]);
    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "before tri_init(), or after tri_shutdown()"));
}
END_TEST

static void allocate_and_forget(const char *line, void *unused)
{
    (void)line, (void)unused;
    tri_new(node);
}

static void log_that_allocates(void)
{
    tri_config config = TRI_CONFIG_INIT;
    config.log = allocate_and_forget;
    setenv("TRICOLOR_TRACE", "gc", 1);
    tri_init(&config);
    tri_collect();
}

START_TEST(allocating_in_the_log_is_fatal)
{
    struct captured captured = capture_child(log_that_allocates);
    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "on a thread of the collector"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gc");
    TCase *pace = tcase_create("pace"), *stats = tcase_create("stats");
    TCase *trace = tcase_create("trace"), *life = tcase_create("life");

    tcase_add_test(pace, no_cycle_by_itself);
    tcase_add_test(pace, the_first_cycles_come_with_the_garbage);
    tcase_add_test(pace, the_percentage_is_obeyed);
    tcase_add_test(pace, the_goal_follows_the_live_heap);
    tcase_add_test(pace, the_limit_brings_cycles);
    tcase_set_timeout(pace, 20);
    suite_add_tcase(suite, pace);

    tcase_add_test(stats, statistics_are_plausible);
    tcase_add_test(stats, the_first_object_shows_in_the_heap);
    tcase_add_test(stats, statistics_of_other_versions);
    tcase_add_test(stats, names_of_delays);
    tcase_set_timeout(stats, 20);
    suite_add_tcase(suite, stats);

    tcase_add_test(trace, one_line_a_cycle);
    tcase_add_test(trace, lines_go_to_stderr);
    tcase_add_test(trace, no_line_unless_asked);
    tcase_set_timeout(trace, 20);
    suite_add_tcase(suite, trace);

    tcase_add_test(life, a_second_init);
    tcase_add_test(life, a_bad_configuration);
    tcase_add_test(life, again_and_again);
    tcase_add_test(life, shutdown_gives_all_memory_back);
    tcase_add_test(life, shutdown_without_init_is_fatal);
    tcase_add_test(life, shutdown_with_other_threads_is_fatal);
    tcase_add_loop_test(life, use_without_init_is_fatal, 0, 4);
    tcase_add_test(life, allocating_in_the_log_is_fatal);
    tcase_set_timeout(life, 20);
    suite_add_tcase(suite, life);
    return run_suite(suite);
}
