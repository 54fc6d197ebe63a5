/* SPDX-License-Identifier: MIT */
/* tests/test_base.c: what is asked of the operating system: memory, threads, time, futexes. */
#include "base/atomic.h"
#include "base/fatal.h"
#include "base/futex.h"
#include "base/os.h"
#include "tests/capture.h"
#include "tests/suite.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define MS UINT64_C(1000000)

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

extern void *__libc_stack_end;

START_TEST(stack_bounds_of_the_main_thread)
{
    uintptr_t low = 0, high = 0;
    ck_assert_int_eq(tri__os_stack_bounds(&low, &high), 0);
    assert_stack_contains(low, (uintptr_t)__builtin_frame_address(0), high);
    ck_assert_uint_lt((uintptr_t)__libc_stack_end, high); /* where the first frame began */
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

int main(void)
{
    Suite *suite = suite_create("base");
    suite_add_tcase(suite, memory_case());
    suite_add_tcase(suite, thread_case());
    return run_suite(suite);
}
