#!/bin/sh
# SPDX-License-Identifier: MIT
# The mutants of tests/mutate_iterator and tests/mutate_signals still apply: each changes one place of the sources as they are now.
set -eu

if ! python3 -c '' 2>/dev/null; then
    echo "SKIP: no python3"
    exit 77
fi
python3 "$TRI_SRCDIR/tests/mutate_signals" --check
exec python3 "$TRI_SRCDIR/tests/mutate_iterator" --check
