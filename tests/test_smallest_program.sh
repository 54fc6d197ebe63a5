#!/bin/sh
# SPDX-License-Identifier: MIT
# A newcomer's first minute: installs the library into an empty directory, builds the smallest program with
# nothing but what pkg-config says, as C and as C++17, against libtricolor.so and libtricolor.a, and runs it. It is the
# program that README.md shows, to the letter.
set -eu

# The first block of C under "The smallest program".
sed -n '/^## The smallest program$/,/^```$/p' "$TRI_SRCDIR/README.md" | sed -e '1,/^```c$/d' -e '/^```$/d' |
    diff - "$TRI_SRCDIR/tests/smallest_program.c" || {
    echo "FAILED: README.md (<) and tests/smallest_program.c (>) differ"
    exit 1
}

if [ -n "$TRI_SANITIZERS$TRI_COVERAGE" ]; then
    echo "SKIP: a program needs flags of the build, which pkg-config does not give"
    exit 77
fi

root=$(mktemp -d "$TRI_BUILDDIR/smallest.tmp.XXXXXX")
trap 'rm -rf "$root"' EXIT

# This make is not part of the one that runs the tests.
unset MAKEFLAGS MFLAGS MAKELEVEL
"$MAKE" -C "$TRI_BUILDDIR" DESTDIR="$root" install >"$root/install.out" 2>&1 || {
    cat "$root/install.out"
    exit 1
}

# All paths of tricolor.pc lie under the directory it was installed into.
export PKG_CONFIG_SYSROOT_DIR="$root"
export PKG_CONFIG_PATH="$root$TRI_PKGCONFIGDIR${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
export LD_LIBRARY_PATH="$root$TRI_LIBDIR${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

# Flags are lists of words by nature.
# shellcheck disable=SC2046,SC2086
build_and_run() # build_and_run <name> <libraries> <compiler and options>
{
    echo "== $1"
    $3 -Wall -Wextra -Werror -o "$root/$1" "$TRI_SRCDIR/tests/smallest_program.c" -x none \
        $("$PKG_CONFIG" --cflags tricolor) $2
    "$root/$1"
}

libraries=$("$PKG_CONFIG" --libs tricolor)
build_and_run c11 "$libraries" "$CC -std=c11 -x c"
build_and_run c17 "$libraries" "$CC -x c"
build_and_run optimized "$libraries" "$CC -O2 -x c"
if [ -n "$CXX" ]; then
    build_and_run cxx17 "$libraries" "$CXX -std=c++17 -x c++"
fi

if [ -e "$root$TRI_LIBDIR/libtricolor.a" ]; then
    libraries=$("$PKG_CONFIG" --static --libs tricolor | sed 's/-ltricolor/-l:libtricolor.a/')
    build_and_run static "$libraries" "$CC -x c"
fi
