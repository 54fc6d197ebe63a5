/* SPDX-License-Identifier: MIT */
/* Threads that never come to a safepoint answer in a signal handler: whatever holds their objects,
 * beside the program's own signals; and what happens where no signal can be had. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture.h"
#include "coroutine.h"
#include "limited.h"
#include "spinner.h"
#include "suite.h"

#include "mutator/signal.h"
#include "mutator/stack.h"

/* ThreadSanitizer calls handlers when the thread comes to a function of the C library that it knows:
 * who never does is never interrupted. */
enum { SPINNERS_ANSWER = !HAS_TSAN };

#define LONG_NS UINT64_C(300000000) /* in which a cycle would be over if nothing held it */

static void start_with_signal(int number)
{
    tri_config config = TRI_CONFIG_INIT;

    config.gc_percent = -1;
    config.signal = number;
    ck_assert_int_eq(tri_init(&config), 0);
}

static uint64_t count_of(uint64_t *counter)
{
    return tri__load_relaxed(counter);
}

/* ---- spinners ---- */

static uintptr_t (*const places[])(uintptr_t, const uint32_t *) = {
    spin_in_register, spin_in_vector, spin_in_wide_vector, spin_in_red_zone};

START_TEST(a_spinner_keeps_its_object)
{
    struct spinner spinner = {.spin = places[_i]};

    start_quiet();
    spinner_start(&spinner);
    for (int i = 0; i < 20; i++) {
        tri_collect();
        ck_assert(spinner_keeps(&spinner));
    }
    spinner_stop(&spinner);
    ck_assert_int_eq(spinner.error, 4711); /* the handler leaves errno alone */
    tri_shutdown();
}
END_TEST

/* That the tests above can fail. */
START_TEST(what_is_nowhere_dies)
{
    enum { MANY = 10 };
    int kept = 0;

    start_quiet();
    for (int i = 0; i < MANY; i++) {
        struct spinner spinner = {.spin = spin_with_nothing};

        spinner_start(&spinner);
        collect_times(2);
        kept += tri_object_base(reveal(spinner.object)) != NULL;
        spinner_stop(&spinner);
    }
    ck_assert_int_le(kept, MANY / 2);
    tri_shutdown();
}
END_TEST

START_TEST(many_spinners_of_all_kinds)
{
    enum { MANY = 12 };
    struct spinner spinners[MANY] = {{0}};

    start_quiet();
    for (int i = 0; i < MANY; i++) {
        spinners[i].spin = places[i % 4];
        spinner_start(&spinners[i]);
    }
    for (int i = 0; i < 5; i++) {
        tri_collect();
        for (int j = 0; j < MANY; j++)
            ck_assert(spinner_keeps(&spinners[j]));
    }
    for (int i = 0; i < MANY; i++)
        spinner_stop(&spinners[i]);
    tri_shutdown();
}
END_TEST

/* ---- errno ---- */

static uintptr_t check_errno(uintptr_t hidden, const uint32_t *stop)
{
    for (int i = 1; tri__load_relaxed(stop) == 0; i = i % 100 + 1) {
        errno = i;
        for (int j = 0; j < 50; j++)
            __asm__ volatile("" : : : "memory");
        if (errno != i)
            ck_abort_msg("the handler has changed errno to %d", errno);
    }
    errno = 4711;
    return hidden;
}

START_TEST(errno_is_kept)
{
    struct spinner spinner = {.spin = check_errno};

    start_quiet();
    spinner_start(&spinner);
    collect_times(50);
    spinner_stop(&spinner);
    tri_shutdown();
}
END_TEST

/* ---- alternate stacks ---- */

#define ALTERNATE_BYTES ((size_t)64 << 10)

static void *take_alternate_stack(struct spinner *self)
{
    stack_t stack = {.ss_sp = calloc(1, ALTERNATE_BYTES), .ss_size = ALTERNATE_BYTES};

    (void)self;
    ck_assert_ptr_nonnull(stack.ss_sp);
    ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
    return stack.ss_sp;
}

static bool is_no_zero(uintptr_t word)
{
    return word != 0;
}

/* A handler may be running there: sanitizers do not look at these reads. */
static bool is_used(const char *stack)
{
    return tri__stack_has((uintptr_t)stack, (uintptr_t)stack + ALTERNATE_BYTES, is_no_zero);
}

