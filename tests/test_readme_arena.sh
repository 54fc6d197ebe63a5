#!/bin/sh
# SPDX-License-Identifier: MIT
# The program that README.md shows for arenas compiles without a warning, runs, and prints what it keeps.
set -eu

if [ -n "$TRI_COVERAGE" ]; then
    echo "SKIP: a program needs what --coverage links"
    exit 77
fi

work=$(mktemp -d "$TRI_BUILDDIR/readme.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The first block of C after the word "Arenas".
sed -n '/^\*\*Arenas\.\*\*/,/^\*\*Threads/p' "$TRI_SRCDIR/README.md" | sed -n '/^```c$/,/^```$/p' | sed '/^```/d' >"$work/arena.c"
[ -s "$work/arena.c" ] || { echo "FAILED: README.md shows no program"; exit 1; }

flags=
[ -z "$TRI_SANITIZERS" ] || flags="-fsanitize=$TRI_SANITIZERS"

# Flags and compilers are lists of words by nature.
# shellcheck disable=SC2086
$CC $flags -Wall -Wextra -Werror -I"$TRI_SRCDIR/include" -o "$work/arena" "$work/arena.c" \
    "$TRI_BUILDDIR/.libs/libtricolor_internal.a" -lurcu-bp -pthread
[ "$("$work/arena")" = "some text" ]
