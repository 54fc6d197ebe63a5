/* SPDX-License-Identifier: MIT */
/* tests/test_base.c: the platform floor: memory from the OS, threads and time, futexes, fatal
 * messages, fault switches and the histogram. The options have test_config.c, the shims
 * test_shims.c. */
#include "base/atomic.h"
#include "base/fatal.h"
#include "base/fault.h"
#include "base/futex.h"
#include "base/histogram.h"
#include "base/os.h"
#include "tests/capture.h"
#include "tests/random.h"
#include "tests/suite.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define MS UINT64_C(1000000)

static uint64_t seed;

/* ---- memory ---- */

/* Asks the kernel, so that no access can kill the test. */
static bool is_readable(const void *address)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ssize_t written = write(ends[1], address, 1);
    bool faulted = written < 0 && errno == EFAULT;
    ck_assert(written == 1 || faulted);
    ck_assert_int_eq(close(ends[0]), 0);
    ck_assert_int_eq(close(ends[1]), 0);
    return !faulted;
}

static bool is_filled_with(const unsigned char *bytes, size_t count, unsigned char value)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

START_TEST(reserved_memory_faults_until_committed)
{
    size_t page = tri__os_page_size();
    unsigned char *range = tri__os_reserve(1024 * MIB);
    ck_assert_ptr_nonnull(range);
    ck_assert(!is_readable(range));
    ck_assert_int_eq(tri__os_commit(range + page, page), 0);
    ck_assert(!is_readable(range));
    ck_assert(!is_readable(range + 2 * page));
    ck_assert(is_filled_with(range + page, page, 0));
    memset(range + page, 0xa5, page);
    ck_assert_int_eq(tri__os_commit(range + page, page), 0); /* once more: nothing changes */
    ck_assert(is_filled_with(range + page, page, 0xa5));
    tri__os_unmap(range, 1024 * MIB);
    ck_assert(!is_readable(range + page));
}
END_TEST

START_TEST(decommitted_memory_reads_zero_and_costs_nothing)
{
    size_t bytes = 64 * MIB;
    unsigned char *range = tri__os_reserve(bytes);
    ck_assert_ptr_nonnull(range);
    ck_assert_int_eq(tri__os_commit(range, bytes), 0);
    size_t untouched = tri__os_resident_bytes();
    memset(range, 1, bytes);
    size_t touched = tri__os_resident_bytes();
    tri__os_decommit(range, bytes);
    size_t given_back = tri__os_resident_bytes();
    ck_assert_uint_gt(untouched, 0);
    ck_assert_uint_ge(touched, untouched + bytes * 3 / 4);
    ck_assert_uint_le(given_back, touched - bytes * 3 / 4);
    ck_assert(is_filled_with(range, bytes, 0));
    memset(range, 2, bytes);
    ck_assert(is_filled_with(range, bytes, 2));
    tri__os_unmap(range, bytes);
}
END_TEST

START_TEST(decommitted_memory_reads_zero_even_if_locked)
{
    size_t page = tri__os_page_size();
    unsigned char *range = tri__os_map(page);
    ck_assert_ptr_nonnull(range);
    if (mlock(range, page) != 0) {
        printf("decommitted_memory_reads_zero_even_if_locked: not tried, mlock is not allowed\n");
        return;
    }
    memset(range, 1, page);
    tri__os_decommit(range, page);
    ck_assert(is_filled_with(range, page, 0));
    tri__os_unmap(range, page);
}
END_TEST

START_TEST(mapped_memory_is_zero_and_a_part_can_be_unmapped)
{
    size_t page = tri__os_page_size();
    unsigned char *range = tri__os_map(3 * page);
    ck_assert_ptr_nonnull(range);
    ck_assert(is_filled_with(range, 3 * page, 0));
    memset(range, 1, 3 * page);
    tri__os_unmap(range + page, page);
    ck_assert(is_filled_with(range, page, 1));
    ck_assert(!is_readable(range + page));
    ck_assert(is_filled_with(range + 2 * page, page, 1));
    tri__os_unmap(range, page);
    tri__os_unmap(range + 2 * page, page);
}
END_TEST

