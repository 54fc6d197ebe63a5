#!/bin/sh
# SPDX-License-Identifier: MIT
# Each call of the library's that may fail, fails, in each scenario of inject/scenarios.c: once, and from then on. And the table of
# calls is complete: what libtricolor.so imports, and what system calls it makes by number, is in it.
# usage: [TRICOLOR_INJECT="--all"] test_inject.sh
set -eu

program=$TRI_BUILDDIR/tests/inject/inject
library=$TRI_BUILDDIR/.libs/libtricolor.so
failures=0

# plain_name: what the headers call a function, whatever the compiler has made of it.
plain_name() { sed 's/@.*//; s/^_*//; s/_chk$//; s/^isoc[0-9]*_//; s/^getline$/getdelim/; s/^atexit$/cxa_atexit/'; }

in_table() # in_table <name>
{
    # The table's names are patterns, and not to be taken for files.
    for known in $names; do
        # shellcheck disable=SC2254
        case $1 in
        $known) return 0 ;;
        esac
    done
    return 1
}

look_up()
{
    while read -r call; do
        in_table "$call" || echo "$call"
    done
}

set -f
names=$("$program" --names)
# With --coverage there is a part of gcc's in the library, which writes files.
if [ -z "$TRI_SANITIZERS$TRI_COVERAGE" ] && [ -e "$library" ]; then
    unknown=$($NM -D --undefined-only "$library" | awk '{ print $NF }' | plain_name | look_up)
    for call in $unknown; do
        echo "FAILED: libtricolor.so calls $call(): enter it in tests/inject/wrap.c, as a row or with a reason why not"
        failures=1
    done
fi
unknown=$(grep -rhoE 'SYS_[a-z0-9_]+' "$TRI_SRCDIR/runtime" "$TRI_SRCDIR/barrier" | sort -u | look_up)
for call in $unknown; do
    echo "FAILED: the library makes the system call $call: enter it in tests/inject/wrap.c"
    failures=1
done

# Sanitizers make each child slow, and look at each the more closely.
arguments=${TRICOLOR_INJECT-}
[ -n "$arguments" ] || [ -z "$TRI_SANITIZERS" ] || arguments="--sample 13"
# Memory that the system does not give is what is tried: leaks are counted by the program itself.
ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}"
export ASAN_OPTIONS
# A list of words by nature.
# shellcheck disable=SC2086
"$program" $arguments || failures=1
[ "$failures" -eq 0 ]
