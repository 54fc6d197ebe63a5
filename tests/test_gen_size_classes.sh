#!/bin/sh
# SPDX-License-Identifier: MIT
# The committed size class files are what the generator makes of them, and the generator refuses to
# make others: neither a changed file nor a changed rule goes through.
set -eu

root=${TRI_SRCDIR:-$(dirname "$0")/..}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/include/tricolor" "$work/runtime/heap"

fail()
{
    echo "FAIL: $1" >&2
    exit 1
}

sh "$root/scripts/gen-size-classes" --check "$root" || fail "run scripts/gen-size-classes"

sh "$root/scripts/gen-size-classes" "$work"
sed -i 's/{48, /{64, /' "$work/runtime/heap/size_class_table.c"
sh "$root/scripts/gen-size-classes" --check "$work" && fail "an edited table is not noticed"

for rule in 's/PAGE = 8192/PAGE = 4096/' 's/size >= 128 ? size \/ 8/size >= 128 ? 16/' \
    's/bytes % size > bytes \/ 8/bytes % size > bytes \/ 4/' 's/grown % 128/grown % 64/'; do
    sed "$rule" "$root/scripts/gen-size-classes" >"$work/changed"
    cmp -s "$work/changed" "$root/scripts/gen-size-classes" && fail "$rule changes nothing"
    sh "$work/changed" "$work" && fail "$rule is not noticed"
done
exit 0
