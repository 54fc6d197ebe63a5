/* SPDX-License-Identifier: MIT */
/* Barrier buffers: entries that are neither lost nor doubled while a thread fills what others
 * drain; exchange, surrender, stamps, bounds; and what happens without memory. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "bare_heap.h"
#include "barrier/buffer.h"
#include "heap/resolve.h"
#include "random.h"
#include "sanitized.h"
#include "suite.h"

#define ROOM 20000
#define FULL TRI__BUFFER_ENTRIES

static uint64_t test_seed;
static struct tri__writer writer;

/* How often each value was taken. */
static uint8_t taken[1 << 20];
static size_t taken_count;

static void take(uintptr_t value, void *argument)
{
    ck_assert_ptr_eq(argument, &taken_count);
    ck_assert_uint_lt(value, sizeof taken);
    taken[value]++;
    taken_count++;
}

static size_t drain_writer(void)
{
    return tri__buffer_drain_writer(&writer, take, &taken_count);
}

static size_t drain_full(void)
{
    return tri__buffer_drain_full(take, &taken_count);
}

static void push_range(uintptr_t first, uintptr_t end)
{
    for (uintptr_t value = first; value < end; value++)
        tri__buffer_push(&writer, value);
}

/* Exactly the values [first, end) were taken since the last time. */
static void check_taken(uintptr_t first, uintptr_t end)
{
    ck_assert_uint_eq(taken_count, end - first);
    for (uintptr_t value = first; value < end; value++) {
        ck_assert_uint_eq(taken[value], 1);
        taken[value] = 0;
    }
    taken_count = 0;
}

static void start(void)
{
    tri__writer_init(&writer, (struct tri__cache_phase){.side = 0}, TRI__BARRIER_UNSCANNED, 0);
}

/* ---- one thread ---- */

START_TEST(a_new_writer_has_nothing)
{
    start();
    ck_assert_uint_eq(drain_writer(), 0);
    ck_assert_uint_eq(drain_full(), 0);
    ck_assert_uint_eq(writer.cache.front.barrier, TRI__BARRIER_UNSCANNED);
    tri__buffer_surrender(&writer);
    tri__buffer_reset(&writer);
    ck_assert_uint_eq(tri__buffers_full(), 0);
    ck_assert_uint_eq(drain_full(), 0);
}
END_TEST

START_TEST(null_is_not_shaded)
{
    start();
    tri__shade(&writer, 0);
    tri__shade(&writer, 7);
    ck_assert_uint_eq(drain_writer(), 1);
    check_taken(7, 8);
}
END_TEST

START_TEST(draining_while_it_fills)
{
    start();
    for (uintptr_t i = 1; i < 3 * FULL; i += i % 7) {
        push_range(i, i + i % 7);
        while (drain_full() != 0)
            continue;
        drain_writer();
        check_taken(i, i + i % 7);
    }
}
END_TEST

/* A buffer is full with its last entry, and given away by the next one. */
START_TEST(full_buffers_are_exchanged)
{
    start();
    push_range(1, 1 + FULL);
    ck_assert_uint_eq(tri__buffers_full(), 0);
    push_range(1 + FULL, 2 + FULL);
    ck_assert_uint_eq(tri__buffers_full(), 1);
    ck_assert_uint_eq(tri__buffers_exchanged(), 1);
    push_range(2 + FULL, 2 + 3 * FULL);
    ck_assert_uint_eq(tri__buffers_full(), 3);
    ck_assert_uint_eq(tri__buffers_exchanged(), 3);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(drain_full(), FULL);
    ck_assert_uint_eq(drain_full(), 0);
    ck_assert_uint_eq(tri__buffers_full(), 0);
    ck_assert_uint_eq(drain_writer(), 1);
    check_taken(1, 2 + 3 * FULL);
}
END_TEST

