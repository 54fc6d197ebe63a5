# SPDX-License-Identifier: MIT
# Benchmarks: built by make, never run by make check.

# A program `%D%/foo` built from `%D%/foo.c` and linked as a user would link it:
#   noinst_PROGRAMS += %D%/foo
#   bench_foo_LDADD = libtricolor.la