START_TEST(memory_that_cannot_be_had_is_a_return_value)
{
    size_t page = tri__os_page_size();
    size_t too_much = SIZE_MAX / 2 / page * page;
    ck_assert_ptr_null(tri__os_reserve(too_much));
    ck_assert_ptr_null(tri__os_map(too_much));
    unsigned char *range = tri__os_reserve(page);
    ck_assert_ptr_nonnull(range);
    tri__os_unmap(range, page);
    ck_assert_int_eq(tri__os_commit(range, page), -ENOMEM);
}
END_TEST

static void unmap_misaligned(void) { tri__os_unmap((void *)1, 1); }

START_TEST(wrong_unmap_is_fatal)
{
    struct captured captured = capture_child(unmap_misaligned);
    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "tricolor: munmap(0x1, 1) failed"));
}
END_TEST

START_TEST(figures_make_sense)
{
    size_t page = tri__os_page_size();
    ck_assert_uint_ge(page, 4096);
    ck_assert_uint_eq(page & (page - 1), 0);
    ck_assert_uint_ge(tri__os_physical_memory(), 64 * MIB);
    ck_assert_uint_ge(tri__os_cpus(), 1);
}
END_TEST

START_TEST(cpus_are_those_we_may_use)
{
    cpu_set_t before, one;
    ck_assert_int_eq(sched_getaffinity(0, sizeof before, &before), 0);
    ck_assert_uint_eq(tri__os_cpus(), (unsigned)CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_uint_eq(tri__os_cpus(), 1);
    ck_assert_int_eq(sched_setaffinity(0, sizeof before, &before), 0);
}
END_TEST

/* ---- threads and time ---- */

/* What a new thread found out about itself. */
struct thread_facts {
    sigset_t mask;
    char name[16];
    uint32_t tid;
    int status;
    uintptr_t low, here, high;
};

static void *collect_facts(void *argument)
{
    struct thread_facts *facts = argument;
    facts->status = pthread_sigmask(SIG_SETMASK, NULL, &facts->mask);
    facts->tid = tri__os_tid();
    facts->here = (uintptr_t)__builtin_frame_address(0);
    facts->status |= tri__os_stack_bounds(&facts->low, &facts->high);
    return facts;
}

static void assert_stack_contains(uintptr_t low, uintptr_t here, uintptr_t high)
{
    ck_assert_uint_le(low, here);
    ck_assert_uint_lt(here, high);
}

static bool same_signals(const sigset_t *a, const sigset_t *b)
{
    for (int number = 1; number < NSIG; number++)
        if (sigismember(a, number) != sigismember(b, number))
            return false;
    return true;
}

START_TEST(started_thread_takes_no_signals)
{
    static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGKILL, SIGSTOP};
    static const int blocked[] = {SIGINT, SIGTERM, SIGURG, SIGUSR1, SIGALRM, SIGPROF, SIGCHLD};
    sigset_t before, after;
    struct thread_facts facts = {0};
    pthread_t thread;
    void *result;
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    ck_assert_int_eq(tri__os_thread_start(&thread, collect_facts, &facts, "facts"), 0);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_ptr_eq(result, &facts);
    ck_assert_int_eq(facts.status, 0);
    ck_assert(same_signals(&before, &after));
    for (size_t i = 0; i < sizeof blocked / sizeof blocked[0]; i++)
        ck_assert_int_eq(sigismember(&facts.mask, blocked[i]), 1);
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
        ck_assert_int_eq(sigismember(&facts.mask, open[i]), 0);
    assert_stack_contains(facts.low, facts.here, facts.high);
    ck_assert_uint_ne(facts.tid, tri__os_tid());
}
END_TEST

static void *wait_for_release(void *argument)
{
    uint32_t *released = argument;
    while (tri__load_acquire(released) == 0)
        tri__futex_wait(released, 0, 0);
    return NULL;
}

START_TEST(long_thread_name_is_cut)
{
    uint32_t released = 0;
    pthread_t thread;
    char name[16];
    ck_assert_int_eq(
        tri__os_thread_start(&thread, wait_for_release, &released, "0123456789abcdefghi"), 0);
    ck_assert_int_eq(pthread_getname_np(thread, name, sizeof name), 0);
    tri__store_release(&released, 1); /* pairs with wait_for_release */
    tri__futex_wake(&released, INT_MAX);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_str_eq(name, "0123456789abcde");
}
END_TEST

