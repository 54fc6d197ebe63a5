#!/bin/sh
# SPDX-License-Identifier: MIT
# Each wrong program of docs/verify*.md and docs/chaos.md is reported as it says there, word for word but for
# addresses, and as the table in docs/verify.md says; with the functions that follow it there in
# place of its own, it passes in silence.
set -eu

work=$(mktemp -d "$TRI_BUILDDIR/verify-pages.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT
case ,$TRI_SANITIZERS, in
*,thread,*)
    echo "SKIP: ThreadSanitizer reports the races of wrong programs itself, and takes minutes for all of them"
    exit 77
    ;;
esac
library="$TRI_BUILDDIR/.libs/libtricolor.so"
if [ ! -e "$library" ]; then
    echo "SKIP: no shared library in this build"
    exit 77
fi

# program<n>.c, the report that follows it, and what mends it.
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

# A function of the program is left out where one of the same first line mends it, and a TRI_TYPE
# where one of the same type does.
mend() # mend <n>
{
    awk -v mended="$work/mended$1.c" '
        function name_of(line) { return line ~ /^TRI_/ ? substr(line, 1, index(line, ",")) : line }
        BEGIN {
            while ((getline line <mended) > 0) {
                if (name == "" && line ~ /^(static |TRI_)/)
                    name = name_of(line)
                if (name != "")
                    body[name] = body[name] line "\n"
                if (line == "}" || line ~ /^TRI_/)
                    name = ""
            }
        }
        name_of($0) in body {
            printf "%s", body[name_of($0)]
            delete body[name_of($0)]
            skip = 1
        }
        !skip { print }
        $0 == "}" || /^TRI_/ { skip = 0 }
        END { for (left in body) { print "not in the program: " left >"/dev/stderr"; exit 1 } }
    ' "$work/program$1.c" >"$work/right.c"
}

build() # build <source>
{
    # Compilers are lists of words by nature.
    # shellcheck disable=SC2086
    $CC -std=gnu11 -g -O2 -Wall -Wextra ${TRI_SANITIZERS:+"-fsanitize=$TRI_SANITIZERS"} -pthread \
        -I"$TRI_SRCDIR/include" -o "$work/program" "$work/$1" "$library" \
        "-Wl,-rpath,$TRI_BUILDDIR/.libs"
}

run() # run <mode>: leaves the program's status and output
{
    status=0
    TRICOLOR_STALL=off TRICOLOR_VERIFY=$1 timeout 600 "$work/program" >"$work/output" 2>&1 ||
        status=$?
}

fails()
{
    echo "FAILED: $*, status $status:"
    cat "$work/output"
    exit 1
}

# Where threads race, or a seed is given, a run may end well by chance: the more often, the busier the
# machine is (two of 40, for the program of docs/verify.md).
run_wrong() # run_wrong <mode>
{
    run "$1"
    for _ in $(seq 20); do
        case $page,$status in
        verify,0 | chaos,0) grep -q '^tricolor: a barrier is missing' "$work/output" || run "$1" ;;
        esac
    done
}

# What the library says; not that it was told to, nor what a shell says of signals.
without_addresses()
{
    sed -n '/^tricolor: TRICOLOR_VERIFY=/d; /^tricolor: /p' "$1" | sed '
        s/[^ ]*program+/program+/; s/0x\(dead\)*[0-9a-f]*/0x\1/g
        s/by thread [0-9]*, [a-z ]*,/by thread,/'
}

# Which of many is lost is left to chance: the index of a record, where in its list an item stands,
# and whether it is a queue's first, which was told of before.
report_of()
{
    without_addresses "$1" | case $page in
    verify)
        sed 's/"next" at offset 0 of "item"/"first" at offset 8 of "queue"/; /^tricolor:   /d
            s/ (=), or with the struct.* have examples$/ (=). Use tri_store; docs\/verify.md has examples/'
        ;;
    chaos) sed 's/"rooms\[[0-9]*\]" at offset [0-9]*/"rooms[]"/' ;;
    verify-barrier) sed 's/"records\[[0-9]*\]" at offset [0-9]*/"records[]"/' ;;
    *) cat ;;
    esac
}

# AddressSanitizer sees some wrong programs first.
is_reported_by_us() # is_reported_by_us <program> <mode>
{
    case ,$TRI_SANITIZERS,$2, in
    *,address,*clobber, | *,address,*blocking,) return 1 ;;
    *) return 0 ;;
    esac
}

