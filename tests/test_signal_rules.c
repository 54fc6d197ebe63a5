/* SPDX-License-Identifier: MIT */
/* The handler's rules, one at a time, without luck: the table of windows, who is asked while blocked,
 * what a handler of the program's does to errno.
 *
 * Threads: one; what another would do at the wrong moment it does itself. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "collected.h"
#include "mutator/exit.h"
#include "mutator/signal.h"
#include "mutator/windows.h"
#include "phase.h"
#include "suite.h"

/* ---- the table of windows ---- */

/* A module's code, of which two stretches are windows; and the rows that say so, in any order. */
enum { CODE_BYTES = 100 };

/* In no memory of the program's own, whose windows stay. */
static struct foreign {
    char code[CODE_BYTES];
    struct tri__window rows[2], others[2];
} *foreign;

enum { FIRST = 10, BEHIND = 20, SECOND = 40, BEHIND_SECOND = 44 };

static int32_t distance(const int32_t *from, size_t to)
{
    return (int32_t)((intptr_t)&foreign->code[to] - (intptr_t)from);
}

static void describe(struct tri__window rows[2])
{
    rows[0].first = distance(&rows[0].first, SECOND);
    rows[0].behind = distance(&rows[0].behind, BEHIND_SECOND);
    rows[1].first = distance(&rows[1].first, FIRST);
    rows[1].behind = distance(&rows[1].behind, BEHIND);
}

static void make_foreign(void)
{
    foreign = tri__os_map(sizeof *foreign);
    ck_assert_ptr_nonnull(foreign);
    describe(foreign->rows);
    describe(foreign->others);
}

static size_t first_of(size_t at)
{
    uintptr_t first;

    ck_assert(tri__windows_begin_reading());
    first = tri__window_around((uintptr_t)&foreign->code[at]);
    tri__windows_end_reading();
    return first == 0 ? 0 : first - (uintptr_t)foreign->code;
}

static void check_known(void)
{
    for (size_t at = 0; at < CODE_BYTES; at++) {
        bool in_first = at > FIRST && at < BEHIND, in_second = at > SECOND && at < BEHIND_SECOND;

        ck_assert_uint_eq(first_of(at), in_first ? FIRST : in_second ? SECOND : 0);
    }
}

static void check_unknown(void)
{
    for (size_t at = 0; at < CODE_BYTES; at++)
        ck_assert_uint_eq(first_of(at), 0);
}

/* As a shared object does when it is loaded and unloaded. */
START_TEST(windows_are_known_between_add_and_remove)
{
    struct tri__window *rows, *others;

    make_foreign();
    rows = foreign->rows;
    others = foreign->others;
    for (int i = 0; i < 3; i++) {
        check_unknown();
        tri__windows_add(rows, rows + 2);
        tri__windows_add(others, others + 2);
        tri__windows_add(rows, rows + 2); /* each file of a module does it */
        check_known();
        tri__windows_remove(rows);
        check_known(); /* by the others */
        tri__windows_remove(others);
        check_unknown();
        tri__windows_remove(rows);
    }
}
END_TEST

/* What the linker has made has a row of none at least. */
START_TEST(a_lost_table_is_not_a_table)
{
    static const struct tri__window none;

    make_foreign();
    tri__windows_add(&none, &none + 1); /* of files without windows */
    ck_assert_ptr_null(tri__windows_trouble());
    tri__windows_remove(&none);
    tri__windows_add(foreign->rows, foreign->rows);
    check_unknown();
    ck_assert_ptr_nonnull(strstr(tri__windows_trouble(), "tri_windows"));
    start_quiet();
    ck_assert(!tri__signal_is_usable());
    ck_assert_ptr_nonnull(strstr(tri__signal_trouble(), "tri_windows"));
}
END_TEST

static void announce_and_exit(void)
{
    tri__windows_remove(foreign->rows);
    if (first_of(FIRST + 1) != FIRST)
        _exit(1);
}

/* Other threads still run then. */
START_TEST(windows_stay_known_while_the_process_ends)
{
    make_foreign();
    ck_assert_int_eq(atexit(announce_and_exit), 0);
    start_quiet();
    tri__windows_add(foreign->rows, foreign->rows + 2);
    check_known();
}
END_TEST

#if !defined(TRI__WINDOWS_COUNTED)
typedef struct node {
    struct node *next;
} node;
TRI_TYPE(node, next);

static uintptr_t first_window(void)
{
    const struct tri__window *row = __start_tri_windows;

    while (row->first == 0)
        row++; /* this file's row of none */
    return (uintptr_t)&row->first + (uintptr_t)(intptr_t)row->first;
}