/* Drained in part while its thread held it: the rest comes with the full ones. */
START_TEST(a_buffer_drained_in_two_places)
{
    start();
    push_range(1, 100);
    ck_assert_uint_eq(drain_writer(), 99);
    push_range(100, 2 + FULL);
    ck_assert_uint_eq(drain_full(), FULL - 99);
    ck_assert_uint_eq(drain_writer(), 1);
    check_taken(1, 2 + FULL);
    push_range(1, FULL);
    ck_assert_uint_eq(drain_writer(), FULL - 1);
    push_range(FULL, FULL + 1);
    ck_assert_uint_eq(drain_full(), 0); /* the full one has nothing new: go on to the next */
    ck_assert_uint_eq(drain_writer(), 1);
    check_taken(1, FULL + 1);
}
END_TEST

/* What was drained while its thread held it has nothing left, and does not hide what lies below. */
START_TEST(an_empty_buffer_above_a_full_one)
{
    start();
    push_range(1, 2 + FULL);
    ck_assert_uint_eq(drain_writer(), 1);
    tri__buffer_surrender(&writer);
    ck_assert_uint_eq(tri__buffers_full(), 2);
    ck_assert_uint_eq(drain_full(), FULL);
    check_taken(1, 2 + FULL);
}
END_TEST

START_TEST(surrendering)
{
    start();
    push_range(1, 50);
    tri__buffer_surrender(&writer);
    ck_assert_uint_eq(drain_writer(), 0);
    push_range(50, 60);
    tri__buffer_surrender(&writer);
    ck_assert_uint_eq(tri__buffers_full(), 2);
    while (drain_full() != 0)
        continue;
    check_taken(1, 60);
}
END_TEST

START_TEST(forgetting)
{
    start();
    push_range(1, 50);
    tri__buffer_reset(&writer);
    push_range(50, 60);
    drain_writer();
    check_taken(50, 60);
    push_range(60, 60 + 4 * FULL);
    tri__buffer_discard_full();
    ck_assert_uint_eq(tri__buffers_full(), 0);
    ck_assert_uint_eq(drain_full(), 0);
    tri__buffer_reset(&writer);
    ck_assert_uint_eq(drain_writer(), 0);
    push_range(1, 3 * FULL); /* all of them can be used again */
    while (drain_full() != 0)
        continue;
    drain_writer();
    check_taken(1, 3 * FULL);
}
END_TEST

/* ---- many at once ---- */

static uintptr_t *append_range(uintptr_t *end, uintptr_t first, uintptr_t last)
{
    for (uintptr_t value = first; value < last; value++)
        tri__store_relaxed(end++, value);
    return end;
}

/* What is reserved is not there before it is published, and then as much as there is. */
START_TEST(batches)
{
    uintptr_t *end;
    start();
    push_range(1, 5);
    end = append_range(tri__buffer_reserve(&writer, TRI__BUFFER_BATCH), 5, 40);
    drain_writer();
    check_taken(1, 5);
    tri__buffer_publish(&writer, end);
    drain_writer();
    check_taken(5, 40);
    tri__buffer_publish(&writer, tri__buffer_reserve(&writer, 3));
    ck_assert_uint_eq(drain_writer(), 0);
}
END_TEST

/* The last entries of a buffer are used; with one less than needed it is given away as it is. */
START_TEST(batches_at_the_end_of_a_buffer)
{
    for (uint32_t left = 0; left < 4; left++) {
        uintptr_t *at;
        start();
        push_range(1, 1 + FULL - left);
        at = tri__buffer_reserve(&writer, 3);
        ck_assert_ptr_nonnull(at);
        ck_assert_uint_eq(tri__buffers_full(), left < 3);
        tri__buffer_publish(&writer, append_range(at, 1 + FULL - left, 4 + FULL - left));
        ck_assert_uint_eq(drain_full(), left < 3 ? FULL - left : 0);
        drain_writer();
        check_taken(1, 4 + FULL - left);
        tri__buffer_reset(&writer);
    }
}
END_TEST