ends_as_it_should() # ends_as_it_should <mode>
{
    if [ "$1" = layout ]; then
        [ "$status" -eq 0 ]
    else
        [ "$status" -ge 128 ]
    fi
}

# The page, the number of the program, the mode, and how the report begins.
table()
{
    link='\[\([a-z-]*\)\.md\]([a-z.-]*)'
    tr -d '`' <"$TRI_SRCDIR/docs/verify.md" |
        sed -n "s/^| [^|]* | \([a-z0-9,=]*\) | $link \([0-9]*\) | \(.*\) |\$/\2 \3 \1 \4/p"
}

is_in_table() # is_in_table <n> <mode>
{
    table | sed -n "s/^$page $1 $2 /tricolor: /p" >"$work/row"
    [ "$(wc -l <"$work/row")" -eq 1 ] || return 1
    begins=$(without_addresses "$work/row")
    case $(without_addresses "$work/output" | head -n 1) in
    "$begins"*) return 0 ;;
    *) return 1 ;;
    esac
}

# The line that addr2line says, as on the pages, has the call in it.
place_is_right() # place_is_right <n>
{
    place=$(sed -n 's/^tricolor: \(tri_[a-z]*\)[^,]*, called from [^ ]*+\(0x[0-9a-f]*\).*/\1 \2/p' "$work/output")
    [ -n "$place" ] && command -v addr2line >/dev/null || return 0
    lines=$(addr2line -i -e "$work/program" "${place#* }" | sed -n "s/.*\/program$1\.c:\([0-9]*\).*/\1p/p")
    [ -n "$lines" ] && sed -n "$(echo "$lines" | head -n 1)" "$work/program$1.c" | grep -q "${place% *}("
}

check_report() # check_report <n> <mode>
{
    ends_as_it_should "$2" || fails "wrong program $1 of docs/$page.md did not abort"
    report_of "$work/report$1" >"$work/expected"
    report_of "$work/output" >"$work/found"
    diff "$work/expected" "$work/found" ||
        fails "wrong program $1 is not reported as docs/$page.md says"
    is_in_table "$1" "$2" ||
        fails "wrong program $1 of docs/$page.md is not what the table in docs/verify.md says"
    place_is_right "$1" || fails "the call in wrong program $1 of docs/$page.md is not where the report says"
}

# Reported, and nothing is lost.
check_warning() # check_warning <n>
{
    run_wrong barrier=warn
    [ "$status" -eq 0 ] || fails "wrong program $1 of docs/$page.md was to be warned only"
    grep -q '^tricolor: a barrier is missing' "$work/output" ||
        fails "wrong program $1 of docs/$page.md was to be warned"
}

# Fewer cycles and objects: with a sanitizer both take a hundred times as long.
shorten() { sed -i 's/ i < 100; / i < 5; /; s/ i < 200000; / i < 20000; /' "$work/$1"; } # shorten <source>

check() # check <n> <mode>
{
    build "program$1.c"
    run_wrong "$2"
    if is_reported_by_us "$work/program$1.c" "$2"; then
        check_report "$1" "$2"
        [ "$page" != verify ] || check_warning "$1"
    elif [ "$status" -eq 0 ] && ! grep -q SIGALRM "$work/program$1.c"; then
        fails "wrong program $1 of docs/$page.md was not reported"
    fi
    mend "$1"
    [ -z "$TRI_SANITIZERS" ] || shorten right.c # what is right stays so
    build right.c
    run "$2"
    if [ "$status" -ne 0 ] || grep -qv '^tricolor: TRICOLOR_VERIFY=' "$work/output"; then
        fails "mended program $1 of docs/$page.md"
    fi
}

all=0
for it in verify:barrier:1 verify-barrier:barrier:2 verify-layout:layout:2 \
    verify-clobber:clobber:5 verify-blocking:blocking:3 chaos:barrier,chaos=4:1; do
    page=${it%%:*}
    mode=${it#*:}
    mode=${mode%:*}
    rm -f "$work"/program*.c "$work"/mended*.c "$work"/report*
    split "$TRI_SRCDIR/docs/$page.md"
    count=$(cat "$work/count")
    [ "$count" -eq "${it##*:}" ] || { echo "FAILED: $count programs in docs/$page.md"; exit 1; }
    for n in $(seq "$count"); do
        check "$n" "$mode"
    done
    all=$((all + count))
done
rows=$(table | wc -l)
[ "$rows" -eq "$all" ] || { echo "FAILED: $all programs, but $rows in the table"; exit 1; }
