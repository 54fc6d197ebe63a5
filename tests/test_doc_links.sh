#!/bin/sh
# SPDX-License-Identifier: MIT
# Each link of README.md and of the pages that it leads to is to a file that is there, in the tree and
# in what is installed.
set -eu

work=$(mktemp -d "$TRI_BUILDDIR/doc-links.tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
failures=0

# The files that a page links, without what stands in its examples. Not the web.
links_of() # links_of <page>
{
    sed '/^```/,/^```/d; s/`[^`]*`//g' "$1" | grep -o '\](\([^)#]*\)' | sed 's/^](//' |
        grep -v -e '^$' -e '^[a-z]*:' | sort -u
}

check_page() # check_page <page>
{
    for link in $(links_of "$1"); do
        links=$((links + 1))
        [ -f "$(dirname "$1")/$link" ] && continue
        echo "FAILED: $1 links $link, which is not there"
        failures=$((failures + 1))
    done
}

# Many links, or they were not found.
check_pages() # check_pages <folder>
{
    links=0
    for page in README.md $(cd "$TRI_SRCDIR" && echo docs/*.md docs/model/README.md fuzz/README.md); do
        check_page "$1/$page"
    done
    [ "$links" -ge 50 ] || { echo "FAILED: only $links links below $1"; failures=$((failures + 1)); }
}

check_pages "$TRI_SRCDIR"
"$MAKE" -s -C "$TRI_BUILDDIR" install-data DESTDIR="$work" docdir=/doc >"$work/log" 2>&1 || {
    echo "FAILED: the documents cannot be installed:"
    cat "$work/log"
    exit 1
}
check_pages "$work/doc"
[ "$failures" -eq 0 ]
