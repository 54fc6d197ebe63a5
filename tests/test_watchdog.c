/* SPDX-License-Identifier: MIT */
/* Threads that keep a cycle waiting are named, with what they do and why they were not asked by a
 * signal; the cycle ends when they let it, and the program runs on. */
#include <check.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "capture.h"
#include "limited.h"
#include "spinner.h"
#include "suite.h"
#include "task.h"

#include "base/futex.h"
#include "mutator/watchdog.h"

/* ThreadSanitizer calls the handler when the sleep is over. */
enum { SIGNALS_ARE_LATE = HAS_TSAN };

enum { STALL_MS = 100 };
enum { NEVER_MS = LIMIT_SECONDS * 500 }; /* who is silent for so long would be for ever */
#define SILENT_NS (UINT64_C(450) * 1000000) /* where no report is expected */
#define REPORT " has not answered "

static uint32_t may_end; /* atomic, a futex: the silent one may answer */

/* ---- what a child has said: it looks itself, and goes on when that is enough ---- */

static int said = -1;              /* stderr of children from start() on */
static const char *const *wanted;  /* WANTED of them, in what they say; NULL: nothing particular */
static uint64_t reports;           /* atomic: that the program's log has got */

enum { WANTED = 4 };

static void start(int number, unsigned stall_ms)
{
    tri_config config = TRI_CONFIG_INIT;

    config.gc_percent = -1;
    config.signal = number;
    config.stall_ms = stall_ms;
    if (dup2(said, STDERR_FILENO) < 0)
        _exit(8);
    ck_assert_int_eq(tri_init(&config), 0);
}

static struct captured capture_start(void (*function)(void))
{
    struct captured captured;
    size_t length;

    said = memfd_create("said", MFD_CLOEXEC);
    ck_assert_int_ge(said, 0);
    captured = capture_child(function);
    length = strlen(captured.text);
    ck_assert_int_eq(lseek(said, 0, SEEK_SET), 0); /* its children moved the same offset */
    read_all(said, captured.text + length, sizeof captured.text - length);
    return captured;
}

static int count_in(const char *text, const char *what)
{
    int count = 0;

    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        count++;
    return count;
}

static bool says_all(const char *text)
{
    for (int i = 0; wanted != NULL && i < WANTED; i++)
        if (strstr(text, wanted[i]) == NULL)
            return false;
    return true;
}

/* The first reports may be of a thread that is still on its way into its silence. */
static bool is_enough(void)
{
    static char text[sizeof((struct captured *)0)->text];
    ssize_t length;

    if (said < 0)
        return tri__load_relaxed(&reports) >= 2;
    length = pread(said, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    return count_in(text, REPORT) >= 2 && says_all(text);
}

static void let_end(void)
{
    tri__store_release(&may_end, 1);
    tri__futex_wake(&may_end, INT_MAX);
}

static void *let_end_after_reports(void *unused)
{
    while (!is_enough())
        tri__os_sleep(1000000);
    let_end();
    return unused;
}

static void *let_end_in_a_while(void *unused)
{
    tri__os_sleep(SILENT_NS);
    let_end();
    return unused;
}

/* ---- ways to be silent, until it may end ---- */

static void sleep_until_told(void)
{
    while (tri__load_acquire(&may_end) == 0)
        tri__futex_wait(&may_end, 0, 0);
}

static uintptr_t sleep_long(uintptr_t hidden, const uint32_t *stop)
{
    (void)stop;
    sleep_until_told();
    return hidden;
}

static int sleep_inside(struct dl_phdr_info *info, size_t bytes, void *unused)
{
    (void)info, (void)bytes, (void)unused;
    sleep_until_told();
    return 1;
}

/* A report must need none of these. */
static uintptr_t sleep_with_locks(uintptr_t hidden, const uint32_t *stop)
{
    (void)stop;
    flockfile(stderr);
    dl_iterate_phdr(sleep_inside, NULL);
    funlockfile(stderr);
    return hidden;
}

static uintptr_t spin_long(uintptr_t hidden, const uint32_t *stop)
{
    (void)stop;
    while (tri__load_acquire(&may_end) == 0)
        continue;
    return hidden;
}

static uintptr_t hold_and_spin(uintptr_t hidden, const uint32_t *stop)
{
    void *slot = NULL;

    tri_bulk_barrier_pre_write(&slot, NULL, sizeof slot);
    return spin_long(hidden, stop);
}

static void *name_silent(struct spinner *self)
{
    prctl(PR_SET_NAME, "silent one");
    return self;
}

static void *name_and_block(struct spinner *self)
{
    sigset_t ours;

    sigemptyset(&ours);
    sigaddset(&ours, SIGURG);
    pthread_sigmask(SIG_BLOCK, &ours, NULL);
    return name_silent(self);
}

/* Two cycles beside it, the second of which it is not there for. It may end when `watch` says so; with
 * none, after the first. Who watches is there before any lock is held. */
static void collect_until(void *(*watch)(void *), uintptr_t (*silence)(uintptr_t, const uint32_t *),
                          void *(*prepare)(struct spinner *))
{
    struct spinner spinner = {.spin = silence, .prepare = prepare, .polite = 1};
    pthread_t watcher;

    begin_limit();
    if (watch != NULL && tri__os_thread_start(&watcher, watch, NULL, "watcher") != 0)
        _exit(9);
    spinner_start(&spinner);
    tri_collect();
    if (watch != NULL)
        pthread_join(watcher, NULL);
    let_end();
    spinner_stop(&spinner);
    tri_collect();
    tri_shutdown();
    end_limit();
}

static void collect_beside(uintptr_t (*silence)(uintptr_t, const uint32_t *),
                           void *(*prepare)(struct spinner *))
{
    collect_until(let_end_after_reports, silence, prepare);
}

/* ---- each in a child ---- */

static void asleep_without_a_signal(void)
{
    start(-1, STALL_MS);
    collect_beside(sleep_long, name_silent);
}

static void running_without_a_signal(void)
{
    start(-1, STALL_MS);
    collect_beside(spin_long, name_silent);
}

static void with_the_signal_blocked(void)
{
    start(0, STALL_MS);
    collect_beside(sleep_long, name_and_block);
}

static void ignore(int number) { (void)number; }

static void with_the_handler_replaced(void)
{
    start(0, STALL_MS);
    signal(SIGURG, ignore);
    collect_beside(spin_long, name_silent);
}

static void held(void)
{
    start(0, STALL_MS);
    collect_beside(hold_and_spin, name_silent);
}

static void with_locks(void)
{
    start(-1, STALL_MS);
    collect_beside(sleep_with_locks, name_silent);
}

static void by_the_environment(void)
{
    setenv("TRICOLOR_STALL", "100", 1);
    start(-1, UINT_MAX);
    if (tri__watchdog_first(0) != STALL_MS * UINT64_C(1000000))
        _exit(6);
    collect_beside(sleep_long, name_silent);
}

static void nap(void)
{
    tri__os_sleep(1000000);
}

static void await_end_of_main(void)
{
    while (task_now((unsigned long)getpid()).state != 'Z')
        nap();
}

static void *collect_without_main(void *unused)
{
    await_end_of_main();
    collect_beside(sleep_long, name_and_block);
    _exit(0);
    return unused;
}

/* There is no process any more by its number. */
static void when_main_has_ended(void)
{
    pthread_t thread;

    start(0, STALL_MS);
    if (pthread_create(&thread, NULL, collect_without_main, NULL) != 0)
        abort();
    pthread_exit(NULL);
}

#define NAMED "thread \"silent one\" (tid "
#define MAY_BE_RUNNING "it runs; a debugger shows where"

static const struct {
    void (*act)(void);
    const char *says[WANTED];
} silences[] = {
    {asleep_without_a_signal,
     {NAMED, "state S", "it was configured that there be none", "it sleeps in system call"}},
    {running_without_a_signal, {NAMED, "state R", "other threads do not", MAY_BE_RUNNING}},
    {with_the_signal_blocked, {NAMED, "it blocks signal 23", "state S", "test_watchdog+0x"}},
    {with_the_handler_replaced, {NAMED, "its handler was replaced", "state R", MAY_BE_RUNNING}},
    {held, {NAMED, "tri_bulk_barrier_pre_write()", "when a signal came last", "test_watchdog+0x"}},
    {with_locks, {NAMED, "it sleeps in system call", "libc.so", "test_watchdog+0x"}},
    {when_main_has_ended, {NAMED, "it blocks signal 23", "state S", "test_watchdog+0x"}},
    {by_the_environment, {NAMED, "has not answered H1 for ", "tri_safepoint", "state S"}},
};

/* None is early, and more lies between two each time. */
static void check_times(const char *text)
{
    static const char before[] = REPORT "H1 for ";
    unsigned least = STALL_MS, seconds, ms;

    for (const char *at = strstr(text, before); at != NULL; at = strstr(at + 1, before)) {
        ck_assert_int_eq(sscanf(at + strlen(before), "%u.%3u", &seconds, &ms), 2);
        ck_assert_uint_ge(1000 * seconds + ms, least);
        least = 2 * (1000 * seconds + ms);
    }
}

START_TEST(the_silent_are_named)
{
    struct captured captured;

    wanted = silences[_i].says;
    captured = capture_start(silences[_i].act);
    ck_assert_msg(captured_exited(&captured, 0), "status %x: %.1000s", captured.status,
                  captured.text);
    for (int i = 0; i < WANTED; i++)
        ck_assert_msg(strstr(captured.text, silences[_i].says[i]) != NULL, "%d, %d: %.1000s", _i,
                      i, captured.text);
    ck_assert_int_ge(count_in(captured.text, NAMED), 2);
    check_times(captured.text);
}
END_TEST

/* ---- without files ---- */

/* From now on /proc cannot be read. */
static void use_up_descriptors(void)
{
    struct rlimit few = {64, 64};

    if (setrlimit(RLIMIT_NOFILE, &few) != 0)
        _exit(2);
    while (dup(STDERR_FILENO) >= 0)
        continue;
}

static void without_descriptors(void)
{
    start(-1, STALL_MS);
    use_up_descriptors();
    collect_beside(sleep_long, name_silent);
}

START_TEST(the_silent_have_numbers_at_least)
{
    struct captured captured = capture_start(without_descriptors);

    ck_assert_msg(captured_exited(&captured, 0), "status %x: %.1000s", captured.status,
                  captured.text);
    ck_assert_msg(strstr(captured.text, "thread (tid ") != NULL &&
                      strstr(captured.text, ") has not answered H1 for ") != NULL &&
                      strstr(captured.text, "it was configured that there be none") != NULL &&
                      strstr(captured.text, "no file descriptor is free") != NULL,
                  "%.1000s", captured.text);
}
END_TEST

/* ---- a thread that answers and ends while another one is reported ---- */

static uint32_t main_may_end, main_has_ended; /* atomic */
static pthread_barrier_t both;

static void hold_up(const char *line, void *unused)
{
    (void)unused;
    if (write(STDERR_FILENO, line, strlen(line)) < 0)
        _exit(2);
    tri__store_release(&main_may_end, 1);
    await_end_of_main();
    tri__store_release(&main_has_ended, 1);
}

static void *collect_once(void *unused)
{
    tri_collect();
    return unused;
}

/* Attached before the main thread, and so reported before it. */
static void *outlast_main(void *unused)
{
    tri_config config = TRI_CONFIG_INIT;
    pthread_t thread;

    config.signal = -1;
    config.stall_ms = STALL_MS;
    config.log = hold_up;
    if (tri_init(&config) != 0 || tri_thread_attach() != 0)
        _exit(3);
    begin_limit();
    prctl(PR_SET_NAME, "silent one");
    pthread_barrier_wait(&both);
    pthread_barrier_wait(&both);
    if (pthread_create(&thread, NULL, collect_once, NULL) != 0)
        _exit(4);
    while (!tri__load_acquire(&main_has_ended))
        nap();
    TRI_BLOCKING
        pthread_join(thread, NULL);
    _exit(0);
    return unused;
}

static void main_ends_meanwhile(void)
{
    pthread_t thread;

    pthread_barrier_init(&both, NULL, 2);
    if (pthread_create(&thread, NULL, outlast_main, NULL) != 0)
        _exit(5);
    pthread_barrier_wait(&both);
    tri_thread_attach();
    pthread_barrier_wait(&both);
    while (!tri__load_acquire(&main_may_end))
        nap();
    tri_thread_detach();
    pthread_exit(NULL);
}

START_TEST(who_has_left_may_end)
{
    struct captured captured = capture_child(main_ends_meanwhile);

    ck_assert_msg(captured_exited(&captured, 0), "status %x: %.1000s", captured.status,
                  captured.text);
    ck_assert_msg(strncmp(captured.text, "tricolor: " NAMED, strlen("tricolor: " NAMED)) == 0 &&
                      strstr(captured.text, "\"test_watchdog\"") == NULL,
                  "%.1000s", captured.text);
}
END_TEST

/* ---- nothing to say ---- */

static void switched_off(void)
{
    start(-1, UINT_MAX);
    if (tri__watchdog_first(0) != UINT64_MAX)
        _exit(6);
    collect_until(let_end_in_a_while, sleep_long, name_silent);
}

/* It sleeps until the cycle is over: were it not asked by a signal, it would be reported. */
static void asleep_with_a_signal(void)
{
    start(0, NEVER_MS);
    collect_until(NULL, sleep_long, name_silent);
}

static uintptr_t sleep_in_block(uintptr_t hidden, const uint32_t *stop)
{
    TRI_BLOCKING
        sleep_long(hidden, stop);
    return hidden;
}

static void asleep_in_a_block(void)
{
    start(-1, NEVER_MS);
    collect_until(NULL, sleep_in_block, name_silent);
}

static void (*const quiet[])(void) = {switched_off, asleep_with_a_signal, asleep_in_a_block};

START_TEST(others_are_not)
{
    struct captured captured;

    if (SIGNALS_ARE_LATE && quiet[_i] == asleep_with_a_signal)
        return;
    captured = capture_start(quiet[_i]);
    ck_assert_msg(captured_exited(&captured, 0), "status %x: %.1000s", captured.status,
                  captured.text);
    ck_assert_str_eq(captured.text, "");
}
END_TEST

/* ---- to the program's log ---- */

static void count_line(const char *line, void *argument)
{
    ck_assert_ptr_eq(argument, &reports);
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
    tri__fetch_add_relaxed(&reports, strstr(line, REPORT) != NULL);
}

static void with_a_log(void)
{
    tri_config config = TRI_CONFIG_INIT;

    config.signal = -1;
    config.stall_ms = STALL_MS;
    config.log = count_line;
    config.log_argument = &reports;
    if (tri_init(&config) != 0)
        _exit(2);
    collect_beside(sleep_long, name_silent);
}

START_TEST(the_log_gets_the_lines)
{
    struct captured captured = capture_child(with_a_log);

    ck_assert_msg(captured_exited(&captured, 0), "status %x: %.1000s", captured.status,
                  captured.text);
    ck_assert_str_eq(captured.text, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watchdog");
    TCase *tcase = tcase_create("children");

    tcase_set_timeout(tcase, LIMIT_SECONDS + 10);
    tcase_add_loop_test(tcase, the_silent_are_named, 0, sizeof silences / sizeof silences[0]);
    tcase_add_test(tcase, the_silent_have_numbers_at_least);
    tcase_add_test(tcase, who_has_left_may_end);
    tcase_add_loop_test(tcase, others_are_not, 0, sizeof quiet / sizeof quiet[0]);
    tcase_add_test(tcase, the_log_gets_the_lines);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
