#!/bin/sh
# SPDX-License-Identifier: MIT
# Each wrong program of docs/verify-<mode>.md is reported as it says there, word for word but for
# addresses; with the functions that follow it there in place of its own, it passes in silence.
set -eu

work=$(mktemp -d "$TRI_BUILDDIR/verify-pages.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT
library="$TRI_BUILDDIR/.libs/libtricolor.so"
if [ ! -e "$library" ]; then
    echo "SKIP: no shared library in this build"
    exit 77
fi

# program<n>.c, the report that follows it, and the functions that mend it.
split() # split <page>
{
    awk -v work="$work" '
        /^```c$/ { kind = "c"; text = ""; next }
        /^```$/ && kind == "" { kind = "report"; text = ""; next }
        /^```$/ {
            if (kind == "c" && text ~ /int main\(/) {
                n++
                printf "%s", text >(work "/program" n ".c")
                reported = 0
            } else if (kind == "c") {
                printf "%s\n", text >(work "/mended" n ".c")
            } else if (n && !reported++) {
                printf "%s", text >(work "/report" n)
            }
            kind = ""
            next
        }
        kind != "" { text = text $0 "\n" }
        END { print n >(work "/count") }
    ' "$1"
}

# A function of the program is left out where one of the same first line mends it.
mend() # mend <n>
{
    awk -v mended="$work/mended$1.c" '
        BEGIN {
            while ((getline line <mended) > 0) {
                if (name == "" && line ~ /^static /)
                    name = line
                if (name != "")
                    body[name] = body[name] line "\n"
                if (line == "}")
                    name = ""
            }
        }
        $0 in body { printf "%s", body[$0]; delete body[$0]; skip = 1 }
        !skip { print }
        $0 == "}" { skip = 0 }
        END { for (left in body) { print "not in the program: " left >"/dev/stderr"; exit 1 } }
    ' "$work/program$1.c" >"$work/right.c"
}

run() # run <source> <mode>: leaves its status and its output
{
    # Compilers are lists of words by nature.
    # shellcheck disable=SC2086
    $CC -std=gnu11 -O2 -Wall -Wextra ${TRI_SANITIZERS:+"-fsanitize=$TRI_SANITIZERS"} -pthread \
        -I"$TRI_SRCDIR/include" -o "$work/program" "$work/$1" "$library" \
        "-Wl,-rpath,$TRI_BUILDDIR/.libs"
    status=0
    TRICOLOR_STALL=off TRICOLOR_VERIFY=$2 timeout 120 "$work/program" >"$work/output" 2>&1 || status=$?
}

fails()
{
    echo "FAILED: $*, status $status:"
    cat "$work/output"
    exit 1
}

# What the library says; not what a shell says of signals.
without_addresses()
{
    sed -n '/^tricolor: /p' "$1" | sed 's/[^ ]*program+/program+/; s/0x\(dead\)*[0-9a-f]*/0x\1/g'
}

# AddressSanitizer sees some wrong programs first, and ThreadSanitizer holds signals back.
is_reported_by_us()
{
    case ,$TRI_SANITIZERS, in
    *,address,*) return 1 ;;
    *,thread,*) ! grep -q SIGALRM "$1" ;;
    *) return 0 ;;
    esac
}

check() # check <n> <mode>
{
    run "program$1.c" "$2"
    if is_reported_by_us "$work/program$1.c"; then
        [ "$status" -ge 128 ] || fails "wrong program $1 of docs/verify-$2.md did not abort"
        without_addresses "$work/report$1" >"$work/expected"
        without_addresses "$work/output" >"$work/found"
        diff "$work/expected" "$work/found" ||
            fails "wrong program $1 is not reported as docs/verify-$2.md says"
    elif [ "$status" -eq 0 ] && ! grep -q SIGALRM "$work/program$1.c"; then
        fails "wrong program $1 of docs/verify-$2.md was not reported"
    fi
    mend "$1"
    run right.c "$2"
    if [ "$status" -ne 0 ] || [ -s "$work/output" ]; then
        fails "mended program $1 of docs/verify-$2.md"
    fi
}

for mode in clobber blocking; do
    rm -f "$work"/program*.c "$work"/mended*.c "$work"/report*
    split "$TRI_SRCDIR/docs/verify-$mode.md"
    count=$(cat "$work/count")
    [ "$count" -eq 3 ] || { echo "FAILED: $count programs in docs/verify-$mode.md"; exit 1; }
    for n in $(seq "$count"); do
        check "$n" "$mode"
    done
done
