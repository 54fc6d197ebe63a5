#!/bin/sh
# SPDX-License-Identifier: MIT
# The benchmarks run, and their tables come out whole. No figure is looked at.
set -eu

if [ -n "$TRI_SANITIZERS" ]; then
    echo "SKIP: benchmarks are not for sanitizers"
    exit 77
fi

work=$(mktemp -d "$TRI_BUILDDIR/bench.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT

fails()
{
    cat "$work/table"
    echo "FAILED: $*"
    exit 1
}

run="$TRI_SRCDIR/bench/run"
bash "$run" --figures --quick --malloc glibc --build "$TRI_BUILDDIR" >"$work/table" 2>&1 || fails "--figures"
for rows in 'iterator 5' 'allocate 10' 'tri_mem 6' 'tri_copy_array 2'; do
    [ "$(grep -Ec "^${rows% *}.* [0-9.]+ \([0-9.]+ to [0-9.]+\).* [0-9]+\.[0-9]+$" "$work/table")" -eq "${rows#* }" ] ||
        fails "not ${rows#* } rows of ${rows% *}"
done

bash "$run" --handshakes --quick --build "$TRI_BUILDDIR" >"$work/table" 2>&1 || fails "--handshakes"
[ "$(grep -Ec '^([128]|no heap:) .* [0-9.]+ +[0-9.]+ +[0-9.]+  [0-9]+$' "$work/table")" -eq 14 ] || fails "not 14 rows of handshakes"

bash "$run" --depth 6 --threads 1 --rounds 1 --peers glibc --build "$TRI_BUILDDIR" >"$work/table" 2>&1 || fails "binary_trees"
[ "$(grep -Ec '^(tricolor|glibc) .*[0-9]$' "$work/table")" -eq 2 ] || fails "not both are in the table of binary_trees"
