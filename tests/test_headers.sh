#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone, without a warning, in C11 and in C++17, GNU dialects included.
set -eu

failures=0

compiles() # compiles <compiler> <language> <standard> <header>
{
    header=${4#include/}
    # The compiler may be several words ("ccache gcc").
    # shellcheck disable=SC2086
    if ! printf '#include <%s>\nint unit_is_not_empty;\n' "$header" | $1 -x "$2" -std="$3" -I"$TRI_SRCDIR/include" \
        -Wall -Wextra -Wshadow -Wundef -Wpedantic -Werror -fsyntax-only -; then
        echo "FAILED: <$header> does not compile alone as $3 with $1"
        failures=$((failures + 1))
    fi
}

for header in $TRI_HEADERS; do
    # In the list of installed headers names may start with the path of the source tree.
    header=include/${header#*include/}
    for standard in c11 gnu11; do
        compiles "$CC" c "$standard" "$header"
    done
    [ -n "$CXX" ] || continue
    for standard in c++17 gnu++17; do
        compiles "$CXX" c++ "$standard" "$header"
    done
done

[ -n "$CXX" ] || echo "no C++ compiler: only C was tried"
[ "$failures" -eq 0 ]