/* The handler runs there, and finds what lies on the thread's own stack and in registers. */
START_TEST(handlers_run_on_the_alternate_stack)
{
    struct spinner spinner = {.spin = places[_i], .prepare = take_alternate_stack};

    start_quiet();
    spinner_start(&spinner);
    ck_assert(!is_used(spinner.prepared));
    for (int i = 0; i < 10; i++) {
        tri_collect();
        ck_assert(spinner_keeps(&spinner));
    }
    ck_assert(is_used(spinner.prepared));
    spinner_stop(&spinner);
    free(spinner.prepared);
    tri_shutdown();
}
END_TEST

/* ---- coroutines ---- */

static void spin_in_coroutine(struct coroutine *self)
{
    struct spinner *spinner = self->argument;

    spinner->object = new_spun();
    clear_stack();
    tri__store_release(&spinner->tid, tri__os_tid()); /* rel -> acq in spinner_start() */
    spinner->object.bits = spin_in_register(spinner->object.bits, &spinner->stop);
}

static void *run_coroutine(void *spinner)
{
    struct coroutine *coroutine = coroutine_new(spin_in_coroutine, spinner);

    coroutine_resume(coroutine);
    coroutine_free(coroutine);
    return NULL;
}

START_TEST(a_spinner_on_a_registered_stack)
{
    struct spinner spinner = {0};

    start_quiet();
    ck_assert_int_eq(pthread_create(&spinner.thread, NULL, run_coroutine, &spinner), 0);
    while (tri__load_acquire(&spinner.tid) == 0) /* acq <- rel in spin_in_coroutine() */
        tri__os_sleep(100000);
    for (int i = 0; i < 10; i++) {
        tri_collect();
        ck_assert(spinner_keeps(&spinner));
    }
    spinner_stop(&spinner);
    tri_shutdown();
}
END_TEST

/* ---- without a signal ---- */

static void check_cycle_waits(const struct collection *collection)
{
    TRI_BLOCKING
        tri__os_sleep(LONG_NS);
    ck_assert(!collection_is_over(collection));
}

/* The cycle waits for the safepoint, and for nothing else. */
START_TEST(without_a_signal_a_spinner_holds_the_cycle)
{
    struct spinner spinner = {.spin = spin_in_register, .polite = 1};
    struct collection collection;

    start_with_signal(-1);
    ck_assert_int_eq(tri__signal_number(), 0);
    spinner_start(&spinner);
    collection_start(&collection, 1);
    check_cycle_waits(&collection);
    spinner_stop(&spinner);
    collection_join(&collection);
    tri_shutdown();
}
END_TEST

static void *allocate_until(void *stop)
{
    while (tri__load_relaxed((uint32_t *)stop) == 0) {
        tri_new(spun);
        tri_safepoint();
    }
    return NULL;
}

START_TEST(without_a_signal_cooperating_threads_are_enough)
{
    pthread_t threads[3];
    uint32_t stop = 0;

    start_with_signal(-1);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, allocate_until, &stop), 0);
    collect_times(30);
    tri__store_relaxed(&stop, 1);
    TRI_BLOCKING
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
    tri_shutdown();
}
END_TEST

/* ---- another signal ---- */

static void is_answered_by(int number)
{
    struct spinner spinner = {.spin = spin_in_register};

    ck_assert_int_eq(tri__signal_number(), number);
    spinner_start(&spinner);
    collect_times(5);
    ck_assert(spinner_keeps(&spinner));
    spinner_stop(&spinner);
    tri_shutdown();
}

static int other_signal(int i)
{
    const int numbers[] = {SIGUSR2, SIGRTMIN + 3, SIGRTMAX, SIGCHLD};

    return numbers[i];
}

START_TEST(another_signal_by_configuration)
{
    start_with_signal(other_signal(_i));
    is_answered_by(other_signal(_i));
}
END_TEST

START_TEST(another_signal_by_the_environment)
{
    char text[20];

    snprintf(text, sizeof text, "%d", other_signal(_i));
    ck_assert_int_eq(setenv("TRICOLOR_SIGNAL", text, 1), 0);
    start_with_signal(SIGUSR1);
    is_answered_by(other_signal(_i));
}
END_TEST

static void init_with_bad_signals(void)
{
    const int bad[] = {-2, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGILL, SIGABRT, 32, 33, 65, 1000};
    tri_config config = TRI_CONFIG_INIT;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config.signal = bad[i];
        if (tri_init(&config) != -EINVAL)
            _exit(1);
    }
}

