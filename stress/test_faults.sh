#!/bin/sh
# SPDX-License-Identifier: MIT
# In a build with --enable-debug: leaving out one half of the protocol makes a stress program fail, so each half is
# needed, and the program sees it when one is missing (docs/invariants.md). With no fault, and without memory for work
# chunks, it passes. graph is for the whole protocol, bulk for what only bulk barriers do, arenas for memory of
# arenas, which is freed while a mark is running; of others it is seen that they notice a loss at all.
set -eu

SEEDS=${TRI_FAULT_SEEDS:-6} # tried until the fault shows
SECONDS_EACH=10 # at most, for a loss to be seen
SECONDS_SOUND=3 # without one
stress=$TRI_BUILDDIR/stress

run() # run <program> <fault> <seed> <seconds>: sets status and output
{
    status=0
    output=$(TRICOLOR_FAULT=$2 "$stress/$1" --seed "$3" --seconds "$4" 2>&1) || status=$?
}

# Status 1: an object was lost and the program says which. A signal: what was lost had been used before it was looked at.
is_loss() # is_loss <status>
{
    [ "$1" -eq 1 ] || { [ "$1" -gt 128 ] && [ "$1" -ne 142 ]; } # 142: SIGALRM, it hung
}

must_fail() # must_fail <program> <fault>
{
    seed=1
    while [ "$seed" -le "$SEEDS" ]; do
        run "$1" "$2" "$seed" "$SECONDS_EACH"
        if is_loss "$status"; then
            echo "ok: $1, $2: seed $seed, status $status: $(echo "$output" | tail -n 1)"
            return
        fi
        if [ "$status" -ne 0 ]; then
            break
        fi
        seed=$((seed + 1))
    done
    echo "FAILED: $1, $2 went unseen by $SEEDS seeds; last status $status:"
    echo "$output"
    failures=1
}

must_pass() # must_pass <program> <fault>
{
    run "$1" "$2" 1 "$SECONDS_SOUND"
    if [ "$status" -eq 0 ]; then
        echo "ok: $1, ${2:-no fault}: $(echo "$output" | tail -n 1)"
        return
    fi
    echo "FAILED: $1, ${2:-no fault}: status $status:"
    echo "$output"
    failures=1
}

case ,${TRI_SANITIZERS:-}, in
*,thread,*)
    echo "SKIP: with ThreadSanitizer threads are too slow to meet when a fault needs it"
    exit 77
    ;;
esac
if TRICOLOR_FAULT=drop-old "$stress/graph" --seconds 0 2>&1 | grep -q 'without --enable-debug'; then
    echo "SKIP: built without --enable-debug"
    exit 77
fi

failures=0
must_pass graph ''
must_pass graph no-chunks
for fault in drop-old drop-new skip-arm skip-flush allocate-white; do
    must_fail graph "$fault"
done
must_pass bulk no-chunks
for fault in drop-old drop-new; do
    must_fail bulk "$fault"
done
must_pass arenas no-chunks
must_fail arenas drop-old
for program in handoff lru roots sizes; do
    must_fail "$program" allocate-white
done
[ "$failures" -eq 0 ]
