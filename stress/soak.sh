#!/bin/sh
# SPDX-License-Identifier: MIT
# soak.sh SECONDS: runs the stress programs in turns with one new seed after the other, a minute each, for so many
# seconds, and stops at the first failure, whose seed stands above it. In the end it prints how many seeds passed.
set -eu

duration=${1:-600}
end=$(($(date +%s) + duration))
seeds=
count=0
while left=$((end - $(date +%s))) && [ "$left" -gt 0 ]; do
    [ "$left" -lt 60 ] || left=60
    seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
    status=0
    case $((count % 6)) in
    0) program=graph ;;
    1) program=bulk ;;
    2) program=life ;;
    3) program=arenas ;;
    *) program=servers ;;
    esac
    "$TRI_BUILDDIR/stress/$program" --seed "$seed" --seconds "$left" || status=$?
    if [ "$status" -ne 0 ]; then
        echo "soak: FAILED: $program with seed $seed, status $status, after $count good seeds:$seeds"
        exit 1
    fi
    seeds="$seeds $seed"
    count=$((count + 1))
done
echo "soak: $count seeds passed in $duration seconds:$seeds"
