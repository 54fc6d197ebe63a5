#!/bin/sh
# SPDX-License-Identifier: MIT
# The table of windows with each linker there is, as a program and in a shared object, in C and C++,
# with and without dropping what is not used: sections/functions.c says whether its windows are in it,
# sections/main.c whether threads are asked. And one that has lost its table must not ask.
set -eu

if [ -n "$TRI_SANITIZERS" ]; then
    echo "SKIP: a program with a sanitizer has windows that count"
    exit 77
fi
library="$TRI_BUILDDIR/.libs/libtricolor.so"
if [ ! -e "$library" ]; then
    echo "SKIP: configured with --disable-shared"
    exit 77
fi
export LD_LIBRARY_PATH="$TRI_BUILDDIR/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

sources="$TRI_SRCDIR/tests/sections"
work=$(mktemp -d "$TRI_BUILDDIR/sections.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0

# Flags and compilers are lists of words by nature.
# shellcheck disable=SC2086
compile() # compile <compiler with flags> <output> <source> <more arguments...>
{
    compiler=$1 output=$2 source=$3
    shift 3
    $compiler -O2 -Wall -Wextra -Werror -pthread -ffunction-sections -fdata-sections -I"$TRI_SRCDIR/include" \
        -c -o "$work/$output" "$sources/$source" "$@"
}

# shellcheck disable=SC2086
link() # link <compiler> <linker> <flags>: $work/program with $work/shared.so
{
    $1 -fuse-ld="$2" $3 -shared -pthread -o "$work/shared.so" "$work/shared.o" "$library" &&
        $1 -fuse-ld="$2" $3 -pthread -o "$work/program" "$work/main.o" "$work/program.o" "$work/shared.so" "$library"
}

passes() # passes <what>
{
    if "$work/program"; then
        echo "ok: $1"
    else
        echo "FAILED: $1"
        failures=$((failures + 1))
    fi
}

try() # try <compiler> <language> <linker> <flags>
{
    if link "$1" "$3" "$4"; then
        passes "$*"
    else
        echo "FAILED: does not link: $*"
        failures=$((failures + 1))
    fi
}

# Linkers have the flag that says that the names of a section's ends do not count as a use, or do not.
knows() # knows <compiler> <linker> <flag>
{
    echo 'int main(void) { return 0; }' | $1 -fuse-ld="$2" "$3" -Werror -x c -o "$work/empty" - >"$work/output" 2>&1 &&
        [ ! -s "$work/output" ]
}

try_linkers() # try_linkers <compiler> <language>
{
    for linker in bfd gold lld; do
        knows "$1" "$linker" -Wl,--gc-sections || continue
        try "$1" "$2" "$linker" ""
        try "$1" "$2" "$linker" -Wl,--gc-sections
        for flag in -z,start-stop-gc -z,nostart-stop-gc; do
            ! knows "$1" "$linker" "-Wl,$flag" || try "$1" "$2" "$linker" "-Wl,--gc-sections,$flag"
        done
    done
}

# try_compiler <compiler> <language> <flags>
try_compiler()
{
    command -v "${1%% *}" >/dev/null || return 0
    compile "$1 -x $2 $3" program.o functions.c -DCHECK=check_program
    compile "$1 -x $2 $3 -fPIC" shared.o functions.c -DCHECK=check_shared
    try_linkers "$1" "$2"
}

# The names of the section's ends are gone then, as with a linker script that puts it elsewhere.
try_lost()
{
    compile "$CC" program.o functions.c -DCHECK=check_program
    compile "$CC -fPIC" shared.o functions.c -DCHECK=check_shared
    objcopy --rename-section tri_windows=elsewhere "$work/shared.o"
    link "$CC" bfd ""
    "$work/program" lost >"$work/output" 2>&1 || true
    if grep -q 'is not sent.*section tri_windows' "$work/output"; then
        echo "ok: a lost table is noticed"
    else
        echo "FAILED: a lost table is not noticed"
        cat "$work/output"
        failures=$((failures + 1))
    fi
}

compile "$CC" main.o main.c
try_compiler "$CC" c ""
[ -z "$CXX" ] || try_compiler "$CXX" c++ "-std=c++17"
for other in gcc clang; do
    [ "$other" = "${CC##* }" ] || try_compiler "$other" c ""
done
for other in g++ clang++; do
    [ "$other" = "${CXX##* }" ] || try_compiler "$other" c++ "-std=c++17"
done
try_lost
[ "$failures" -eq 0 ]
