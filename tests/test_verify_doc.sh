#!/bin/sh
# SPDX-License-Identifier: MIT
# The wrong program of docs/verify.md is reported as it says there; mended as it says there, it passes.
set -eu

work=$(mktemp -d "$TRI_BUILDDIR/verify.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT
library="$TRI_BUILDDIR/.libs/libtricolor.so"

awk -v work="$work" '
    /^```c$/ { n++; inside = 1; next }
    /^```$/ { inside = 0 }
    inside { print >(work "/block" n ".c") }
' "$TRI_SRCDIR/docs/verify.md"

mv "$work/block1.c" "$work/wrong.c"
awk -v mended="$work/block2.c" '
    /^    from->first = / { while ((getline line <mended) > 0) print line; skip = 3 }
    skip-- > 0 { next }
    { print }
' "$work/wrong.c" >"$work/right.c"
if [ "$(diff "$work/wrong.c" "$work/right.c" | grep -c '^>')" -ne 3 ]; then
    echo "FAILED: the three stores were not found in docs/verify.md"
    exit 1
fi

run() # run <program> <modes>: leaves its status and its output
{
    # Compilers are lists of words by nature.
    # shellcheck disable=SC2086
    $CC -std=gnu11 -O2 -Wall -Wextra ${TRI_SANITIZERS:+"-fsanitize=$TRI_SANITIZERS"} -pthread \
        -I"$TRI_SRCDIR/include" -o "$work/$1" "$work/$1.c" "$library" "-Wl,-rpath,$TRI_BUILDDIR/.libs"
    status=0
    TRICOLOR_VERIFY=$2 timeout 120 "$work/$1" >"$work/output" 2>&1 || status=$?
}

fails()
{
    echo "FAILED: $*, status $status:"
    cat "$work/output"
    exit 1
}

# A cycle takes a hundred times as long there, and what is right stays so.
if [ -n "$TRI_SANITIZERS" ]; then
    sed -i 's/ i < 1000; / i < 50; /' "$work/right.c"
fi

# To a race detector the wrong program is one with races.
case ,$TRI_SANITIZERS, in
*,thread,*) ;;
*)
    run wrong barrier
    [ "$status" -ge 128 ] || fails "the wrong program did not abort"
    grep -Eq '^tricolor: a barrier is missing: the pointer "(next|first)" at offset [08] of "(item|queue)" at 0x[0-9a-f]+ \(16 bytes\) holds 0x[0-9a-f]+, in "item" at 0x[0-9a-f]+ \(16 bytes\), which the mark has not reached$' "$work/output" ||
        fails "the wrong program is not reported as docs/verify.md says"
    grep -q 'Use tri_store, tri_memmove, and handles' "$work/output" || fails "how to mend it is not said"
    run wrong barrier=warn
    [ "$status" -eq 0 ] || fails "the wrong program was to be warned only"
    ;;
esac
run right barrier
if [ "$status" -ne 0 ] || [ -s "$work/output" ]; then
    fails "the mended program"
fi
