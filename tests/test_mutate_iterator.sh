#!/bin/sh
# SPDX-License-Identifier: MIT
# The mutants of tests/mutate_iterator, mutate_signals and mutate_collector still apply: each changes one
# place of the sources as they are now, and the models' check tries those that are the models'.
set -eu

if ! python3 -c '' 2>/dev/null; then
    echo "SKIP: no python3"
    exit 77
fi
python3 "$TRI_SRCDIR/tests/mutate_signals" --check
python3 "$TRI_SRCDIR/tests/mutate_collector" --check
exec python3 "$TRI_SRCDIR/tests/mutate_iterator" --check
