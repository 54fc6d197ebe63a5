#!/bin/sh
# SPDX-License-Identifier: MIT
# tools/tricolor-gdb.py on a live process and on a core file: what it says of objects, spans and iterators is what
# tri_dump_object, tri_dump_span and tri__dump_type_pointers say, and the summaries have what the program built. Without
# debug information it says so.
set -eu

script=$TRI_SRCDIR/tools/tricolor-gdb.py
program=$TRI_BUILDDIR/tests/gdb_program

skip() { echo "SKIP: $*"; exit 77; }
[ -z "$TRI_SANITIZERS" ] || skip "a sanitizer's shadow memory makes core files too large"
command -v gdb >/dev/null || skip "gdb is not installed"
gdb -batch -nx -ex 'python print("python " + "works")' 2>/dev/null | grep -q '^python works$' || skip "gdb has no python"

tmp=$(mktemp -d "$TRI_BUILDDIR/gdb.tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
failures=0

# run_gdb <arguments ...>: in a way that depends on nobody's settings.
run_gdb()
{
    ulimit -f 2000000 # a core file that is too large shall not fill the disk
    gdb -batch -nx -iex 'set debuginfod enabled off' -iex 'set auto-load off' -ex 'set pagination off' -ex 'set width 0' "$@" 2>&1
}

expect() # expect <file> <pattern>
{
    grep -q -- "$2" "$1" && return
    echo "FAILED: \"$2\" is not in $1:"
    cat "$1"
    failures=1
}

cat >"$tmp/look" <<END
source $script
echo \n== objects\n
tricolor object (char *)single + 9
tricolor object array + 300
tricolor object &flexible->items[9999]
tricolor object with_byte_mask
tricolor object leaf
tricolor object conservative
tricolor object nothing
tricolor object freed
tricolor object value
tricolor object lost
tricolor object (char *)value + 30000
tricolor object by_program + 77001
tricolor object hot
tricolor span single
tricolor span flexible
tricolor span value
tricolor span hot
echo == rest\n
tricolor heap
tricolor threads
END

# Each time an iterator goes to another window: where it stands, by gdb and by the library, which has iterators of its own.
{
    echo 'break tri__type_pointers_advance_slow'
    i=0
    while [ "$i" -lt 16 ]; do
        cat <<'END'
continue
disable $bpnum
echo == iterator\n
tricolor iterator it
tricolor iterator *it
echo == rest\n
call (void)tri__dump_type_pointers(it, iterators)
call (void)tri__dump_type_pointers(it, iterators)
enable $bpnum
END
        i=$((i + 1))
    done
} >"$tmp/walk"

same_iterators() # same_iterators <what gdb said>
{
    sed -n '/^== iterator/,/^== rest/p' "$1" | grep -v '^==' >"$tmp/walk.gdb" || :
    if ! diff "$tmp/iterators" "$tmp/walk.gdb"; then
        echo "FAILED: the library's iterators (<) and gdb's (>) differ"
        failures=1
    fi
    for state in 'over elements of up to 64 words' 'over larger elements' 'at its end'; do
        expect "$tmp/walk.gdb" "^  iterator $state\$"
    done
}

# same <name> <what gdb said>: objects and spans are told as the program tells them, but for who holds a span.
same()
{
    sed -n '/^== objects/,/^== rest/p' "$2" | grep -v '^==\|^  in  ' >"$tmp/$1.gdb" || :
    grep -v '^  in  ' "$tmp/dumps" >"$tmp/$1.program"
    if ! diff "$tmp/$1.program" "$tmp/$1.gdb"; then
        echo "FAILED: $1: the program's own words (<) and gdb's (>) differ"
        failures=1
    fi
    expect "$2" '^  in       the cache of thread [0-9]*, which has slots 2 to [0-9]* to hand out yet$'
    expect "$2" '^  in       the full list of side 0$'
    expect "$2" '^heap 0x[0-9a-f]*: [0-9]* GiB reserved, 4.0 MiB committed'
    expect "$2" '^  footer  *2  '
    expect "$2" '^typed object 0x'
    expect "$2" '^  large  *2  '
    expect "$2" '  running  *idle  *-  *-$'
    expect "$2" '  blocked  *idle  *-  *-$'
    expect "$2" '^  2 attached$'
}

run_gdb -ex 'break stop_here' -ex "run '$tmp/dumps' '$tmp/iterators'" -x "$tmp/look" -ex "generate-core-file $tmp/core" \
    -x "$tmp/walk" "$program" >"$tmp/live"
if grep -q 'has no debug information' "$tmp/live"; then
    skip "this build has no debug information"
fi
if grep -qi 'could not trace\|ptrace: Operation not permitted' "$tmp/live"; then
    skip "gdb may not run programs here"
fi
same "live process" "$tmp/live"
same_iterators "$tmp/live"

if [ -s "$tmp/core" ]; then
    run_gdb -x "$tmp/look" "$program" "$tmp/core" >"$tmp/post"
    same "core file" "$tmp/post"
else
    echo "FAILED: no core file was made"
    cat "$tmp/live"
    failures=1
fi

# What goes wrong is said in one line.
run_gdb -x "$script" -ex 'tricolor heap' "$program" >"$tmp/early" || :
expect "$tmp/early" "tricolor: there is no 'tri__heap' here: the program does not use libtricolor, has not been started"
run_gdb -x "$script" -ex 'break main' -ex 'run x' -ex 'tricolor heap' "$program" >"$tmp/main" || :
expect "$tmp/main" 'tricolor: there is no heap: tri_init() has not been called'
run_gdb -x "$script" -ex 'tricolor object' "$program" >"$tmp/empty" || :
expect "$tmp/empty" "tricolor: "
run_gdb -x "$script" -ex 'tricolor iterator 7' "$program" >"$tmp/other" || :
expect "$tmp/other" 'tricolor: 7 is no struct tri__type_pointers, nor a pointer to one'
library=$TRI_BUILDDIR/.libs/libtricolor.so
if [ -e "$library" ] && command -v strip >/dev/null; then
    strip --strip-debug -o "$tmp/stripped.so" "$library"
    run_gdb -x "$script" -ex 'tricolor heap' "$tmp/stripped.so" >"$tmp/stripped" || :
    expect "$tmp/stripped" 'tricolor: libtricolor has no debug information'
fi
exit "$failures"