START_TEST(stack_bounds_of_the_main_thread)
{
    uintptr_t low = 0, high = 0;
    ck_assert_int_eq(tri__os_stack_bounds(&low, &high), 0);
    assert_stack_contains(low, (uintptr_t)__builtin_frame_address(0), high);
    ck_assert_uint_le((uintptr_t)environ, high); /* the kernel puts it above every frame */
}
END_TEST

START_TEST(stack_bounds_of_a_stack_of_our_own)
{
    size_t bytes = MIB;
    unsigned char *stack = tri__os_map(bytes);
    pthread_attr_t attributes;
    pthread_t thread;
    struct thread_facts facts = {0};
    ck_assert_ptr_nonnull(stack);
    ck_assert_int_eq(pthread_attr_init(&attributes), 0);
    ck_assert_int_eq(pthread_attr_setstack(&attributes, stack, bytes), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, collect_facts, &facts), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(pthread_attr_destroy(&attributes), 0);
    ck_assert_int_eq(facts.status, 0);
    ck_assert_uint_eq(facts.low, (uintptr_t)stack);
    ck_assert_uint_eq(facts.high, (uintptr_t)stack + bytes);
    assert_stack_contains(facts.low, facts.here, facts.high);
    tri__os_unmap(stack, bytes);
}
END_TEST

static void ignore_signal(int number) { (void)number; }

/* A signal every half millisecond until stopped. */
static void set_signal_storm(bool on)
{
    struct sigaction action = {.sa_handler = ignore_signal};
    struct itimerval timer = {.it_interval = {.tv_usec = on ? 500 : 0},
                              .it_value = {.tv_usec = on ? 500 : 0}};
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

START_TEST(sleep_lasts_its_whole_time)
{
    uint64_t start = tri__os_now();
    tri__os_sleep(0);
    tri__os_sleep(20 * MS);
    ck_assert_uint_ge(tri__os_now() - start, 20 * MS);
    set_signal_storm(true);
    start = tri__os_now();
    tri__os_sleep(20 * MS);
    uint64_t slept = tri__os_now() - start;
    set_signal_storm(false);
    ck_assert_uint_ge(slept, 20 * MS);
}
END_TEST

START_TEST(clock_never_goes_back)
{
    uint64_t last = tri__os_now();
    ck_assert_uint_gt(last, 0);
    for (int i = 0; i < 10000; i++) {
        uint64_t now = tri__os_now();
        ck_assert_uint_ge(now, last);
        last = now;
        if (i % 1000 == 0)
            tri__os_yield();
    }
}
END_TEST

/* ---- futex ---- */

START_TEST(futex_wait_returns_when_the_word_differs)
{
    uint32_t word = 7;
    tri__futex_wait(&word, 6, 0);
    tri__futex_wake(&word, 1); /* nobody sleeps: no harm */
}
END_TEST

START_TEST(futex_wait_ends_with_its_time)
{
    uint32_t word = 7;
    uint64_t start = tri__os_now();
    while (tri__os_now() - start < 10 * MS)
        tri__futex_wait(&word, 7, 10 * MS);
    set_signal_storm(true);
    tri__futex_wait(&word, 7, 1000 * MS); /* a signal ends it early, and that is no error */
    set_signal_storm(false);
}
END_TEST

static void wait_on_misaligned_word(void) { tri__futex_wait((uint32_t *)(uintptr_t)1, 0, 0); }

START_TEST(wrong_futex_word_is_fatal)
{
    struct captured captured = capture_child(wait_on_misaligned_word);
    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "tricolor: futex wait on 0x1 failed"));
}
END_TEST

#define TURNS 2000u

struct ball {
    uint32_t turn; /* counts up; its parity says who plays */
    unsigned hits; /* plain: handed over by the turn */
};

static void play(struct ball *ball, uint32_t parity)
{
    for (;;) {
        uint32_t turn = tri__load_acquire(&ball->turn); /* pairs with the release below */
        if (turn >= TURNS)
            return;
        if (turn % 2 != parity) {
            tri__futex_wait(&ball->turn, turn, 0);
            continue;
        }
        ball->hits++;
        tri__store_release(&ball->turn, turn + 1);
        tri__futex_wake(&ball->turn, 1);
    }
}

static void *play_second(void *argument)
{
    play(argument, 1);
    return NULL;
}

START_TEST(futex_hands_over_without_losing_a_wake)
{
    struct ball ball = {0};
    pthread_t second;
    ck_assert_int_eq(tri__os_thread_start(&second, play_second, &ball, "second"), 0);
    play(&ball, 0);
    ck_assert_int_eq(pthread_join(second, NULL), 0);
    ck_assert_uint_eq(ball.hits, TURNS);
}
END_TEST

