# SPDX-License-Identifier: MIT
# bench/common.sh: what bench/run and bench/figures share. To be sourced by bash.

say() { printf 'run: %s\n' "$*" >&2; }
die() { printf 'run: %s\n' "$*" >&2; exit 1; }

is_number() { [[ $1 =~ ^[1-9][0-9]*$ ]]; }

# The path of a shared library, as the dynamic linker knows it, else as Debian's package has it.
find_library() # find_library <libname> <package>
{
    local ldconfig path
    ldconfig=$(PATH=$PATH:/sbin:/usr/sbin command -v ldconfig || :)
    path=$(${ldconfig:+"$ldconfig" -p} 2>/dev/null |
        awk -v name="$1" 'index($1, name ".so.") == 1 && !seen++ { print $NF }' || :)
    if [ -z "$path" ]; then
        path=$(dpkg -L "$2" 2>/dev/null | awk -v name="/$1.so." 'index($0, name) && !seen++' || :)
    fi
    [ -z "$path" ] || readlink -f "$path"
}

# The package that has mimalloc or jemalloc.
package_of()
{
    case $1 in
    mimalloc) echo libmimalloc2.0 ;;
    jemalloc) echo libjemalloc2 ;;
    *) die "no malloc is called $1" ;;
    esac
}

# What a figure depends on, and a warning when something else runs.
describe_machine() # describe_machine <build directory> <processors, or nothing>
{
    local model load
    model=$(awk -F ': *' '/^model name/ { print $2; exit }' /proc/cpuinfo)
    printf '%s, %s processors%s, Linux %s\n' "${model:-$(uname -m)}" "$(nproc --all)" \
        "${2:+, of which $2}" "$(uname -r)"
    [ ! -x "$1/config.status" ] ||
        printf 'configured with: %s\n' "$("$1/config.status" --config)"
    load=$(cut -d ' ' -f 1 /proc/loadavg)
    printf 'load before: %s\n' "$load"
    awk -v load="$load" 'BEGIN { exit !(load > 0.5) }' || return 0
    say "this machine is busy (load $load): expect noise"
}