/* Destructors of the program run when the process ends, and only then. */
START_TEST(the_constructor_and_the_destructor_of_the_program)
{
    uintptr_t inside = first_window() + 1;

    start_quiet();
    tri_store(&tri_new(node)->next, NULL);
    ck_assert_uint_eq(tri__window_around(inside), inside - 1);
    ck_assert(!tri__exit_has_begun());
    tri__windows_leave();
    ck_assert(tri__exit_has_begun());
    ck_assert_uint_eq(tri__window_around(inside), inside - 1);
    tri_shutdown();
}
END_TEST
#endif

/* ---- asked while blocked ---- */

static uint32_t own_answer(void)
{
    return tri__load_relaxed(&tri__mutator_self()->answered);
}

static void raise_ours(void)
{
    ck_assert_int_eq(tri__os_signal_thread(tri__os_tid(), SIGURG), 0);
}

/* Its phase is the collector's to change. */
START_TEST(a_blocked_thread_does_not_answer)
{
    uint32_t *request, before, after;
    struct tri__handshake_report report;

    start_quiet();
    tri_thread_attach();
    request = &tri__self->request;
    TRI_BLOCKING {
        before = own_answer();
        tri__handshake(TRI__REQUEST_PING, &report);
        tri__fetch_or_relaxed(request, TRI__REQUEST_ASKED); /* as if it had just run */
        raise_ours();
        after = own_answer();
        tri__fetch_and_relaxed(request, ~TRI__REQUEST_ASKED);
    }
    ck_assert_uint_eq(before, after);
    ck_assert_uint_ne(own_answer(), before);
    tri_shutdown();
}
END_TEST

/* ---- errno ---- */

/* NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c): setting errno is what it is for */
static void spoil_errno(int number) { errno = number; }

START_TEST(errno_is_what_it_was)
{
    signal(SIGURG, spoil_errno);
    start_quiet();
    errno = 4711;
    kill(getpid(), SIGURG);
    ck_assert_int_eq(errno, 4711);
    tri_shutdown();
}
END_TEST

/* ---- no handler ---- */

static void (*const no_handlers[])(int number) = {SIG_IGN, SIG_DFL};

/* What is ignored may have any flags. */
START_TEST(what_was_ignored_is_ignored)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};

    action.sa_handler = no_handlers[_i];
    ck_assert_int_eq(sigaction(SIGURG, &action, NULL), 0);
    start_quiet();
    kill(getpid(), SIGURG);
    tri_shutdown();
    start_quiet();
    kill(getpid(), SIGURG);
    tri_shutdown();
}
END_TEST

/* ---- initialized again ---- */

static struct sigaction ours;
static int chained; /* how often it was called */

static void call_ours(int number, siginfo_t *info, void *context)
{
    chained++;
    ours.sa_sigaction(number, info, context);
}

static void start_again(void)
{
    tri_shutdown();
    start_quiet();
}

/* Not even if it was installed before the second tri_init(): it would be called by what it calls.
 */
START_TEST(a_handler_that_calls_ours_is_not_called_by_it)
{
    struct sigaction theirs = {.sa_sigaction = call_ours, .sa_flags = SA_SIGINFO | SA_RESTART};

    start_quiet();
    ck_assert(tri__signal_is_usable());
    ck_assert_int_eq(sigaction(SIGURG, &theirs, &ours), 0);
    start_again();
    kill(getpid(), SIGURG);
    ck_assert_int_eq(chained, 1);
    ck_assert(!tri__signal_is_usable());
    signal(SIGURG, SIG_DFL);
    start_again();
    ck_assert(tri__signal_is_usable());
    kill(getpid(), SIGURG);
    ck_assert_int_eq(chained, 1);
    tri_shutdown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signal_rules");
    TCase *tcase = tcase_create("rules");

    tcase_add_test(tcase, windows_are_known_between_add_and_remove);
    tcase_add_test(tcase, a_lost_table_is_not_a_table);
    tcase_add_test(tcase, windows_stay_known_while_the_process_ends);
#if !defined(TRI__WINDOWS_COUNTED)
    tcase_add_test(tcase, the_constructor_and_the_destructor_of_the_program);
#endif
    tcase_add_test(tcase, a_blocked_thread_does_not_answer);
    tcase_add_test(tcase, errno_is_what_it_was);
    tcase_add_loop_test(tcase, what_was_ignored_is_ignored, 0, 2);
    tcase_add_test(tcase, a_handler_that_calls_ours_is_not_called_by_it);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
