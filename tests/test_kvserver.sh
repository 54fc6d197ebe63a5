#!/bin/bash
# SPDX-License-Identifier: MIT
# kvserver against the clients it is made for, redis-cli and redis-benchmark, and against malformed
# input. Runs $KVSERVER, or the one in the build tree, on a port of its own. Skipped where Debian
# package redis-tools is missing.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -u

here=$(cd "$(dirname "$0")" && pwd)
server=${KVSERVER:-${TRI_BUILDDIR:-.}/examples/kvserver/kvserver}
for tool in redis-cli redis-benchmark; do
    command -v $tool >/dev/null && continue
    echo "skipped: $tool is missing: install Debian package redis-tools"
    exit 77
done

# A sanitizer slows the server down: fewer rounds.
slower=1
[ -z "${TRI_SANITIZERS:-}" ] || slower=20

work=$(mktemp -d)
failures=0
pid=

cleanup()
{
    [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT

fail() # fail <what> [<file>]
{
    echo "FAILED: $1"
    [ $# -lt 2 ] || head -40 "$2"
    failures=$((failures + 1))
}

same() # same <what> <expected> <actual>
{
    [ "$2" = "$3" ] || fail "$1: expected '${2:0:300}', got '${3:0:300}'"
}

cli() { redis-cli -p "$port" "$@"; }

sorted() { cli "$@" | LC_ALL=C sort | tr '\n' ' '; }

start() # start <argument>...: sets pid and port
{
    : >"$work/log" # an earlier server's last words are not this one's
    "$server" --port 0 "$@" >"$work/log" 2>&1 &
    pid=$!
    for _ in $(seq 200); do
        port=$(sed -n 's/^kvserver: listening on .* port \([0-9]*\),.*/\1/p' "$work/log")
        [ -z "$port" ] || return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    fail "the server does not start" "$work/log"
    exit 1
}

stop() # stop <signal>: it must end well, and soon
{
    local status

    kill -"$1" "$pid"
    wait "$pid"
    status=$?
    pid=
    [ "$status" = 0 ] || fail "exit status $status after SIG$1" "$work/log"
    same "last words after SIG$1" "kvserver: stopped" "$(tail -1 "$work/log")"
}

# ---- the session: each command's reply, typed ----

# Between commands the server is asked to echo their numbers, so that replies can be told apart.
test_session()
{
    grep -v '^#' "$here/kvserver.session" | grep . >"$work/session"
    grep '^> ' "$work/session" | sed 's/^> //' >"$work/commands"
    awk '{ print "ECHO @" NR "@"; print }' "$work/commands" | cli --no-raw >"$work/replies"
    awk 'NR == FNR { command[++n] = $0; next }
         /^"@[0-9]+@"$/ { print "> " command[++i]; next }
         { print }' "$work/commands" "$work/replies" >"$work/actual"
    diff -U3 "$work/session" "$work/actual" >"$work/difference" ||
        fail "the session (-: expected, +: what came)" "$work/difference"
}

# ---- replies without an order ----

test_collections()
{
    cli flushall >/dev/null
    cli sadd s a b c d e f g >/dev/null
    same "SMEMBERS" "a b c d e f g " "$(sorted smembers s)"
    same "SPOP all" "a b c d e f g " "$(sorted spop s 100)"
    cli hset h f1 v1 f2 v2 f3 v3 >/dev/null
    same "HGETALL" "f1 f2 f3 v1 v2 v3 " "$(sorted hgetall h)"
    same "HKEYS" "f1 f2 f3 " "$(sorted hkeys h)"
    same "HVALS" "v1 v2 v3 " "$(sorted hvals h)"
    cli sadd big $(seq 1 2000) >/dev/null
    same "SMEMBERS of many" "$(seq 1 2000 | md5sum)" "$(cli smembers big | sort -n | md5sum)"
    same "SRANDMEMBER, different ones" "500" "$(cli srandmember big 500 | sort -u | wc -l)"
    same "SRANDMEMBER leaves them" "2000" "$(cli scard big)"
    cli spop big 1500 >/dev/null
    same "SPOP of many" "500" "$(cli smembers big | sort -u | wc -l)"
    cli rpush l $(seq 1 5000) >/dev/null
    same "LRANGE of many" "$(seq 1 5000 | md5sum)" "$(cli lrange l 0 -1 | md5sum)"
    cli lpop l 4000 >/dev/null
    same "LPOP of many" "$(seq 4001 5000 | md5sum)" "$(cli lrange l 0 -1 | md5sum)"
}

# ---- KEYS and SCAN, with the table growing and shrinking meanwhile ----

test_scan()
{
    local seen

    cli flushall >/dev/null
    seq 1 3000 | sed 's/.*/set stay:& x/' | cli >/dev/null
    same "KEYS" 3000 "$(cli keys 'stay:*' | sort -u | wc -l)"
    same "KEYS of one" "stay:77" "$(cli keys 'stay:7[7]')"
    seen=$(cli --scan | sort -u | wc -l)
    same "SCAN" 3000 "$seen"
    same "SCAN MATCH" 111 "$(cli --scan --pattern 'stay:2*' | grep -cE '^stay:2[0-9]?[0-9]?$')"
    (seq 1 60000 | sed 's/.*/set go:& x/' | cli >/dev/null
     seq 1 60000 | sed 's/.*/del go:&/' | cli >/dev/null) &
    local writer=$!
    while kill -0 $writer 2>/dev/null; do
        seen=$(cli --scan --pattern 'stay:*' | sort -u | wc -l)
        same "SCAN beside a writer" 3000 "$seen"
        seen=$(cli keys 'stay:*' | wc -l)
        same "KEYS beside a writer" 3000 "$seen"
    done
    wait $writer
    same "DBSIZE after it" 3000 "$(cli dbsize)"
}

# ---- bytes on the wire ----

# Sends the bytes of printf format $1 and prints what comes back until the server closes, with line
# ends made visible. With a second argument, byte by byte.
exchange()
{
    local byte

    exec 3<>"/dev/tcp/127.0.0.1/$port" || return
    if [ $# -gt 1 ]; then
        for byte in $(printf "$1" | od -An -v -tx1); do
            printf "\\x$byte" >&3
        done
    else
        printf "$1" >&3
    fi
    timeout 20 cat <&3 2>/dev/null | tr '\r\0' '~0' | tr -d '\n'
    exec 3>&-
}

# The same for input that is well formed: it gets a QUIT behind it, whose reply is taken off.
answer()
{
    exchange "$1"'QUIT\r\n' "${@:2}" | sed 's/+OK~$//'
}

test_wire()
{
    local set='*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n'
    local get='*2\r\n$3\r\nGET\r\n$1\r\nk\r\n'
    local set_binary='*3\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n$3\r\n\0\r\n\r\n'
    local get_binary='*2\r\n$3\r\nGET\r\n$2\r\n\r\n\r\n'

    cli flushall >/dev/null
    same "a pipeline" '+OK~$5~hello~:1~' "$(answer "$set$get"'*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n')"
    same "byte by byte" '+OK~$5~hello~' "$(answer "$set$get" slowly)"
    same "a key and a value of control characters" '+OK~$3~0~~' "$(answer "$set_binary$get_binary")"
    same "inline" '+PONG~+PONG~+OK~$3~a b~' "$(answer 'PING\r\nping\nSET  i  "a b" \r\nGET i\r\n')"
    same "inline, byte by byte" '+PONG~$2~a"~' "$(answer 'PING\r\nECHO "a\\""\r\n' slowly)"
    same "inline escapes" '$4~A\n'"'~" "$(answer 'ECHO "\\x41\\\\n'"'"'"\r\n')"
    same "inline, other quotes" '$4~a"'"'b~" "$(answer "ECHO 'a\"\\\\'b'\r\n")"
    same "nothing to do" '+PONG~' "$(answer '\r\n*0\r\n*-1\r\n\n   \r\nPING\r\n')"
    same "behind QUIT" '+OK~' "$(exchange 'QUIT\r\nPING\r\n')"
    same "an unknown command" "-ERR unknown command 'x y'~+PONG~" \
        "$(answer '*1\r\n$3\r\nx\ny\r\nPING\r\n')"
}

# Malformed input: an error, and the end of this connection; the PING behind it is not answered.
refused() # refused <bytes> <error>
{
    same "malformed ${1:0:40}" "-ERR Protocol error: $2~" "$(exchange "$1"'PING\r\n')"
}

test_malformed()
{
    local long bystander_pid

    coproc bystander { redis-cli -p "$port"; }
    bystander_pid=$!
    refused '*x\r\n' 'invalid multibulk length'
    refused '*\r\n' 'invalid multibulk length'
    refused '*1048577\r\n' 'invalid multibulk length'
    refused '*99999999999999999999\r\n' 'invalid multibulk length'
    refused '*1\r\n!3\r\nGET\r\n' "expected '\$' before an argument"
    refused '*1\r\n\r\n' "expected '\$' before an argument"
    refused '*1\r\n$x\r\n' 'invalid bulk length'
    refused '*1\r\n$-1\r\n' 'invalid bulk length'
    refused '*1\r\n$536870913\r\n' 'invalid bulk length'
    refused '*1\r\n$4\r\nPING+\r\n' 'argument longer than its length'
    refused 'ECHO "abc\r\n' 'unbalanced quotes in request'
    refused 'ECHO "abc"d\r\n' 'unbalanced quotes in request'
    long=$(head -c 70000 /dev/zero | tr '\0' 1)
    same "a line too long" "-ERR Protocol error: too big inline request~" "$(exchange "$long")"
    same "a count too long" "-ERR Protocol error: too big mbulk count string~" "$(exchange "*$long")"
    same "a length too long" "-ERR Protocol error: too big bulk count string~" "$(exchange "*1\r\n\$$long")"
    printf '*2\r\n$3\r\nGET\r\n$10\r\nabc' >"/dev/tcp/127.0.0.1/$port"
    head -c 100000 /dev/urandom 2>/dev/null >"/dev/tcp/127.0.0.1/$port"
    echo PING >&"${bystander[1]}"
    read -r -t 10 -u "${bystander[0]}" long
    same "somebody else's connection" PONG "$long"
    exec {bystander[1]}>&-
    wait "$bystander_pid"
}

# ---- large values, and a client that does not read ----

test_large()
{
    cli flushall >/dev/null
    head -c 20000000 /dev/urandom >"$work/large"
    cli -x set large <"$work/large" >/dev/null
    same "STRLEN" 20000000 "$(cli strlen large)"
    cli get large | head -c 20000000 | cmp - "$work/large" || fail "a large value changed"

    cli set kilobytes "$(head -c 100000 /dev/zero | tr '\0' x)" >/dev/null
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    (for _ in $(seq 1000); do printf 'GET kilobytes\r\n'; done >&3) &
    local sender=$!
    sleep 0.3
    same "others beside a client that does not read" PONG "$(cli ping)"
    same "100 MB of replies" $((1000 * 100011)) "$(head -c $((1000 * 100011)) <&3 | wc -c)"
    exec 3>&-
    wait $sender
}

# ---- time to live ----

test_expiry()
{
    cli flushall >/dev/null
    cli set short x px 1000000 >/dev/null # a client may be long in coming
    same "before its time" x "$(cli get short)"
    [ "$(cli pttl short)" -gt 900000 ] || fail "the time to live is not in milliseconds"
    cli set short x px 150 >/dev/null
    cli hset h a 1 >/dev/null
    cli pexpire h 150 >/dev/null
    seq 1 1000 | sed 's/.*/set gone:& x px 150/' | cli >/dev/null
    sleep 0.4
    same "after its time" "" "$(cli get short)"
    same "TTL after its time" -2 "$(cli ttl short)"
    same "HGETALL after its time" "" "$(cli hgetall h)"
    same "KEYS after their time" "" "$(cli keys '*')"
    for _ in $(seq 50); do
        [ "$(cli dbsize)" = 0 ] && break
        sleep 0.1
    done
    same "DBSIZE after the sweep" 0 "$(cli dbsize)"
}

# ---- many at once ----

test_benchmark()
{
    many=20000
    [ -z "${TRI_SANITIZERS:-}" ] || many=4000
    redis-benchmark -p "$port" -n $((many / 10)) -c 20 -q >"$work/benchmark" 2>&1 ||
        fail "redis-benchmark" "$work/benchmark"
    redis-benchmark -p "$port" -n $((many / 5)) -c 20 -P 16 -r 1000 -q >"$work/benchmark" 2>&1 ||
        fail "redis-benchmark with pipelining" "$work/benchmark"
    same "tests that redis-benchmark ran" 20 \
        "$(tr '\r' '\n' <"$work/benchmark" | grep -c 'requests per second')"
    cli flushall >/dev/null
    redis-benchmark -p "$port" -n "$many" -c 20 -P 10 -q incr counter >/dev/null 2>&1
    same "increments of 20 clients" "$many" "$(cli get counter)"
    redis-benchmark -p "$port" -n "$many" -c 20 -P 10 -q rpush queue x >/dev/null 2>&1
    redis-benchmark -p "$port" -n $((many / 2)) -c 20 -P 10 -q lpop queue >/dev/null 2>&1
    same "what pushes and pops of 20 clients leave" $((many / 2)) "$(cli llen queue)"
}

# Sends the inline commands on standard input without waiting for the replies, which it throws away.
flood()
{
    exec 4<>"/dev/tcp/127.0.0.1/$port"
    cat <&4 >/dev/null &
    { cat; echo QUIT; } >&4
    exec 4>&-
    wait $!
}

# Repeats the file of commands as long as $work/reading is there.
repeat()
{
    while [ -e "$work/reading" ]; do
        cat "$1"
    done | flood
}

# Snapshots: readers take no lock, and yet see each command's effect as a whole.
test_snapshots()
{
    local fields writers=() torn

    cli flushall >/dev/null
    cli hset h a 0 b 0 >/dev/null
    seq 1 1000 | sed 's/.*/hset h a & b &/' >"$work/pairs"
    seq 1 1000 | sed 's/.*/rpush l & &/; n; s/.*/lpop l 2/' >"$work/doubles"
    fields=$(seq 1 200 | sed 's/.*/a b/' | tr '\n' ' ')
    touch "$work/reading"
    repeat "$work/pairs" & writers+=($!)
    repeat "$work/doubles" & writers+=($!)
    torn=$(seq 1 $((300 / slower)) | sed "s/.*/hmget h $fields/" | cli |
        awk '(NR - 1) % 400 == 0 { first = $1 } $1 != first' | head -3)
    same "fields set together" "" "$torn"
    torn=$(seq 1 $((3000 / slower)) | sed 's/.*/llen l/' | cli | awk '$1 % 2' | head -3)
    same "elements pushed together" "" "$torn"
    rm "$work/reading"
    wait "${writers[@]}"
    same "the last fields" "1000 1000" "$(cli hmget h a b | paste -sd ' ')"
}

# The server may be about to notice that earlier clients have left.
info_of_one() # info_of_one <file>
{
    for _ in $(seq 100); do
        cli info >"$1"
        ! grep -q '^connected_clients:1[^0-9]' "$1" || return 0
        sleep 0.1
    done
}

test_info()
{
    cli set k v >/dev/null
    info_of_one "$work/info"
    for line in '^# Server' '^# GC' '^redis_version:' '^connected_clients:1' '^used_memory:[1-9]' \
        '^total_commands_processed:[1-9]' '^db0:keys=[1-9]' '^gc_cycles:[0-9]' \
        '^gc_delay_handshake:count='; do
        grep -q "$line" "$work/info" || fail "INFO has no line $line" "$work/info"
    done
    same "INFO of one section" "# Clients" "$(cli info clients | head -1 | tr -d '\r')"
    same "MEMORY PURGE" OK "$(cli memory purge)"
    same "CONFIG SET gc-percent" OK "$(cli config set gc-percent 50)"
}

# ---- starting and stopping ----

test_usage()
{
    local status

    "$server" --nonsense >"$work/usage" 2>&1
    same "exit status after a bad option" 2 $?
    "$server" --port 70000 >"$work/usage" 2>&1
    same "exit status after a bad port" 2 $?
    "$server" --port "$port" >"$work/usage" 2>&1
    same "exit status where the port is taken" 1 $?
    "$server" --help | grep -q '^usage:' || fail "--help"
}

start --threads 3
for test in session collections scan wire malformed large expiry benchmark snapshots info usage; do
    before=$failures
    test_$test
    [ "$failures" = "$before" ] && echo "ok: $test"
    kill -0 "$pid" 2>/dev/null || { fail "the server died in $test" "$work/log"; exit 1; }
done
exec 3<>"/dev/tcp/127.0.0.1/$port" # stays connected
stop TERM
exec 3>&-
start --threads 1
stop INT
[ "$failures" = 0 ]