/* ---- messages ---- */

static void die(void) { tri__fatal("%s of %d", "death", 7); }

static void die_at_length(void)
{
    char text[4096];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    tri__fatal("%s", text);
}

static void fail_an_assertion(void) { TRI__ASSERT(1 + 1 == 3); }

static void fail_a_check(void) { TRI__CHECK(1 + 1 == 3); }

static void warn_and_exit(void)
{
    errno = EXDEV;
    tri__warn("mind %s", "the gap");
    _exit(errno == EXDEV ? 0 : 1);
}

START_TEST(fatal_prints_one_line_and_aborts)
{
    struct captured captured = capture_child(die);
    ck_assert(captured_aborted(&captured));
    ck_assert_str_eq(captured.text, "tricolor: death of 7\n");
}
END_TEST

START_TEST(long_fatal_message_is_cut_but_ends_the_line)
{
    struct captured captured = capture_child(die_at_length);
    size_t length = strlen(captured.text);
    ck_assert(captured_aborted(&captured));
    ck_assert_uint_gt(length, 500);
    ck_assert_uint_lt(length, 4096);
    ck_assert_ptr_eq(strchr(captured.text, '\n'), captured.text + length - 1);
}
END_TEST

START_TEST(assertion_says_what_and_where)
{
    struct captured captured = capture_child(fail_an_assertion);
    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "1 + 1 == 3"));
    ck_assert_ptr_nonnull(strstr(captured.text, "test_base.c:"));
    TRI__ASSERT(1 + 1 == 2);
}
END_TEST

START_TEST(check_is_for_debug_builds)
{
    struct captured captured = capture_child(fail_a_check);
    ck_assert(captured_aborted(&captured) == IS_DEBUG_BUILD);
    int evaluated = 0;
    TRI__CHECK(++evaluated > 0);
    ck_assert_int_eq(evaluated, IS_DEBUG_BUILD);
}
END_TEST

START_TEST(warning_returns_and_keeps_errno)
{
    struct captured captured = capture_child(warn_and_exit);
    ck_assert(captured_exited(&captured, 0));
    ck_assert_str_eq(captured.text, "tricolor: mind the gap\n");
}
END_TEST

/* ---- faults ---- */

static bool no_fault_is_armed(void)
{
    for (unsigned fault = 0; fault < TRI__FAULTS; fault++)
        if (tri__fault((enum tri__fault)fault))
            return false;
    return true;
}

static void start_faults(void)
{
    tri__fault_init();
    bool expected = tri__fault(TRI__FAULT_DROP_NEW) && tri__fault(TRI__FAULT_NO_CHUNKS) &&
                    !tri__fault(TRI__FAULT_DROP_OLD) && !tri__fault(TRI__FAULT_SKIP_ARM) &&
                    !tri__fault(TRI__FAULT_SKIP_FLUSH) && !tri__fault(TRI__FAULT_ALLOCATE_WHITE);
    _exit(expected ? 0 : 1);
}

static struct captured start_faults_with(const char *list)
{
    ck_assert_int_eq(setenv("TRICOLOR_FAULT", list, 1), 0);
    return capture_child(start_faults);
}

START_TEST(no_fault_unless_asked)
{
    ck_assert_int_eq(unsetenv("TRICOLOR_FAULT"), 0);
    tri__fault_init();
    ck_assert(no_fault_is_armed());
    ck_assert_int_eq(setenv("TRICOLOR_FAULT", "", 1), 0);
    tri__fault_init();
    ck_assert(no_fault_is_armed());
}
END_TEST

START_TEST(faults_are_armed_by_name_in_debug_builds_only)
{
    struct captured captured = start_faults_with("no-chunks,drop-new");
    if (IS_DEBUG_BUILD) {
        ck_assert(captured_exited(&captured, 0));
        return;
    }
    ck_assert(captured_aborted(&captured));
    ck_assert_ptr_nonnull(strstr(captured.text, "no-chunks,drop-new"));
    ck_assert_ptr_nonnull(strstr(captured.text, "--enable-debug"));
}
END_TEST

