#!/bin/sh
# SPDX-License-Identifier: MIT
# What docs/debugging.md shows is what its programs print, but for addresses.
set -eu

if [ -n "$TRI_SANITIZERS" ] || [ ! -e "$TRI_BUILDDIR/.libs/libtricolor.so" ]; then
    echo "SKIP: no plain shared library in this build"
    exit 77
fi

tmp=$(mktemp -d "$TRI_BUILDDIR/doc.tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
failures=0

block() # block <kind> <number>: the text of a fenced block of docs/debugging.md
{
    awk -v kind="$1" -v wanted="$2" '
        /^```/ && inside { inside = 0; next }
        /^```/ { inside = 1; name = substr($0, 4); count[name]++; next }
        inside && name == kind && count[name] == wanted' "$TRI_SRCDIR/docs/debugging.md"
}

build() # build <name>: from its source
{
    # shellcheck disable=SC2086
    $CC -I"$TRI_SRCDIR/include" -o "$tmp/$1" "$tmp/$1.c" -L"$TRI_BUILDDIR/.libs" -ltricolor -Wl,-rpath,"$TRI_BUILDDIR/.libs"
}

plain() { sed 's/0x[0-9a-f]\{9,\}/ADDRESS/g'; }

compare() # compare <name> <number of the block>
{
    block "" "$2" | plain >"$tmp/wanted"
    plain <"$tmp/output" >"$tmp/printed"
    if [ ! -s "$tmp/wanted" ] || ! diff "$tmp/wanted" "$tmp/printed"; then
        echo "FAILED: $1: the document (<) and the program (>) differ"
        failures=1
    fi
}

block c 1 >"$tmp/dump.c"
build dump
"$tmp/dump" >"$tmp/output" 2>&1
compare dump 1

{
    echo '#include <tricolor.h>'
    block c 2
    echo 'int main(void) { return tri_init(NULL) != 0 || tri_new_array(slice, 5) == NULL; }'
} >"$tmp/oracle.c"
build oracle
# shellcheck disable=SC3045
ulimit -c 0 2>/dev/null || : # its end is expected
(TRICOLOR_FAULT=corrupt-layout exec "$tmp/oracle") >"$tmp/output" 2>&1 || :
if grep -q 'without --enable-debug' "$tmp/output"; then
    echo "no oracle in this build"
else
    compare oracle 4
fi
exit "$failures"
