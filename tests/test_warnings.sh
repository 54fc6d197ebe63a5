#!/bin/sh
# SPDX-License-Identifier: MIT
# The public macros give no warning in programs that ask for many, as C and as C++, by each compiler
# there is.
set -eu

work=$(mktemp -d "$TRI_BUILDDIR/warnings.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0

# compiles <compiler and language> <standard> <optimization>
compiles()
{
    # The compiler may be several words ("ccache gcc").
    # shellcheck disable=SC2086
    if ! $1 -std="$2" "$3" -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wcast-qual -Werror \
        -pthread -I"$TRI_SRCDIR/include" -c -o "$work/object" "$TRI_SRCDIR/tests/warnings.c"; then
        echo "FAILED: $1 -std=$2 $3"
        failures=$((failures + 1))
    fi
}

compiles_in() # compiles_in <compiler and language> <standard>...
{
    compiler=$1
    shift
    for standard in "$@"; do
        compiles "$compiler" "$standard" -O0
        compiles "$compiler" "$standard" -O2
    done
}

# The configured compilers, and the others if they are installed.
for compiler in "$CC" gcc clang; do
    command -v "${compiler%% *}" >"$work/where" || continue
    compiles_in "$compiler -x c" c11 gnu11 c17
done
for compiler in "$CXX" g++ clang++; do
    command -v "${compiler%% *}" >"$work/where" || continue
    compiles_in "$compiler -x c++" c++17 gnu++17 c++20
done
[ "$failures" -eq 0 ]