START_TEST(unknown_fault_is_fatal)
{
    static const char *const lists[] = {"drop", "drop-old,", ",drop-old", "drop-old,drop-ole",
                                        "drop-old drop-new"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct captured captured = start_faults_with(lists[i]);
        ck_assert(captured_aborted(&captured));
        ck_assert_ptr_nonnull(strstr(captured.text, "TRICOLOR_FAULT"));
        if (IS_DEBUG_BUILD)
            ck_assert_ptr_nonnull(strstr(captured.text, "drop-old, drop-new, skip-arm, skip-flush, "
                                                        "allocate-white, no-chunks"));
    }
}
END_TEST

/* ---- histogram ---- */

START_TEST(buckets_join_without_gap_or_overlap)
{
    ck_assert_uint_eq(tri__histogram_bucket(0), 0);
    for (unsigned bucket = 0; bucket < TRI__HISTOGRAM_OVERFLOW; bucket++) {
        uint64_t last = tri__histogram_bucket_max(bucket);
        ck_assert_uint_eq(tri__histogram_bucket(last), bucket);
        ck_assert_uint_eq(tri__histogram_bucket(last + 1), bucket + 1);
    }
    uint64_t end = UINT64_C(1) << TRI__HISTOGRAM_TOP_BIT;
    ck_assert_uint_eq(tri__histogram_bucket_max(TRI__HISTOGRAM_OVERFLOW - 1), end - 1);
    ck_assert_uint_eq(tri__histogram_bucket(UINT64_MAX), TRI__HISTOGRAM_OVERFLOW);
}
END_TEST

#define VALUES 4000u

static int compare_values(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* The naive answer: of the sorted values, the one that a share of them does not exceed. */
static uint64_t exact_percentile(const uint64_t *sorted, size_t count, double quantile)
{
    size_t i = 0;
    while (i + 1 < count && (double)(i + 1) < quantile * (double)count)
        i++;
    return sorted[i];
}

/* Spread over all powers of two below 2^bits. */
static uint64_t random_duration(struct random *random, unsigned bits)
{
    return random_next(random) >> (64 - 1 - random_below(random, bits));
}

static void assert_percentiles_agree(const struct tri__histogram *histogram, const uint64_t *sorted,
                                     size_t count)
{
    static const double quantiles[] = {0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1};
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        uint64_t exact = exact_percentile(sorted, count, quantiles[i]);
        uint64_t got = tri__histogram_percentile(histogram, quantiles[i]);
        ck_assert_uint_ge(got, exact);
        ck_assert_uint_le(got, exact + exact / 8);
    }
    ck_assert_uint_eq(tri__histogram_percentile(histogram, 1), sorted[count - 1]);
}

START_TEST(histogram_agrees_with_sorted_values)
{
    static struct tri__histogram all, halves[2], merged;
    static uint64_t values[VALUES];
    struct random random = random_of(seed, 1);
    for (unsigned round = 0; round < 20; round++) {
        size_t count = 1 + random_below(&random, VALUES);
        unsigned bits = 1 + (unsigned)random_below(&random, TRI__HISTOGRAM_TOP_BIT);
        uint64_t total = 0;
        memset(&all, 0, sizeof all);
        memset(halves, 0, sizeof halves);
        memset(&merged, 0, sizeof merged);
        for (size_t i = 0; i < count; i++) {
            values[i] = random_duration(&random, bits);
            total += values[i];
            tri__histogram_record(&all, values[i]);
            tri__histogram_record(&halves[random_below(&random, 2)], values[i]);
        }
        qsort(values, count, sizeof values[0], compare_values);
        ck_assert_uint_eq(tri__histogram_count(&all), count);
        ck_assert_uint_eq(tri__histogram_total(&all), total);
        ck_assert_uint_eq(tri__histogram_max(&all), values[count - 1]);
        assert_percentiles_agree(&all, values, count);
        tri__histogram_merge(&merged, &halves[0]);
        tri__histogram_merge(&merged, &halves[1]);
        ck_assert_mem_eq(&merged, &all, sizeof all);
    }
}
END_TEST

