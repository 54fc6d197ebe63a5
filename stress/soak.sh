#!/bin/sh
# SPDX-License-Identifier: MIT
# soak.sh SECONDS: runs the matrix of stress programs and verification modes, with one new seed after the
# other, in turns of up to a minute each, for so many seconds; from an hour on `servers` runs for half an
# hour in one process before that. It goes on after a finding. What was run and found is written to
# soak-report.txt in the build tree, after each run; the output of a run with a finding is kept in
# soak-findings/. The exit status is 0 if there was none.
#
# From an hour on each call that may fail is failed, too, each time it is made (tests/test_inject.sh), for
# a quarter of the time at most; SOAK_INJECT=yes or no says otherwise.
#
# The build is what it was configured to be: for more columns call this in other builds.
# SOAK_PROGRAMS and SOAK_MODES ("off barrier", say) choose less.
set -eu

duration=${1:-600}
programs=${SOAK_PROGRAMS:-graph bulk arenas handoff lockfree hashmap lru deep sizes roots life servers}
modes=${SOAK_MODES:-off barrier layout clobber blocking chaos}
inject=${SOAK_INJECT:-$([ "$duration" -ge 3600 ] && echo yes || echo no)}
stress=$TRI_BUILDDIR/stress
report=$TRI_BUILDDIR/soak-report.txt
findings=$TRI_BUILDDIR/soak-findings
begun=$(date '+%Y-%m-%d %H:%M:%S')
start=$(date +%s)
end=$((start + duration))
count=0
found=0

work=$(mktemp -d "$TRI_BUILDDIR/soak.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
: >"$work/runs"

new_seed() { od -An -N4 -tu4 /dev/urandom | tr -d ' '; }

# value_of <mode> <seed>: what TRICOLOR_VERIFY is set to.
value_of()
{
    case $1 in
    chaos) echo "chaos=$2" ;;
    *) echo "$1" ;;
    esac
}

# Those of the modes that this library has; a misspelled one is no mode at all.
known_modes()
{
    for mode in $modes; do
        status=0
        TRICOLOR_VERIFY=$(value_of "$mode" 1) "$stress/lru" --seed 1 --seconds 0 >"$work/output" 2>&1 || status=$?
        if [ "$status" -ne 2 ]; then
            echo "$mode"
        else
            echo "soak: no mode $mode: $(tail -n 1 "$work/output")" >&2
        fi
    done
}

# number_before <word>: the number before a word in the last line, "... 17 cycles, ...".
number_before() { tail -n 1 "$work/output" | sed -n "s/.*[^0-9]\([0-9][0-9]*\) $1.*/\1/p"; }

# What a program says although it ends well.
is_reported() { grep -q '^tricolor: \(the word at offset\|a barrier is missing\)' "$work/output"; }

keep_finding() # keep_finding <program> <mode> <seed> <status>
{
    found=$((found + 1))
    mkdir -p "$findings"
    cp "$work/output" "$findings/$1-$2-$3.txt"
    echo "$1 $2 $3: status $4: soak-findings/$1-$2-$3.txt: $(grep -m 1 'LOST\|STUCK\|FAILED\|^tricolor\|ERROR\|WARNING' \
        "$work/output" || tail -n 1 "$work/output")" >>"$work/findings"
    echo "soak: FOUND: $(tail -n 1 "$work/findings")"
}

write_report()
{
    {
        echo "soak of $begun, $(($(date +%s) - start)) of $duration seconds, $(uname -m), $(nproc) processors"
        echo "compiler $CC; sanitizers: ${TRI_SANITIZERS:-none}; findings: $found"
        echo
        awk '{ key = sprintf("%-10s %-10s", $1, $2); runs[key]++; seconds[key] += $4; cycles[key] += $5
               objects[key] += $6; all_runs++; all_seconds += $4; all_cycles += $5; all_objects += $6
               if (!(key in seeds)) order[++n] = key
               seeds[key] = seeds[key] " " $3 }
             END { line = "%-21s %6s %8s %10s %15s  %s\n"
                   printf line, "program    mode", "runs", "seconds", "cycles", "objects checked", "seeds"
                   for (i = 1; i <= n; i++)
                       printf line, order[i], runs[order[i]], seconds[order[i]], cycles[order[i]],
                              sprintf("%.0f", objects[order[i]]), seeds[order[i]]
                   printf line, "all", all_runs, all_seconds, all_cycles, sprintf("%.0f", all_objects), "" }' \
            "$work/runs"
        [ ! -s "$work/faults" ] || { echo; cat "$work/faults"; }
        [ ! -s "$work/findings" ] || { echo; echo "findings (program, mode, seed):"; cat "$work/findings"; }
    } >"$work/report"
    mv "$work/report" "$report"
}

run() # run <program> <mode> <seconds>
{
    seed=$(new_seed)
    status=0
    before=$(date +%s)
    TRICOLOR_VERIFY=$(value_of "$2" "$seed") "$stress/$1" --seed "$seed" --seconds "$3" >"$work/output" 2>&1 ||
        status=$?
    cycles=$(number_before cycles)
    objects=$(number_before '[a-z]* checked')
    echo "$1 $2 $seed $(($(date +%s) - before)) ${cycles:-0} ${objects:-0}" >>"$work/runs"
    if [ "$status" -ne 0 ] || is_reported; then
        keep_finding "$1" "$2" "$seed" "$status"
    fi
    count=$((count + 1))
    write_report
}

# What the lines of tests/inject/inject say in all, a line for each call of each scenario.
sum_faults()
{
    awk '$1 != "all" && NF == 8 && ($4 $5 $6 $7 $8) ~ /^[0-9]+$/ {
             faults += $4; absorbed += $5; errors += $6; fatal += $7; wrong += $8 }
         END { printf "faults: %d, of which %d absorbed, %d documented errors, %d documented ends, %d wrong",
                      faults, absorbed, errors, fatal, wrong }' "$work/output"
}

inject_faults() # inject_faults <seconds>
{
    status=0
    before=$(date +%s)
    TRICOLOR_INJECT=--all timeout "$1" sh "$TRI_SRCDIR/tests/test_inject.sh" >"$work/output" 2>&1 || status=$?
    {
        sum_faults
        echo ", in $(($(date +%s) - before)) seconds$([ "$status" -ne 124 ] || echo ': cut short')"
    } >"$work/faults"
    if grep -q FAILED "$work/output" || { [ "$status" -ne 0 ] && [ "$status" -ne 124 ]; }; then
        keep_finding inject all 0 "$status"
    fi
    write_report
}

modes=$(known_modes)
pairs=$(($(echo "$programs" | wc -w) * $(echo "$modes" | wc -w)))
[ "$pairs" -gt 0 ] || { echo "soak: nothing to run" >&2; exit 2; }
slice=$((duration / pairs))
[ "$slice" -le 60 ] || slice=60
[ "$slice" -ge 5 ] || slice=5

[ "$duration" -lt 3600 ] || run servers off 1800
[ "$inject" = no ] || inject_faults $((duration / 4))
while [ "$(date +%s)" -lt "$end" ]; do
    for mode in $modes; do
        for program in $programs; do
            left=$((end - $(date +%s)))
            [ "$left" -gt 0 ] || break 2
            run "$program" "$mode" "$((left < slice ? left : slice))"
        done
    done
done
cat "$report"
[ "$found" -eq 0 ]
