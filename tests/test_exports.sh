#!/bin/sh
# SPDX-License-Identifier: MIT
# libtricolor.so defines nothing visible but its own names, and needs nothing of libck at run time.
set -eu

library=$TRI_BUILDDIR/.libs/libtricolor.so
if [ -n "$TRI_SANITIZERS$TRI_COVERAGE" ] || [ ! -e "$library" ]; then
    echo "SKIP: no plain shared library in this build"
    exit 77
fi

failures=0
# Lower case: local, which the linker lists for the ends of a table all the same.
foreign=$($NM -D --defined-only "$library" | awk '$2 ~ /[A-Z]/ && $NF !~ /^tri_/ { print $NF }')
if [ -n "$foreign" ]; then
    echo "FAILED: visible names without our prefix:" "$foreign"
    failures=1
fi
borrowed=$($NM -D --undefined-only "$library" | awk '$NF ~ /^ck_/ { print $NF }')
if [ -n "$borrowed" ]; then
    echo "FAILED: functions of libck, which we do not link:" "$borrowed"
    failures=1
fi
[ "$failures" -eq 0 ]