START_TEST(histogram_at_its_ends)
{
    static struct tri__histogram histogram;
    ck_assert_uint_eq(tri__histogram_percentile(&histogram, 0.5), 0);
    ck_assert_uint_eq(tri__histogram_count(&histogram), 0);
    tri__histogram_record(&histogram, 0);
    ck_assert_uint_eq(tri__histogram_percentile(&histogram, 1), 0);
    uint64_t hour = UINT64_C(3600000000000);
    tri__histogram_record(&histogram, hour);
    ck_assert_uint_eq(tri__histogram_percentile(&histogram, 0.5), 0);
    ck_assert_uint_eq(tri__histogram_percentile(&histogram, 0.51), hour);
    ck_assert_uint_eq(tri__histogram_max(&histogram), hour);
    ck_assert_uint_eq(tri__histogram_count(&histogram), 2);
}
END_TEST

#define RECORDS 20000u

static void *record_many(void *argument)
{
    for (uint64_t i = 0; i < RECORDS; i++)
        tri__histogram_record(argument, i);
    return NULL;
}

START_TEST(histogram_can_be_read_while_it_is_written)
{
    static struct tri__histogram histogram;
    pthread_t writer;
    uint64_t last = 0;
    ck_assert_int_eq(tri__os_thread_start(&writer, record_many, &histogram, "writer"), 0);
    while (last < RECORDS) {
        uint64_t count = tri__histogram_count(&histogram);
        ck_assert_uint_ge(count, last);
        ck_assert_uint_lt(tri__histogram_percentile(&histogram, 0.99), RECORDS);
        last = count;
    }
    ck_assert_int_eq(pthread_join(writer, NULL), 0);
    ck_assert_uint_eq(last, RECORDS);
}
END_TEST

/* ---- the suite ---- */

static TCase *memory_case(void)
{
    TCase *tests = tcase_create("memory");
    tcase_add_test(tests, reserved_memory_faults_until_committed);
    tcase_add_test(tests, decommitted_memory_reads_zero_and_costs_nothing);
    tcase_add_test(tests, decommitted_memory_reads_zero_even_if_locked);
    tcase_add_test(tests, mapped_memory_is_zero_and_a_part_can_be_unmapped);
    tcase_add_test(tests, memory_that_cannot_be_had_is_a_return_value);
    tcase_add_test(tests, wrong_unmap_is_fatal);
    tcase_add_test(tests, figures_make_sense);
    tcase_add_test(tests, cpus_are_those_we_may_use);
    return tests;
}

static TCase *thread_case(void)
{
    TCase *tests = tcase_create("threads");
    tcase_add_test(tests, started_thread_takes_no_signals);
    tcase_add_test(tests, long_thread_name_is_cut);
    tcase_add_test(tests, stack_bounds_of_the_main_thread);
    tcase_add_test(tests, stack_bounds_of_a_stack_of_our_own);
    tcase_add_test(tests, sleep_lasts_its_whole_time);
    tcase_add_test(tests, clock_never_goes_back);
    tcase_add_test(tests, futex_wait_returns_when_the_word_differs);
    tcase_add_test(tests, futex_wait_ends_with_its_time);
    tcase_add_test(tests, wrong_futex_word_is_fatal);
    tcase_add_test(tests, futex_hands_over_without_losing_a_wake);
    return tests;
}

static TCase *message_case(void)
{
    TCase *tests = tcase_create("messages");
    tcase_add_test(tests, fatal_prints_one_line_and_aborts);
    tcase_add_test(tests, long_fatal_message_is_cut_but_ends_the_line);
    tcase_add_test(tests, assertion_says_what_and_where);
    tcase_add_test(tests, check_is_for_debug_builds);
    tcase_add_test(tests, warning_returns_and_keeps_errno);
    tcase_add_test(tests, no_fault_unless_asked);
    tcase_add_test(tests, faults_are_armed_by_name_in_debug_builds_only);
    tcase_add_test(tests, unknown_fault_is_fatal);
    return tests;
}

static TCase *histogram_case(void)
{
    TCase *tests = tcase_create("histogram");
    tcase_add_test(tests, buckets_join_without_gap_or_overlap);
    tcase_add_test(tests, histogram_agrees_with_sorted_values);
    tcase_add_test(tests, histogram_at_its_ends);
    tcase_add_test(tests, histogram_can_be_read_while_it_is_written);
    return tests;
}

int main(int argc, char **argv)
{
    seed = random_start(argc, argv);
    Suite *suite = suite_create("base");
    suite_add_tcase(suite, memory_case());
    suite_add_tcase(suite, thread_case());
    suite_add_tcase(suite, message_case());
    suite_add_tcase(suite, histogram_case());
    return run_suite(suite);
}
