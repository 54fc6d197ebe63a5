/* SPDX-License-Identifier: MIT */
/* tests/test_fatal.c: messages, assertions and fault switches, looked at from outside the process
 * that dies of them. */
#include "base/fatal.h"
#include "base/fault.h"
#include "tests/capture.h"
#include "tests/suite.h"

#include <string.h>

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
    ck_assert_ptr_nonnull(strstr(captured.text, "test_fatal.c:"));
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
                                                        "allocate-white, no-chunks, corrupt-layout"));
    }
}
END_TEST

/* ---- the suite ---- */

static TCase *message_case(void)
{
    TCase *tests = tcase_create("messages");
    tcase_add_test(tests, fatal_prints_one_line_and_aborts);
    tcase_add_test(tests, long_fatal_message_is_cut_but_ends_the_line);
    tcase_add_test(tests, assertion_says_what_and_where);
    tcase_add_test(tests, check_is_for_debug_builds);
    tcase_add_test(tests, warning_returns_and_keeps_errno);
    return tests;
}

static TCase *fault_case(void)
{
    TCase *tests = tcase_create("faults");
    tcase_add_test(tests, no_fault_unless_asked);
    tcase_add_test(tests, faults_are_armed_by_name_in_debug_builds_only);
    tcase_add_test(tests, unknown_fault_is_fatal);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("fatal");
    suite_add_tcase(suite, message_case());
    suite_add_tcase(suite, fault_case());
    return run_suite(suite);
}
