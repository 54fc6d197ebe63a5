# SPDX-License-Identifier: MIT
# Tests. A unit test of a module is one line in the list `unit_tests`.

# What every test is linked with, unless it says otherwise: all objects, hidden ones included.
LDADD = libtricolor_internal.la $(CHECK_LIBS)

# Each `%D%/test_module` is built from `%D%/test_module.c`, which uses Check.
unit_tests =

if HAVE_CHECK
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif
