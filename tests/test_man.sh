#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual agrees with the library: pages have no errors of form, are about names that the headers
# declare, and about every exported function; and their examples compile without a warning and run.
set -eu

work=$(mktemp -d "$TRI_BUILDDIR/man.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0

fail()
{
    echo "FAILED: $*"
    failures=$((failures + 1))
}

built="$TRI_BUILDDIR/.libs"
library="$built/libtricolor.so"
[ -e "$library" ] || library="$built/libtricolor.a"
export LD_LIBRARY_PATH="$built${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

# With mandoc, or with man and its formatter; one of them is on most machines.
has_good_form() # has_good_form <page>
{
    if command -v mandoc >"$work/where"; then
        mandoc -T lint -W warning "$1"
    elif command -v groff >"$work/where"; then
        groff -man -Tutf8 -ww -z "$1" >"$work/messages" 2>&1
        cat "$work/messages"
        [ ! -s "$work/messages" ]
    fi
}

# The first .EX of the EXAMPLES, with the escapes that stand in it undone.
example_of() # example_of <page>
{
    sed -n '/^\.SH EXAMPLES/,$p' "$1" | sed -n '/^\.EX/,/^\.EE/p' | sed '/^\.E[XE]/d; s/\\e/\\/g; s/\\-/-/g'
}

headers=$(echo "$TRI_HEADERS" | tr ' ' '\n' | sed "s|^.*include/|$TRI_SRCDIR/include/|")

# Flags are lists of words by nature; so may the compiler be ("ccache gcc").
# shellcheck disable=SC2046,SC2086
runs() # runs <page> <compiler and options>
{
    example_of "$1" >"$work/example.c"
    [ -s "$work/example.c" ] || { echo "no example"; return 1; }
    $2 -Wall -Wextra -Wshadow -Werror -pthread -I"$TRI_SRCDIR/include" -o "$work/example" "$work/example.c" \
        -x none "$library" $("$PKG_CONFIG" --libs liburcu-bp) || return 1
    "$work/example" >"$work/output" || { echo "status $?"; return 1; }
}

# shellcheck disable=SC2086
for page in "$TRI_SRCDIR"/man/*.[37]; do
    has_good_form "$page" || fail "form of $page"
    for name in $("$TRI_SRCDIR/man/names" "$page"); do
        echo "$name" >>"$work/documented"
        [ "$name.3" = "$(basename "$page")" ] || [ "$name" = tricolor ] ||
            grep -qw "$name" $headers || fail "no header has $name, which $page is about"
    done
    # A library with a sanitizer needs a program with it.
    [ -z "$TRI_SANITIZERS" ] || continue
    runs "$page" "$CC -std=gnu11 -O1 -x c" || fail "example of $page in C"
    grep -q malloc "$work/example.c" || [ -z "$CXX" ] ||
        runs "$page" "$CXX -std=gnu++17 -O1 -x c++" || fail "example of $page in C++"
done

if [ -e "$built/libtricolor.so" ]; then
    for name in $($NM -D --defined-only "$built/libtricolor.so" | sed -n 's/.* \(tri_[^_].*\)$/\1/p'); do
        grep -qx "$name" "$work/documented" || fail "$name is exported, and no page of man/ is about it"
    done
fi
[ "$failures" -eq 0 ]
