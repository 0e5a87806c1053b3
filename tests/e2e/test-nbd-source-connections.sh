#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# How an NBD server is asked: over how many connections, in requests of
# which sizes; from a server in the background; with TLS.

. "$(dirname "$0")/functions.sh"
requires_library nbd

export VDISK=${VDISK:-$top/tools/vdisk}
requires ss --version

lying=("$e2e/lib/nbd_server.py" SOCKET --log log)

# count WORD: how many lines of the server's log start with it.
count ()
{
    grep -c "^$1" log || true
}

# --- Connections ---------------------------------------------------------

origin_start python3 "${lying[@]}"
"$VDISK" map "$origin" > /dev/null
[ "$(count connect)" -eq 1 ] || die "$(count connect) connections, not one"
checked "one connection"
origin_stop

origin_start python3 "${lying[@]}" --multi-conn
"$VDISK" map "$origin" > /dev/null
[ "$(count connect)" -eq 4 ] || die "$(count connect) connections, not four"
checked "four connections"
[ "$(count status)" -eq 1 ] || die "asked $(count status) times"
checked "one question for all extents"
origin_stop

# All four are used by clients that ask much at a time, and one if one
# thing is asked after another.
origin_start python3 "${lying[@]}" --multi-conn --size 16777216 \
    --map 65536:2 --no-status
busy ()
{
    nbdcopy --connections=4 --requests=16 --request-size=65536 "$uri" null:
}
with_vdisk "$origin" -- busy
used=$(sed -n 's/^read \([0-9]*\) .*/\1/p' log | sort -u | wc -l)
[ "$used" -eq 4 ] || die "$used connections used, not four"
checked "four connections at a time"
origin_stop
origin_start python3 "${lying[@]}" --multi-conn --size 1048576
idle ()
{
    nbdcopy --synchronous --request-size=65536 "$uri" null:
    nbdcopy --synchronous --request-size=65536 "$uri" null:
}
with_vdisk "$origin" -- idle
used=$(sed -n 's/^read \([0-9]*\) .*/\1/p' log | sort -u | wc -l)
[ "$used" -eq 1 ] || die "$used connections used, not one"
checked "one connection if one is enough"
origin_stop

# A server that takes many connections but lets in two: with those.
head -c 1M /dev/urandom > random.raw
origin_start qemu-nbd -r -t -e 2 -f raw -k SOCKET random.raw
same_bytes ()
{
    nbdcopy "$uri" copy.raw
    cmp random.raw copy.raw
}
with_vdisk "$origin" -- same_bytes
checked "two connections"
origin_stop

# --- Requests ------------------------------------------------------------

# Aligned to the minimum, no longer than the maximum, whatever is asked.
origin_start python3 "${lying[@]}" --block 4096:69632 --no-status
reads ()
{
    local byte

    byte=$(python3 -c 'print((5000 // 512 + 5000) % 251)')
    probe "1:$byte" read 5000 1
    for range in '0 1048576' '1 1048575' '4095 2' '4096 4096' '4097 70000' \
                 '131072 65537' '1000000 48576' '1048575 1'; do
        # shellcheck disable=SC2086
        python3 "$e2e/nbd_source_connections.py" $range
        checked "read $range"
    done
}
with_vdisk "$origin" format=raw -- reads
[ "$(count refused)" -eq 0 ] || die "requests the server does not take"
[ "$(awk '/^read/ && $4 > 69632' log)" = "" ] || die "too long a request"
checked "requests are as the server takes them"
origin_stop

# No request is longer than 32 MiB if nothing is said, and none shorter
# than it has to be.
origin_start python3 "${lying[@]}" --size $((70 << 20)) --map 1048576:2 \
    --no-status
large () { probe "$((64 << 20)):0" read $((1 << 20)) $((64 << 20)); }
with_vdisk "$origin" -- large
[ "$(awk '/^read/ && $4 > 33554432' log)" = "" ] || die "$(cat log)"
[ "$(count read)" -le 3 ] || die "$(cat log)"
checked "few requests, none over 32 MiB"
origin_stop

