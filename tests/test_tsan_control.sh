#!/bin/sh
# SPDX-License-Identifier: MIT
# In a TSan build: what the shims for CK and liburcu hand over is no race, and becomes one when an
# annotation is left out.
set -eu

case ,$TRI_SANITIZERS, in
*,thread,*) ;;
*)
    echo "SKIP: built without ThreadSanitizer"
    exit 77
    ;;
esac

failures=0
control() # control <stack|rcu> <annotated|unannotated> <reported|silent>
{
    status=0
    output=$("$TRI_BUILDDIR/tests/tsan_control" "$1" "$2" 2>&1) || status=$?
    case $output in
    *'ThreadSanitizer: data race'*) found=reported ;;
    *) found=silent ;;
    esac
    # A report must also show in the status, or a caller that looks at nothing else would miss it.
    case $3-$found-$status in
    silent-silent-0 | reported-reported-[1-9]*)
        echo "ok: $1 $2: $found"
        return
        ;;
    esac
    echo "FAILED: $1 $2: expected $3, found $found with status $status:"
    echo "$output"
    failures=1
}

for shim in stack rcu; do
    control "$shim" annotated silent
    control "$shim" unannotated reported
done
[ "$failures" -eq 0 ]
