#!/bin/sh
# SPDX-License-Identifier: MIT
# Shared objects with types and roots, opened and closed while the program runs: builds those of modules/ against the
# library of this tree, and runs each case of modules/host.c in a process of its own. In a debug build, a library that may
# forget about modules must be seen to.
set -eu

library="$TRI_BUILDDIR/.libs/libtricolor.so"
if [ ! -e "$library" ]; then
    echo "SKIP: configured with --disable-shared"
    exit 77
fi
export LD_LIBRARY_PATH="$TRI_BUILDDIR/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
# What is closed is gone before it could be named, so leaks are tests/test_leaks.sh's; and that modules have one name for
# their variables is what is tried.
export ASAN_OPTIONS="detect_leaks=0:detect_odr_violation=0:${ASAN_OPTIONS:-}"

modules="$TRI_SRCDIR/tests/modules"
work=$(mktemp -d "$TRI_BUILDDIR/modules.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT

compile() # compile <output> <source> <more arguments...>
{
    output=$1 source=$2
    shift 2
    # $CC is a list of words by nature.
    # shellcheck disable=SC2086
    $CC -std=gnu11 -g -O2 -Wall -Wextra -Werror ${TRI_SANITIZERS:+"-fsanitize=$TRI_SANITIZERS"} -pthread \
        -I"$TRI_SRCDIR/include" -o "$work/$output" "$modules/$source" "$@" -ldl
}

module() # module <name> <source> <more arguments...>
{
    output=$1 source=$2
    shift 2
    compile "$output.so" "$source" -shared -fPIC "-Wl,-soname,$output.so" "$@" "$library"
}

module roots roots.c
module types types.c
module copy types.c
module waiting waiting.c
module locking locking.c
module held held.c
module slow slow.c
module early early.c
module user user.c "$work/types.so" "-Wl,-rpath,$work"
compile host host.c -Wl,--export-dynamic-symbol=host_lock_and_unlock "$library"
compile stranger stranger.c
compile early_host early_host.c "$work/early.so" "-Wl,-rpath,$work" "$library"

failures=0

must_pass() # must_pass <what> <command...>
{
    what=$1 status=0
    shift
    "$@" || status=$?
    if [ "$status" -eq 0 ]; then
        echo "ok: $what"
    else
        echo "FAILED: $what: status $status"
        failures=1
    fi
}

for name in $("$work/host" --list); do
    must_pass "$name" "$work/host" "$work" "$name"
done
must_pass early "$work/early_host"

# What malloc gets back is overwritten, so that a name that was freed is seen.
MALLOC_PERTURB_=85 "$work/host" "$work" closed_beside_exit >"$work/output" 2>&1 || failures=1
if [ -s "$work/output" ]; then
    echo "FAILED: closed_beside_exit says something:"
    cat "$work/output"
    failures=1
fi

# A sanitizer wants to be there before any library.
if [ -z "$TRI_SANITIZERS" ]; then
    must_pass stranger "$work/stranger" "$work/types.so"
fi

fault=0
TRICOLOR_FAULT=forget-modules "$work/host" "$work" types_of_roots 2>"$work/output" || fault=$?
if grep -q 'built without --enable-debug' "$work/output"; then
    exit "$failures"
fi
for name in local_types types_of_roots types_of_arenas types_churn; do
    fault=0
    TRICOLOR_FAULT=forget-modules "$work/host" "$work" "$name" >"$work/output" 2>&1 || fault=$?
    if [ "$fault" -eq 0 ]; then
        echo "FAILED: $name passes without its modules being kept"
        failures=1
    else
        echo "ok: $name fails without: status $fault"
    fi
done
exit "$failures"