# The disk ends within a block: that piece can be had if the server gives
# it, and all else in any case.
origin_start python3 "${lying[@]}" --block 4096:65536 --size 10000 --no-status
tail_refused ()
{
    probe '1:174' read 8191 1
    probe 'error EIO' read 8192 1
    probe 'error EIO' read 9999 1
    probe 'error EIO' read 0 10000
    probe '1:174' read 8191 1
    grep -q 'reading 1808 bytes at offset 8192: .*Invalid argument' \
        "$server_log"
}
with_vdisk "$origin" -- tail_refused
origin_stop
head -c 10000 /dev/urandom > odd.raw
origin_start --filter=blocksize-policy file odd.raw blocksize-minimum=4096 \
    blocksize-preferred=4096 blocksize-error-policy=allow
tail_given ()
{
    nbdcopy "$uri" copy.raw
    cmp odd.raw copy.raw
    checked "the last piece of a block"
}
with_vdisk "$origin" -- tail_given
origin_stop

# Block sizes that make no sense: libnbd overlooks them, and the server
# refuses what it is asked.
for sizes in 3000:65536 131072:1048576 4096:512 4096:70000; do
    origin_start python3 "${lying[@]}" --size 1050001 --block $sizes
    fails_with "socket=$origin_socket: .*(block size|Invalid argument)" \
        "$VDISK" map "$origin"
    origin_stop
done

# --- Caching -------------------------------------------------------------

# A client's request to read ahead is passed on.
origin_start --filter=log memory 1M logfile="$tmp/origin.log"
cached ()
{
    probe ok cache 4096 8192
    probe ok cache 0 1048576
}
with_vdisk "$origin" host-holes=off -- cached
grep -q 'Cache.* offset=0x1000 count=0x2000' origin.log ||
    die "$(cat origin.log)"
checked "caching"
origin_stop

# --- The background ------------------------------------------------------

# nbdkit opens its image before it forks and leaves the terminal.
origin_start file random.raw
run_nbdkit -U "$tmp/background" -P "$tmp/background.pid" "$PLUGIN" "$origin"
uri="nbd+unix:///?socket=$tmp/background"
same_bytes
checked "in the background"
origin_stop
origin_restart file random.raw
same_bytes
checked "connected again from the background"
pid=$(cat background.pid)
kill "$pid"
wait_until has_ended "$pid"

# Another process waits for the command, and has the connections too.
# shellcheck disable=SC2016
run_nbdkit -U - "$PLUGIN" "$origin" \
    --run 'nbdcopy "$uri" copy2.raw && nbdcopy "$uri" copy3.raw'
cmp random.raw copy2.raw
cmp random.raw copy3.raw
checked "with --run"
origin_stop

# --- TLS -----------------------------------------------------------------

echo "alice:$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')" > keys.psk
if nbdkit --dump-config | grep -q '^tls=yes'; then
    origin_start --tls=require --tls-psk="$tmp/keys.psk" file random.raw
    origin="nbds+unix://alice@/?socket=$origin_socket"
    origin="$origin&tls-psk-file=$tmp/keys.psk"
    with_vdisk "$origin" -- same_bytes
    checked "TLS with a pre-shared key"
    origin_stop
    origin_restart --tls=require --tls-psk="$tmp/keys.psk" file random.raw
    fails_with "nbd\+unix:///\?socket=" \
        "$VDISK" map "nbd+unix:///?socket=$origin_socket"
    origin_stop
else
    echo "note: nbdkit has no TLS here"
fi

# --- TCP -----------------------------------------------------------------

python3 "$e2e/lib/on_port.py" port nbdkit -f file random.raw &
server_pids+=($!)
wait_until test -e port
port=$(cat port)
over_tcp ()
{
    same_bytes
    ss -Hnto state established "( dport = :$port )" > sockets
    [ "$(grep -c 'timer:(keepalive' sockets)" -ge 4 ] || die "$(cat sockets)"
}
with_vdisk "nbd://127.0.0.1:$port" -- over_tcp
checked "TCP looks after the connections"
