#!/bin/sh
# SPDX-License-Identifier: MIT
# The floors hold (scripts/check-includes), and the checker sees each kind of include that breaks them.
set -eu

checker=$TRI_SRCDIR/scripts/check-includes
tmp=$(mktemp -d "$TRI_BUILDDIR/includes.tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
failures=0

fail()
{
    echo "FAILED: $*"
    failures=1
}

# begin: a small tree with nothing wrong in it.
begin()
{
    rm -rf "$tmp/tree"
    mkdir -p "$tmp/tree/runtime/base" "$tmp/tree/runtime/heap" "$tmp/tree/barrier" "$tmp/tree/include/tricolor"
    echo 'SOURCES += %D%/os.h' >"$tmp/tree/runtime/base/local.mk"
    echo 'SOURCES += %D%/span.h' >"$tmp/tree/runtime/heap/local.mk"
    echo 'SOURCES += %D%/buffer.h' >"$tmp/tree/barrier/local.mk"
    echo '#include <stdint.h>' >"$tmp/tree/runtime/base/os.h"
    echo '#include <tricolor/type.h>' >"$tmp/tree/runtime/base/unlisted.h"
    echo '#include <ck_stack.h>' >"$tmp/tree/runtime/base/ck_shim.c"
    echo '#include <urcu-bp.h>' >"$tmp/tree/runtime/base/rcu_shim.c"
    echo '#include "base/os.h"' >"$tmp/tree/runtime/heap/span.h"
    echo '#include "heap/span.h"' >"$tmp/tree/barrier/buffer.h"
    echo '#include "barrier/buffer.h"' >"$tmp/tree/runtime/init.c"
    echo '#include <tricolor/base.h>' >"$tmp/tree/include/tricolor/type.h"
}

# is_seen <file> <line that is wrong there> <what is said of it>
is_seen()
{
    begin
    echo "$2" >>"$tmp/tree/$1"
    if "$checker" "$tmp/tree" >"$tmp/output"; then
        fail "$2 in $1 went unseen"
    elif ! grep -qF "$1:" "$tmp/output" || ! grep -qF "$2: $3" "$tmp/output"; then
        fail "of $2 in $1 this was said:"
        cat "$tmp/output"
    fi
}

"$checker" "$TRI_SRCDIR" || fail "the floors do not hold"
begin
"$checker" "$tmp/tree" || fail "a tree in which they hold"
is_seen runtime/base/os.h '#include "heap/span.h"' 'heap is above base'
is_seen runtime/heap/span.h '#include "barrier/buffer.h"' 'barrier is above heap'
is_seen runtime/heap/span.h '# include "barrier/buffer.h" /* only once */' 'barrier is above heap'
is_seen barrier/buffer.h '#include "mutator/mutator.h"' 'mutator is above barrier'
is_seen runtime/heap/span.h '#include "unlisted.h"' 'what is in quotes'
is_seen runtime/heap/span.h '#include "base/unlisted.h"' 'the header stands in no local.mk'
is_seen runtime/init.c '#include "base/ck_shim.c"' 'a source file is no header'
is_seen runtime/init.c '#include <base/os.h>' 'headers of floors are included in quotes'
is_seen runtime/heap/span.h '#include <ck_ring.h>' 'only runtime/base/ck_shim.c includes that'
is_seen runtime/heap/span.h '#include <urcu-bp.h>' 'only runtime/base/rcu_shim.c includes that'
is_seen runtime/heap/span.h '#include HEADER' 'an include is'
is_seen include/tricolor/type.h '#include "base/os.h"' 'public headers include nothing'
rm "$tmp/tree/runtime" -rf
! "$checker" "$tmp/tree" >"$tmp/output" 2>&1 || fail "no tree at all is said to hold"
exit "$failures"