START_TEST(bad_signals_are_refused)
{
    struct captured captured = capture_child(init_with_bad_signals);

    ck_assert(captured_exited(&captured, 0));
    ck_assert_ptr_nonnull(strstr(captured.text, "tri_config.signal is -2"));
    ck_assert_ptr_nonnull(strstr(captured.text, "tri_config.signal is 1000"));
}
END_TEST

/* One after the other in one process: each keeps its own former handler. */
static uint64_t urgent, second; /* atomic */

static void count_urgent(int number)
{
    tri__fetch_add_relaxed(number == SIGURG ? &urgent : &second, 1);
}

START_TEST(a_signal_that_was_ours_still_goes_to_the_program)
{
    signal(SIGURG, count_urgent);
    start_with_signal(SIGURG);
    tri_shutdown();
    start_with_signal(SIGUSR2);
    kill(getpid(), SIGURG);
    ck_assert_uint_eq(count_of(&urgent), 1);
    tri_shutdown();
    ck_assert_uint_eq(count_of(&second), 0);
}
END_TEST

/* ---- handlers of the program's for the same signal ---- */

static uint64_t plain_calls, info_calls; /* atomic */

static void plain_handler(int number)
{
    (void)number;
    tri__fetch_add_relaxed(&plain_calls, 1);
}

static void info_handler(int number, siginfo_t *info, void *context)
{
    (void)number;
    if (context != NULL && (info->si_code == SI_USER || info->si_code == SI_QUEUE))
        tri__fetch_add_relaxed(&info_calls, 1);
}

static void install(int number, bool with_info)
{
    struct sigaction action = {.sa_flags = with_info ? SA_SIGINFO : 0};

    if (with_info)
        action.sa_sigaction = info_handler;
    else
        action.sa_handler = plain_handler;
    ck_assert_int_eq(sigaction(number, &action, NULL), 0);
}

/* It gets those of others, and none of ours. */
START_TEST(a_handler_installed_before_is_called)
{
    struct spinner spinner = {.spin = spin_in_register};
    uint64_t *calls = _i ? &info_calls : &plain_calls;
    sigset_t urgent_only;

    install(SIGURG, _i != 0);
    start_quiet();
    spinner_start(&spinner);
    collect_times(10);
    ck_assert_uint_eq(count_of(calls), 0);
    sigemptyset(&urgent_only);
    sigaddset(&urgent_only, SIGURG);
    kill(getpid(), SIGURG);
    sigqueue(getpid(), SIGURG, (union sigval){.sival_int = 5});
    while (count_of(calls) == 0)
        tri__os_sleep(1000000);
    ck_assert_uint_le(count_of(calls), 2); /* two at once are one */
    spinner_stop(&spinner);
    tri_shutdown();
}
END_TEST

static uint64_t reports; /* atomic */

static void count_report(const char *line, void *unused)
{
    (void)line, (void)unused;
    tri__fetch_add_relaxed(&reports, 1);
}

/* Who is silent is reported after the collector has found that it cannot ask by a signal. */
static void start_with_reports(void)
{
    tri_config config = TRI_CONFIG_INIT;

    config.gc_percent = -1;
    config.stall_ms = 1;
    config.log = count_report;
    ck_assert_int_eq(tri_init(&config), 0);
}

static void await_report(uint64_t before)
{
    TRI_BLOCKING
        while (count_of(&reports) == before)
            tri__os_sleep(1000000);
}

static void replace_the_handler(void)
{
    struct spinner spinner = {.spin = spin_in_register, .polite = 1};
    struct collection collection;

    begin_limit();
    start_with_reports();
    install(SIGURG, false);
    for (int i = 0; i < 3; i++) {
        uint64_t before = count_of(&reports);

        spinner = (struct spinner){.spin = spin_in_register, .polite = 1};
        spinner_start(&spinner);
        collection_start(&collection, 1);
        await_report(before);
        if (collection_is_over(&collection))
            _exit(3);
        spinner_stop(&spinner);
        collection_join(&collection);
    }
    if (count_of(&plain_calls) != 0)
        _exit(4);
    tri_shutdown();
    end_limit();
}

START_TEST(a_handler_installed_later_stops_us_with_one_warning)
{
    struct captured captured = capture_child(replace_the_handler);
    const char *first = strstr(captured.text, "has another handler since tri_init()");

    ck_assert_msg(captured_exited(&captured, 0), "status %x: %s", captured.status, captured.text);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(strstr(first + 1, "has another handler"));
}
END_TEST

/* ---- blocked ---- */

static sigset_t ours_alone(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGURG);
    return set;
}

static void *block_ours(struct spinner *self)
{
    sigset_t ours = ours_alone();

    (void)self;
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &ours, NULL), 0);
    return NULL;
}

