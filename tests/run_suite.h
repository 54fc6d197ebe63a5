/* SPDX-License-Identifier: MIT */
/* tests/run_suite.h: the end of every main of a Check program. Nothing of the library, and C++,
 * too: tests of the library include suite.h. */
#ifndef TRI__TESTS_RUN_SUITE_H
#define TRI__TESTS_RUN_SUITE_H

#include <check.h>
#include <stdlib.h>

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
