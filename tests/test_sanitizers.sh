#!/bin/sh
# SPDX-License-Identifier: MIT
# In a sanitized build each sanitizer reports a bug that is there: a silent one would let all other tests pass.
# Then the door to CK is looked at: it must be left alone by all of them (runtime/base/local.mk says why).
set -eu

if [ -z "$TRI_SANITIZERS" ]; then
    echo "SKIP: built without a sanitizer"
    exit 77
fi

expected_words() # expected_words <sanitizer>
{
    case $1 in
    thread) echo 'ThreadSanitizer: data race' ;;
    address) echo 'AddressSanitizer: heap-buffer-overflow' ;;
    undefined) echo 'runtime error: signed integer overflow' ;;
    esac
}

failures=0
for sanitizer in $(echo "$TRI_SANITIZERS" | tr , ' '); do
    words=$(expected_words "$sanitizer")
    status=0
    output=$("$TRI_BUILDDIR/tests/known_faults" "$sanitizer" 2>&1) || status=$?
    if [ "$status" -eq 0 ] || ! echo "$output" | grep -q "$words"; then
        echo "FAILED: the $sanitizer sanitizer did not report its bug (status $status):"
        echo "$output"
        failures=1
    fi
done

door=$TRI_BUILDDIR/.libs/libtricolor_uninstrumented.a
if $NM "$door" | grep -E '__(tsan_(func_entry|read|write)|asan_report|ubsan_handle)'; then
    echo "FAILED: the door to CK is instrumented"
    failures=1
fi
[ "$failures" -eq 0 ]
