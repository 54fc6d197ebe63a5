/* SPDX-License-Identifier: MIT */
/* tests/run_suite.h: the end of every main of a Check program. Nothing of the library, and C++,
 * too: tests of the library include suite.h. */
#ifndef TRI__TESTS_RUN_SUITE_H
#define TRI__TESTS_RUN_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Check writes down the place of each assertion that holds, for its parent to read when the test has
 * ended: in a loop, that is most of what the test does. So a place is written down only when it is
 * not among the last few: when a test dies, Check's "after this point" is near enough. */
static inline void note_point(const char *file, int line)
{
    static int recent[4]; /* atomic: threads assert, too */
    static unsigned next;

    for (int i = 0; i < 4; i++)
        if (__atomic_load_n(&recent[i], __ATOMIC_RELAXED) == line)
            return;
    __atomic_store_n(&recent[__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % 4], line,
                     __ATOMIC_RELAXED);
    _mark_point(file, line);
}
#define _mark_point(file, line) note_point(file, line) /* as Check's macros call it */

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