/* Until a safepoint; and nothing is lost by that. */
START_TEST(a_thread_that_blocks_the_signal_holds_the_cycle)
{
    struct spinner spinner = {.spin = spin_in_register, .prepare = block_ours, .polite = 1};
    struct collection collection;

    start_quiet();
    spinner_start(&spinner);
    collection_start(&collection, 2);
    check_cycle_waits(&collection);
    spinner_stop(&spinner);
    collection_join(&collection);
    tri_shutdown();
}
END_TEST

/* Unblocks after a while, and spins on. */
static uintptr_t unblock_and_spin(uintptr_t hidden, const uint32_t *stop)
{
    sigset_t ours = ours_alone();

    tri__os_sleep(LONG_NS);
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
    return spin_in_register(hidden, stop);
}

START_TEST(a_blocked_signal_arrives_when_it_is_unblocked)
{
    struct spinner spinner = {.spin = unblock_and_spin, .prepare = block_ours};

    start_quiet();
    spinner_start(&spinner);
    collect_times(3);
    spinner_stop(&spinner);
    tri_shutdown();
}
END_TEST

/* Takes ours from a signalfd, some of them, then unblocks and spins. */
static uintptr_t swallow_and_spin(uintptr_t hidden, const uint32_t *stop)
{
    sigset_t ours = ours_alone();
    struct signalfd_siginfo info;
    int fd = signalfd(-1, &ours, SFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(read(fd, &info, sizeof info), sizeof info);
    ck_assert_uint_eq(info.ssi_signo, SIGURG);
    close(fd);
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
    return spin_in_register(hidden, stop);
}

/* What the program has taken away is sent anew. */
START_TEST(a_signal_that_a_signalfd_has_taken_is_sent_again)
{
    struct spinner spinner = {.spin = swallow_and_spin, .prepare = block_ours};

    start_quiet();
    spinner_start(&spinner);
    collect_times(3);
    spinner_stop(&spinner);
    tri_shutdown();
}
END_TEST

static void add_spinners(Suite *suite)
{
    TCase *tcase = tcase_create("spinners");
    const int count = SPINNERS_ANSWER ? sizeof places / sizeof places[0] : 0;

    tcase_set_timeout(tcase, LIMIT_SECONDS + 10);
    tcase_add_checked_fixture(tcase, begin_limit, end_limit);
    tcase_add_loop_test(tcase, a_spinner_keeps_its_object, 0, count);
    tcase_add_loop_test(tcase, handlers_run_on_the_alternate_stack, 0, count);
    if (SPINNERS_ANSWER) {
        if (SPINNERS_CAN_HIDE && !IS_SANITIZED) /* AddressSanitizer keeps frames that are over */
            tcase_add_test(tcase, what_is_nowhere_dies);
        tcase_add_test(tcase, many_spinners_of_all_kinds);
        tcase_add_test(tcase, errno_is_kept);
        tcase_add_test(tcase, a_spinner_on_a_registered_stack);
        tcase_add_loop_test(tcase, another_signal_by_configuration, 0, 4);
        tcase_add_loop_test(tcase, another_signal_by_the_environment, 0, 4);
        tcase_add_loop_test(tcase, a_handler_installed_before_is_called, 0, 2);
        tcase_add_test(tcase, a_blocked_signal_arrives_when_it_is_unblocked);
        tcase_add_test(tcase, a_signal_that_a_signalfd_has_taken_is_sent_again);
    }
    suite_add_tcase(suite, tcase);
}

int main(void)
{
    Suite *suite = suite_create("signal");
    TCase *tcase = tcase_create("without"), *children = tcase_create("children");

    add_spinners(suite);
    tcase_set_timeout(tcase, LIMIT_SECONDS + 10);
    tcase_add_checked_fixture(tcase, begin_limit, end_limit);
    tcase_add_test(tcase, without_a_signal_a_spinner_holds_the_cycle);
    tcase_add_test(tcase, without_a_signal_cooperating_threads_are_enough);
    tcase_add_test(tcase, a_signal_that_was_ours_still_goes_to_the_program);
    tcase_add_test(tcase, a_thread_that_blocks_the_signal_holds_the_cycle);
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(children, LIMIT_SECONDS + 10); /* they have limits of their own */
    tcase_add_test(children, bad_signals_are_refused);
    tcase_add_test(children, a_handler_installed_later_stops_us_with_one_warning);
    suite_add_tcase(suite, children);
    return run_suite(suite);
}
