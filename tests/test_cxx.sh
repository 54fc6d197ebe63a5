#!/bin/sh
# SPDX-License-Identifier: MIT
# The public macros from C++17, at run time: builds cxx_program.cc against the library of this tree,
# plainly and optimized, and runs it.
set -eu

if [ -z "$CXX" ]; then
    echo "SKIP: no C++ compiler"
    exit 77
fi
if [ -n "$TRI_SANITIZERS" ]; then
    echo "SKIP: a library with a sanitizer needs a program with it"
    exit 77
fi

work=$(mktemp -d "$TRI_BUILDDIR/cxx.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT

built="$TRI_BUILDDIR/.libs"
library="$built/libtricolor.so"
[ -e "$library" ] || library="$built/libtricolor.a"
export LD_LIBRARY_PATH="$built${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

# Flags are lists of words by nature.
# shellcheck disable=SC2046,SC2086
for optimization in -O0 -O2; do
    echo "== $optimization"
    $CXX -std=c++17 $optimization -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Werror -pthread \
        -I"$TRI_SRCDIR/include" -o "$work/program" "$TRI_SRCDIR/tests/cxx_program.cc" "$library" \
        $("$PKG_CONFIG" --libs liburcu-bp)
    "$work/program"
done
