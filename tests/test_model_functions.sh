#!/bin/sh
# SPDX-License-Identifier: MIT
# Each model of docs/model/ says behind "Functions:" which functions it models, as "a, b (file.c)", and each
# of them is in that file.
set -eu

cd "$TRI_SRCDIR"
failures=0
tmp=$(mktemp "$TRI_BUILDDIR/functions.tmp.XXXXXX")
trap 'rm -f "$tmp"' EXIT

# named_by <model>: a line for each function and, of its group, the file.
named_by()
{
    sed -n '/^ \* Functions: /,/\.$/{ s/^ \* //; s/^Functions: //; s/\.$//; p; }' "$1" | tr '\n' ' ' |
        awk '{
            gsub(/[,;]/, " ")
            for (i = 1; i <= NF; i++)
                if ($i ~ /^\(.*\)$/) {
                    for (j = 0; j < n; j++)
                        print names[j], substr($i, 2, length($i) - 2)
                    n = 0
                } else
                    names[n++] = $i
            for (j = 0; j < n; j++)
                print names[j], "?"
        }'
}

for model in docs/model/*.pml; do
    named_by "$model" >"$tmp"
    [ -s "$tmp" ] || { echo "FAILED: $model names no functions"; failures=1; }
    while read -r name file; do
        # No path has a blank in it.
        # shellcheck disable=SC2046
        grep -Eqs "^[a-z_].*[ *]$name\(" $(find runtime barrier include -name "$file") /dev/null || {
            echo "FAILED: $model names $name ($file), which is not there"
            failures=1
        }
    done <"$tmp"
done
exit "$failures"
