#!/bin/sh
# SPDX-License-Identifier: MIT
# The type macros at compile time. Each file of compile_fail/ must be refused, in C11 and in C++17,
# with the message that its second line expects among the first two errors; and test_type_macros.c
# passes as C++17.
set -eu

work=$(mktemp -d "$TRI_BUILDDIR/type_compile.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0

fail() # fail <what>
{
    echo "FAILED: $1"
    head -20 "$work/messages"
    failures=$((failures + 1))
}

# The compiler may be several words ("ccache gcc").
# shellcheck disable=SC2086
refuses() # refuses <compiler, language and standard> <file>
{
    expected=$(sed -n '2s|^/\* expect: \(.*\) \*/$|\1|p' "$2")
    [ -n "$expected" ] || { echo "$2 expects nothing"; exit 1; }
    if LC_ALL=C $1 -I"$TRI_SRCDIR/include" -fsyntax-only "$2" >"$work/messages" 2>&1; then
        fail "$1 accepts $2"
    elif ! grep 'error' "$work/messages" | head -2 | grep -qF "$expected"; then
        fail "$1 does not say \"$expected\" first about $2"
    fi
}

# Warnings are errors; the flexible array is C++'s only objection and is a GNU extension there.
# shellcheck disable=SC2046,SC2086
passes_as_cxx() # passes_as_cxx <optimization>
{
    if ! $CXX -x c++ -std=c++17 "$1" -Wall -Wextra -Wconversion -Wshadow -Wundef -Werror \
        -I"$TRI_SRCDIR/include" -I"$TRI_SRCDIR/tests" -o "$work/cxx" \
        "$TRI_SRCDIR/tests/test_type_macros.c" -x none $("$PKG_CONFIG" --cflags --libs check) >"$work/messages" 2>&1; then
        fail "test_type_macros.c does not compile as C++17 with $1"
    elif ! CK_FORK=no "$work/cxx" >"$work/messages" 2>&1; then
        fail "test_type_macros.c fails as C++17 with $1"
    fi
}

for file in "$TRI_SRCDIR"/tests/compile_fail/*.c; do
    refuses "$CC -x c -std=gnu11" "$file"
    [ -z "$CXX" ] || refuses "$CXX -x c++ -std=gnu++17" "$file"
done
if [ -n "$CXX" ]; then
    passes_as_cxx -O0
    passes_as_cxx -O2
else
    echo "no C++ compiler: only C was tried"
fi
[ "$failures" -eq 0 ]