static unsigned dones;

static void done(void *argument)
{
    ck_assert_ptr_eq(argument, &taken_count);
    dones++;
}

/* What was given away before the last answer to H3, and not what came after it. */
START_TEST(stamps)
{
    start();
    push_range(1, 2 * FULL);
    tri__buffer_flush(&writer, 1);
    push_range(2 * FULL, 5 * FULL);
    ck_assert_uint_eq(tri__buffers_full(), 4);
    ck_assert_uint_eq(tri__buffers_drain_older(1, take, done, &taken_count), 2 * FULL - 1);
    ck_assert_uint_ge(dones, 2);
    check_taken(1, 2 * FULL);
    ck_assert_uint_eq(tri__buffers_drain_older(1, take, done, &taken_count), 0);
    ck_assert_uint_eq(tri__buffers_full(), 2);
    tri__buffer_flush(&writer, 2);
    ck_assert_uint_eq(tri__buffers_drain_older(2, take, done, &taken_count), 3 * FULL);
    check_taken(2 * FULL, 5 * FULL);
    ck_assert_uint_eq(tri__buffers_full(), 0);
}
END_TEST

/* Buffers come back with the stamp they had; each is stamped anew when it is given away. */
START_TEST(stamps_of_used_buffers)
{
    start();
    tri__buffer_flush(&writer, 5);
    push_range(1, 2 + FULL);
    ck_assert_uint_eq(drain_full(), FULL); /* given away full: stamped 5 */
    ck_assert_uint_eq(drain_writer(), 1);
    start();
    tri__buffer_flush(&writer, 4);
    push_range(2 + FULL, 10 + FULL); /* into the same buffer again */
    tri__buffer_surrender(&writer);
    ck_assert_uint_eq(tri__buffers_drain_older(5, take, done, &taken_count), 8);
    check_taken(1, 10 + FULL);
}
END_TEST

/* Who gives buffers away while too many wait is asked to help at its next safepoint. */
START_TEST(bounds)
{
    start();
    tri__buffers_set_bound(10); /* less than the least */
    push_range(1, 2 + 64 * FULL);
    ck_assert_uint_eq(tri__buffers_full(), 64);
    ck_assert_uint_eq(writer.owed, 0);
    ck_assert_uint_eq(writer.cache.front.request, 0);
    push_range(1, 1 + 3 * FULL);
    ck_assert_uint_eq(writer.owed, 3);
    ck_assert_uint_eq(writer.cache.front.request, TRI__REQUEST_FILTER);
    tri__buffers_set_bound(100);
    push_range(1, 1 + FULL);
    ck_assert_uint_eq(writer.owed, 3);
}
END_TEST

/* Who never pays does not let what waits grow: what no marker needs is dropped. These values are no
 * objects; what is kept is seen by the stress programs. */
START_TEST(debts_without_safepoints)
{
    start();
    tri__buffers_open();
    push_range(1, 1 + 64 * FULL);
    for (int i = 0; i < 5; i++)
        push_range(1, 1 + 64 * FULL);
    ck_assert_uint_ge(tri__buffers_full(), 64);
    ck_assert_uint_le(tri__buffers_full(), 64 + 20);
    while (drain_full() != 0)
        continue;
    ck_assert(tri__buffers_close());
}
END_TEST

/* ---- several threads ---- */

#define PRODUCERS 3
#define VALUES ((uintptr_t)300000) /* of each */

static struct tri__writer writers[PRODUCERS];
static uint32_t running; /* atomic */

static void *producer_main(void *argument)
{
    uintptr_t number = (uintptr_t)argument;
    struct random random = random_of(test_seed, number);
    for (uintptr_t value = number * VALUES; value < (number + 1) * VALUES; value++) {
        tri__shade(&writers[number], value + 1);
        writers[number].owed = 0; /* as at a safepoint */
        if (random_below(&random, 4000) == 0)
            tri__buffer_surrender(&writers[number]);
    }
    tri__buffer_surrender(&writers[number]);
    tri__fetch_sub_acqrel(&running, 1);
    return NULL;
}

