#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks the models with spin: the protocol must hold, and each mutant must fail. Some minutes
# and 1 GB, less for one of them; `check.sh long` looks further, for about twenty minutes and 4 GB.
# JOBS models are looked at at a time (1), with as much memory each.
set -eu

models=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/tricolor-model.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
failures=0

command -v spin >/dev/null || {
    echo "check.sh: spin is missing: install Debian package spin (scripts/install-deps --models)" >&2
    exit 1
}

# Compiling takes longer than most searches: only the long ones are worth an optimizer.
optimization() # optimization <wanted verdict> <option ...>
{
    case $* in
    *NO_SURRENDER* | holds*OPS=* | holds*ROUNDS=* | holds*LIVES=* | holds*WHITE=*) echo -O1 ;;
    *) echo -O0 ;;
    esac
}

# search <optimization> <model> <option ...>: sets verdict to holds, fails or nothing, and states.
search()
{
    level=$1
    model=$2
    shift 2
    verdict=nothing
    states=0
    rm -rf "$work/search"
    mkdir "$work/search"
    (
        cd "$work/search"
        spin -a "$@" "$models/$model.pml" &&
            ${CC:-cc} "$level" -w -DSAFETY -DCOLLAPSE -DMEMLIM=4000 -o pan pan.c &&
            nice ./pan -m1000000 -w24
    ) >"$work/out" 2>&1 || :
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$work/out")
    if grep -q '^pan:1: ' "$work/out"; then
        verdict=fails
    elif grep -q 'errors: 0$' "$work/out" &&
        ! grep -Eq 'depth too small|not completed|out of memory' "$work/out"; then
        verdict=holds
    fi
}

# expect <verdict> <model> <option ...>
expect()
{
    wanted=$1
    shift
    search "$(optimization "$wanted" "$@")" "$@"
    if [ "$verdict" = "$wanted" ]; then
        echo "ok: $verdict, as it must, after $states states: $*"
    else
        echo "FAILED: wanted is $wanted, found $verdict: $*"
        tail -n 30 "$work/out"
        failures=$((failures + 1))
    fi
}

check_cycle()
{
    expect holds cycle -DSCRIPT=1
    expect holds cycle -DSCRIPT=2
    expect holds cycle -DSCRIPT=1 -DSCAN2
    expect holds cycle -DSCRIPT=2 -DSCAN2
    expect holds cycle -DOPS=3 -DLOOSE
    expect holds cycle -DOPS=2 -DEXCHANGE -DGLOBAL
    expect holds cycle -DOPS=2 -DATTACH -DGLOBAL
    expect holds cycle -DOPS=2 -DSTALE

    expect fails cycle -DSCRIPT=2 -DSCAN2 -DNO_OLD
    expect fails cycle -DOPS=3 -DNO_OLD
    expect fails cycle -DSCRIPT=1 -DSCAN2 -DNO_NEW
    expect fails cycle -DSCRIPT=2 -DSCAN2 -DNO_NEW
    expect fails cycle -DSCRIPT=1 -DSCAN2 -DNO_H1
    expect fails cycle -DSCRIPT=2 -DSCAN2 -DNO_CONFIRM
    expect fails cycle -DOPS=2 -DNO_H2
    expect fails cycle -DOPS=3 -DLOOSE -DSTALE -DEARLY_MARK
    expect fails cycle -DOPS=3 -DEXCHANGE -DNO_H3
    expect fails cycle -DOPS=3 -DEXCHANGE -DSKIP_FLUSH
    expect fails cycle -DOPS=3 -DEXCHANGE -DNO_SURRENDER
    expect fails cycle -DOPS=3 -DWHITE_ALLOC
    expect fails cycle -DSCRIPT=1 -DSCAN2 -DBLACK_AT_H1
    expect fails cycle -DOPS=2 -DUNSWEPT
}

check_handshake()
{
    expect holds handshake -DROUNDS=3
    for mutant in WEAK_ANNOUNCE WEAK_BLOCK WEAK_WAKE WEAK_ANSWER WEAK_ASK WEAK_SCANNED NO_LOOK \
        NO_CATCH_UP NO_TAKE_BACK STALE_TAKE PLAIN_CLAIM PLAIN_WAKE NO_WAKE NO_LAST_WAKE NO_SETTLE \
        SETTLE_ASLEEP SKIP_DIRTY EARLY_PHASE LEAVE_UNASKED LEAVE_UNLOCKED; do
        expect fails handshake "-D$mutant"
    done
}

