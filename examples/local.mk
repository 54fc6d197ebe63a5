# SPDX-License-Identifier: MIT
# Example programs, linked as a user would link them.

# A program `%D%/foo` built from `%D%/foo.c`:
#   noinst_PROGRAMS += %D%/foo
#   examples_foo_LDADD = libtricolor.la