static void count_atomically(uintptr_t value, void *unused)
{
    (void)unused;
    tri__fetch_add_relaxed(&taken[value], 1);
}

static size_t drain_something(struct random *random)
{
    uint64_t which = random_below(random, PRODUCERS + 2);
    if (which >= PRODUCERS)
        return tri__buffer_drain_full(count_atomically, NULL);
    return tri__buffer_drain_writer(&writers[which], count_atomically, NULL);
}

static void *consumer_main(void *argument)
{
    struct random random = random_of(test_seed, (uintptr_t)argument);
    while (tri__load_acquire(&running) != 0)
        drain_something(&random);
    while (tri__buffer_drain_full(count_atomically, NULL) != 0)
        continue;
    return NULL;
}

START_TEST(nothing_is_lost_or_doubled)
{
    pthread_t threads[PRODUCERS + 2];
    tri__store_relaxed(&running, PRODUCERS);
    for (uintptr_t i = 0; i < PRODUCERS; i++)
        tri__writer_init(&writers[i], (struct tri__cache_phase){.side = 0}, 1, 0);
    for (uintptr_t i = 0; i < PRODUCERS + 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL,
                                        i < PRODUCERS ? producer_main : consumer_main, (void *)i),
                         0);
    for (int i = 0; i < PRODUCERS + 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (uintptr_t value = 1; value <= PRODUCERS * VALUES; value++)
        if (taken[value] != 1)
            ck_abort_msg("value %zu was taken %u times", (size_t)value, taken[value]);
    ck_assert_uint_eq(tri__buffers_full(), 0);
}
END_TEST

/* ---- without memory ---- */

static struct tri__cache cache;
static uintptr_t objects[ROOM];

static void make_objects(void)
{
    struct tri__run *run = &cache.front.runs[TRI__SPAN_CLASS(2, 1)];
    bare_heap_start((size_t)16 << 20);
    tri__cache_init(&cache, (struct tri__cache_phase){.side = 0});
    for (int i = 0; i < ROOM; i++) {
        if (run->current == run->end)
            ck_assert(tri__cache_refill(&cache, TRI__SPAN_CLASS(2, 1), NULL));
        objects[i] = run->current;
        run->current += 16;
    }
}

static void forbid_memory(void)
{
    struct rlimit none = {0, 0};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
}

static size_t count_black(void)
{
    size_t count = 0;
    for (int i = 0; i < ROOM; i++) {
        struct tri__ref ref;
        ck_assert(tri__resolve(objects[i], &ref));
        count += *ref.colour == TRI__BLACK;
    }
    return count;
}

static void mark_entry(uintptr_t value, void *unused)
{
    struct tri__ref ref;
    (void)unused;
    ck_assert(tri__resolve(value, &ref));
    tri__mark(&ref);
}

static void push_objects(void)
{
    for (int i = 0; i < ROOM; i++)
        tri__shade(&writer, objects[i]);
}

/* What no buffer can take is marked, and the coordinator told to look for it. */
START_TEST(without_memory_objects_are_marked_at_once)
{
    if (IS_SANITIZED)
        return;
    start();
    make_objects();
    tri__buffers_open();
    forbid_memory();
    push_objects();
    ck_assert_uint_ge(count_black(), ROOM - 17 * FULL);
    ck_assert(!tri__buffers_close());
    ck_assert(tri__overflow_take());
    ck_assert(!tri__overflow_take());
    while (tri__buffer_drain_full(mark_entry, NULL) != 0)
        continue;
    tri__buffer_drain_writer(&writer, mark_entry, NULL);
    ck_assert_uint_eq(count_black(), ROOM);
    ck_assert(tri__buffers_close());
}
END_TEST