check_life()
{
    expect holds life -DLIVES=2
    expect holds life -DFORKS=1 -DLIVES=1
    for mutant in JOIN_EARLY JOIN_LATE NO_ATTACH_SCAN LEAVE_UNASKED LEAVE_UNLOCKED LEAVE_BUFFER \
        FREE_AT_ONCE PLAIN_CLAIM PLAIN_WAKE PLAIN_UNCLAIM NO_CATCH_UP; do
        expect fails life "-D$mutant"
    done
    for mutant in FORK_UNLOCKED KEEP_PENDING KEEP_PHASE KEEP_DEAD KEEP_STATE KEEP_REQUEST \
        KEEP_BARRIER; do
        expect fails life -DFORKS=1 -DLIVES=1 "-D$mutant"
    done
}

check_fork()
{
    expect holds fork
    for mutant in INIT_RUNNING NO_INIT NO_GRACE GRACE_LATE NO_URCU NO_REGISTRY NO_DRAIN \
        WINDOWS_LATE LATE_REGISTER KEEP_READERS KEEP_HANDLERS; do
        expect fails fork "-D$mutant"
    done
}

check_signal()
{
    expect holds signal -DOPS=3 -DROUNDS=3
    expect holds signal -DOPS=2 -DNO_LAYOUT
    expect holds signal -DOPS=0 -DCLOSE
    for mutant in NO_DEPTH NO_RESTART NO_NESTED NO_HELD NO_STACK NO_NOTE LOOK_FIRST ONE_LOOK \
        SLOW_HELD SLOW_STATE SLOW_STACK NO_LET_GO SEND_ONCE NO_FORGET STALE_TAKE; do
        expect fails signal "-D$mutant"
    done
    expect fails signal -DNO_LAYOUT -DNO_NESTED
    expect fails signal -DROUNDS=3 -DNO_STATE
    for mutant in NO_READERS WEAK_READERS WEAK_UNLINK; do
        expect fails signal -DOPS=0 -DCLOSE "-D$mutant"
    done
}

check_sweep()
{
    expect holds sweep -DCYCLES=2 -DOPS=3
    expect holds sweep -DCYCLES=1 -DOPS=3 -DSTRAY -DLEAVE
    for mutant in SWEEP_IN_MARK UNSWEPT NO_FLIP FLIP_FIRST FILE_BACK LATE_FILE NO_PREPARE KEEP_COLOUR \
        ALL_WHITE NO_PAINT WHITE_RUNS BLACK_AT_H1 KEEP_RUN; do
        expect fails sweep -DOPS=3 "-D$mutant"
    done
    expect fails sweep -DOPS=3 -DSTRAY -DLEAVE -DFREE_IN_MARK
    expect fails sweep -DOPS=3 -DLEAVE -DFORGET_SPAN
}

check_work()
{
    expect holds work -DWHITE=3
    for harmless in WEAK_CLOSE NO_FINISH LOOK_OUTSIDE; do
        expect holds work -DWHITE=2 "-D$harmless"
    done
    for mutant in NO_COUNT PUSH_FIRST KEEP_COUNT COUNT_LATE NO_EVENT NO_WAKE LOOK_FIRST \
        SLEEP_FIRST NO_LAST_WAKE NO_LOOK ONE_LOOK NO_FLUSH; do
        expect fails work "-D$mutant"
    done
}

check_long()
{
    expect holds work -DWHITE=4
    for harmless in WEAK_CLOSE NO_FINISH LOOK_OUTSIDE; do
        expect holds work -DWHITE=3 "-D$harmless"
    done
    expect holds handshake -DROUNDS=4
    expect holds cycle -DOPS=4 -DLOOSE
    expect fails cycle -DOPS=4 -DLOOSE -DNO_CONFIRM
    expect holds cycle -DOPS=3 -DLOOSE -DSCAN2
    expect holds cycle -DOPS=3 -DLOOSE -DSTALE
    expect holds cycle -DOPS=3 -DATTACH -DGLOBAL
    expect holds cycle -DOPS=3 -DEXCHANGE
}

# Those that take longest come first.
check_all()
{
    printf '%s\n' life handshake cycle signal sweep work fork |
        xargs -n 1 -P "${JOBS:-1}" sh "$models/check.sh" || failures=1
}

case ${1-} in
'') check_all ;;
handshake | life | fork | signal | sweep | work | cycle) "check_$1" ;;
long) check_all; check_long ;;
*) echo "usage: check.sh [handshake | life | fork | signal | sweep | work | cycle | long]" >&2; exit 2 ;;
esac

[ "$failures" -eq 0 ] || { echo "$failures failed"; exit 1; }
