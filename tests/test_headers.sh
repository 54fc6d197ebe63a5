#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone, without a warning, in C11 and in C++17, GNU dialects included, with
# the compilers of this build and with whichever of gcc and clang there is beside them.
set -eu

failures=0
warnings="-Wall -Wextra -Wshadow -Wundef -Wconversion -Wpedantic -Werror"

compiles() # compiles <compiler> <language> <standard> <header>
{
    header=${4#include/}
    # The compiler may be several words ("ccache gcc"), and the warnings are.
    # shellcheck disable=SC2086
    if ! printf '#include <%s>\nint unit_is_not_empty;\n' "$header" |
        $1 -x "$2" -std="$3" -I"$TRI_SRCDIR/include" $warnings -fsyntax-only -; then
        echo "FAILED: <$header> does not compile alone as $3 with $1"
        failures=$((failures + 1))
    fi
}

# compile_all <compiler> <language> <standard ...>: each header; nothing if there is no compiler.
compile_all()
{
    compiler=$1
    language=$2
    shift 2
    command -v "${compiler%% *}" >/dev/null || return 0
    echo "$compiler: $*"
    for header in $TRI_HEADERS; do
        # In the list of installed headers names may start with the path of the source tree.
        for standard; do
            compiles "$compiler" "$language" "$standard" "include/${header#*include/}"
        done
    done
}

# others_than <compiler> <name ...>: the names that are not the compiler's.
others_than()
{
    main=${1##* }
    shift
    for name; do
        [ "$name" = "${main##*/}" ] || echo "$name"
    done
}

compile_all "$CC" c c11 gnu11
for other in $(others_than "$CC" gcc clang); do
    compile_all "$other" c c11 gnu11
done
[ -n "$CXX" ] || echo "configured without a C++ compiler"
[ -z "$CXX" ] || compile_all "$CXX" c++ c++17 gnu++17
for other in $(others_than "$CXX" g++ clang++); do
    compile_all "$other" c++ c++17 gnu++17
done
[ "$failures" -eq 0 ]