/* After the verdict a stray word must not mark anything: spans are being swept. */
START_TEST(closed_buffers_mark_nothing)
{
    if (IS_SANITIZED)
        return;
    start();
    make_objects();
    tri__buffers_open();
    ck_assert(tri__buffers_close());
    forbid_memory();
    push_objects();
    ck_assert_uint_eq(count_black(), 0);
    ck_assert(!tri__overflow_take());
}
END_TEST

/* A thread whose very first entry finds no memory. */
START_TEST(a_writer_that_never_had_a_buffer)
{
    if (IS_SANITIZED)
        return;
    start();
    make_objects();
    forbid_memory();
    tri__buffers_open();
    push_objects();
    ck_assert_uint_eq(count_black(), ROOM);
    ck_assert_uint_eq(tri__buffers_full(), 0);
    ck_assert(tri__overflow_take());
    tri__buffer_reset(&writer);
    tri__buffer_surrender(&writer);
    ck_assert_uint_eq(tri__buffers_full(), 0);
}
END_TEST

/* Batches: none for who has no buffer; else what the buffer holds is marked to make room. */
START_TEST(batches_without_memory)
{
    if (IS_SANITIZED)
        return;
    start();
    make_objects();
    tri__buffers_open();
    forbid_memory();
    ck_assert_ptr_null(tri__buffer_reserve(&writer, 1));
}
END_TEST

START_TEST(batches_without_more_memory)
{
    uintptr_t *end;
    if (IS_SANITIZED)
        return;
    start();
    make_objects();
    tri__buffers_open();
    tri__shade(&writer, objects[0]);
    forbid_memory();
    for (int i = 1; i + 64 <= ROOM; i += 64) {
        end = tri__buffer_reserve(&writer, 64);
        ck_assert_ptr_nonnull(end);
        for (int k = 0; k < 64; k++)
            tri__store_relaxed(end++, objects[i + k]);
        tri__buffer_publish(&writer, end);
    }
    ck_assert_uint_ge(count_black(), ROOM - 18 * FULL);
    while (tri__buffer_drain_full(mark_entry, NULL) != 0)
        continue;
    tri__buffer_drain_writer(&writer, mark_entry, NULL);
    ck_assert_uint_ge(count_black(), (ROOM - 1) / 64 * 64 + 1);
    ck_assert(tri__overflow_take());
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("buffer");
    TCase *one = tcase_create("one"), *threads = tcase_create("threads");
    TCase *memory = tcase_create("memory");
    test_seed = random_start(argc, argv);

    tcase_add_test(one, a_new_writer_has_nothing);
    tcase_add_test(one, null_is_not_shaded);
    tcase_add_test(one, draining_while_it_fills);
    tcase_add_test(one, full_buffers_are_exchanged);
    tcase_add_test(one, a_buffer_drained_in_two_places);
    tcase_add_test(one, an_empty_buffer_above_a_full_one);
    tcase_add_test(one, surrendering);
    tcase_add_test(one, forgetting);
    tcase_add_test(one, batches);
    tcase_add_test(one, batches_at_the_end_of_a_buffer);
    tcase_add_test(one, stamps);
    tcase_add_test(one, stamps_of_used_buffers);
    tcase_add_test(one, bounds);
    tcase_add_test(one, debts_without_safepoints);
    suite_add_tcase(suite, one);

    tcase_add_test(threads, nothing_is_lost_or_doubled);
    tcase_set_timeout(threads, 30);
    suite_add_tcase(suite, threads);

    tcase_add_test(memory, without_memory_objects_are_marked_at_once);
    tcase_add_test(memory, closed_buffers_mark_nothing);
    tcase_add_test(memory, batches_without_memory);
    tcase_add_test(memory, batches_without_more_memory);
    tcase_add_test(memory, a_writer_that_never_had_a_buffer);
    suite_add_tcase(suite, memory);
    return run_suite(suite);
}
