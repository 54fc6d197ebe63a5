#!/bin/sh
# SPDX-License-Identifier: MIT
# Each block of C in docs/handoff.md compiles, right or wrong, with the first one before it.
set -eu

work=$(mktemp -d "$TRI_BUILDDIR/handoff.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT

awk -v work="$work" '
    /^```c$/ { n++; inside = 1; next }
    /^```$/ { inside = 0 }
    inside { print >(work "/block" n ".c") }
' "$TRI_SRCDIR/docs/handoff.md"

count=0
failures=0
for block in "$work"/block*.c; do
    [ "$block" = "$work/block1.c" ] && continue
    cat "$work/block1.c" "$block" >"$work/one.c"
    # Compilers are lists of words by nature.
    # shellcheck disable=SC2086
    if ! $CC -Wall -Wextra -Werror -I"$TRI_SRCDIR/include" -c -o "$work/one.o" "$work/one.c"; then
        echo "FAILED: this block of docs/handoff.md:"
        cat "$block"
        failures=1
    fi
    count=$((count + 1))
done
if [ "$count" -lt 10 ]; then
    echo "FAILED: only $count blocks found"
    failures=1
fi
[ "$failures" -eq 0 ]
