# SPDX-License-Identifier: MIT
# Long-running programs with oracles; make check runs them for seconds.

# A program `%D%/foo` is built from `%D%/foo.c` and linked as the unit tests are:
#   check_PROGRAMS += %D%/foo
#   TESTS += %D%/foo
