#!/bin/sh
# SPDX-License-Identifier: MIT
# LeakSanitizer finds nothing of ours in a program that ends without tri_shutdown, whether or not the
# library is sanitized itself; and finds the program's own leak.
set -eu

case ,$TRI_SANITIZERS, in
*,thread,*)
    echo "SKIP: ThreadSanitizer and LeakSanitizer exclude each other"
    exit 77
    ;;
*,address,*) sanitizers=$TRI_SANITIZERS ;;
*) sanitizers=address${TRI_SANITIZERS:+,$TRI_SANITIZERS} ;;
esac

work=$(mktemp -d "$TRI_BUILDDIR/leaks.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT

built="$TRI_BUILDDIR/.libs"
library="$built/libtricolor.so"
[ -e "$library" ] || library="$built/libtricolor.a"
export LD_LIBRARY_PATH="$built${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export ASAN_OPTIONS="detect_leaks=1:exitcode=23"

# Words of the compiler and of pkg-config are words.
# shellcheck disable=SC2046,SC2086
if ! $CC -std=gnu11 -g "-fsanitize=$sanitizers" -pthread -I"$TRI_SRCDIR/include" -o "$work/program" \
    "$TRI_SRCDIR/tests/leaks.c" "$library" $("$PKG_CONFIG" --libs liburcu-bp) >"$work/output" 2>&1; then
    cat "$work/output"
    echo "SKIP: the compiler has no AddressSanitizer"
    exit 77
fi

status=0
"$work/program" lose >"$work/output" 2>&1 || status=$?
if [ "$status" -ne 23 ] || ! grep -q 'leak of 4711 byte' "$work/output"; then
    cat "$work/output"
    echo "SKIP: LeakSanitizer does not work here (status $status)"
    exit 77
fi
if [ "$(grep -c 'leak of' "$work/output")" -ne 1 ]; then
    cat "$work/output"
    echo "FAILED: more than the program's own leak"
    exit 1
fi

for run in 1 2 3; do
    "$work/program" || { echo "FAILED: run $run"; exit 1; }
done
