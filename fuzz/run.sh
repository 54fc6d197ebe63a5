#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: run.sh <seconds> <harness ...>        from a folder built with --enable-fuzz
# Runs each harness for so long, one after the other, from its corpus in the source tree. New inputs are gathered in
# fuzz/found/<harness>/ here; fuzz/small/<harness>/ gets a small set that covers as many edges, to be looked at and copied
# to the source tree's fuzz/corpus/. Status 1: a finding, whose input is fuzz/found/<harness>.crash-*.
set -eu

seconds=$1
shift
# Out of memory is an answer, also to a description of an absurd size.
export ASAN_OPTIONS="allocator_may_return_null=1:${ASAN_OPTIONS-}"
failures=0
for harness in "$@"; do
    name=$(basename "$harness")
    found=fuzz/found/$name
    small=fuzz/small/$name
    corpus=$TRI_SRCDIR/fuzz/corpus/$name
    mkdir -p "$found"
    seeds=$found
    [ ! -d "$corpus" ] || seeds="$found $corpus"
    # shellcheck disable=SC2086 # a list of folders
    if ! timeout "$((seconds + 120))" nice -n 5 "$harness" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=60 \
        -max_len=2048 -print_final_stats=1 -artifact_prefix="$found." $seeds >"$found.log" 2>&1; then
        echo "FAILED: $name: see $found.log"
        failures=1
    fi
    tail -n 8 "$found.log" | grep 'stat::' || :
    rm -rf "$small"
    mkdir -p "$small"
    # shellcheck disable=SC2086 # a list of folders
    "$harness" -merge=1 -set_cover_merge=1 -use_counters=0 -rss_limit_mb=2048 "$small" $seeds >"$found.merge.log" 2>&1
    echo "$name: $(find "$small" -type f | wc -l) inputs in $small"
done
exit "$failures"
