#!/bin/sh
# SPDX-License-Identifier: MIT
# Each invariant that the code cites stands in docs/invariants.md, and each that stands there is cited by the code. What tests,
# documents and models cite must stand there, too; and so for the orders of docs/memory-order.md.
set -eu

cd "$TRI_SRCDIR"
tmp=$(mktemp -d "$TRI_BUILDDIR/tags.tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
failures=0

# cited <kind> <file or folder ...>: the tags in brackets.
cited()
{
    kind=$1
    shift
    find "$@" -type f \( -name '*.[ch]' -o -name '*.sh' -o -name '*.md' -o -name '*.pml' \) -exec cat {} + |
        grep -o "\[$kind\.[a-z][a-z0-9.-]*\]" | tr -d '[]' | sort -u
}

complain() # complain <file with tags> <what is wrong with them>
{
    [ -s "$1" ] || return 0
    sed "s|^|FAILED: $2: |" "$1"
    failures=1
}

sed -n 's/^### \(inv\.[a-z0-9.-]*\)$/\1/p' docs/invariants.md | sort >"$tmp/rules"
sed -n 's/^| \(mo\.[a-z0-9.-]*\) |.*/\1/p' docs/memory-order.md | sort -u >"$tmp/orders"
cited inv runtime barrier include >"$tmp/by_code"
cited inv runtime barrier include tests stress bench examples docs >"$tmp/by_anybody"
cited mo runtime barrier include tests stress docs >"$tmp/orders_cited"

if [ ! -s "$tmp/rules" ] || [ ! -s "$tmp/orders" ]; then
    echo "FAILED: no tags found in docs/"
    exit 1
fi

sort "$tmp/rules" | uniq -d >"$tmp/twice"
comm -13 "$tmp/rules" "$tmp/by_code" >"$tmp/unknown"
comm -23 "$tmp/rules" "$tmp/by_code" >"$tmp/unused"
comm -13 "$tmp/rules" "$tmp/by_anybody" >"$tmp/elsewhere"
comm -13 "$tmp/orders" "$tmp/orders_cited" >"$tmp/no_order"
complain "$tmp/twice" "stands twice in docs/invariants.md"
complain "$tmp/unknown" "cited by the code, but not in docs/invariants.md"
complain "$tmp/unused" "in docs/invariants.md, but cited nowhere in the code"
complain "$tmp/elsewhere" "cited, but not in docs/invariants.md"
complain "$tmp/no_order" "cited, but not in docs/memory-order.md"

[ "$failures" -eq 0 ] && echo "$(wc -l <"$tmp/rules") invariants, $(wc -l <"$tmp/orders") orders"
exit "$failures"
