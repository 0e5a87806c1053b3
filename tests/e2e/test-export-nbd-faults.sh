#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export into an NBD server that lets in fewer clients than it could,
# says nothing, ends, or wants a key.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

requires_library nbd

head -c 8M /dev/urandom > disk.raw
truncate -s 24M disk.raw
truncate -s 24M target.raw

# into WHAT ARG...: an export into the server at $origin, over what was there.
into ()
{
    local what=$1

    shift
    # So that there is something to write, and something to zero.
    head -c 24M /dev/zero | tr '\0' y > target.raw
    origin_start "$@"
    timeout 25 "$VDISK" export --format=raw disk.raw "$origin" ||
        die "$what: status $?"
    cmp disk.raw target.raw
    checked "$what"
    origin_stop
}

lying=(python3 "$e2e/lib/nbd_server.py" SOCKET --writable target.raw --multi-conn)

# --- Connections ---------------------------------------------------------

for clients in 1 2 3; do
    into "$clients clients at a time" \
        qemu-nbd -t -e $clients -f raw -x '' -k SOCKET target.raw
done
for lie in silent turned-away; do
    for honest in 1 2; do
        into "$lie after $honest" "${lying[@]}" --lie $lie --honest $honest
    done
done
into "one connection" python3 "$e2e/lib/nbd_server.py" SOCKET \
    --writable target.raw

# The disk ends within one of the server's blocks.
head -c 10000 disk.raw > odd.raw
head -c 10000 /dev/zero | tr '\0' y > odd-target.raw
origin_start --filter=blocksize-policy file odd-target.raw \
    blocksize-minimum=4096 blocksize-preferred=4096 \
    blocksize-error-policy=allow
"$VDISK" export --format=raw odd.raw "$origin"
cmp odd.raw odd-target.raw
checked "the last piece of a block"
origin_stop

echo "alice:$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')" > keys.psk
if nbdkit --dump-config | grep -q '^tls=yes'; then
    origin_start --tls=require --tls-psk="$tmp/keys.psk" file target.raw
    "$VDISK" export --format=raw disk.raw "nbds+unix://alice@/?socket=$origin_socket&tls-psk-file=$tmp/keys.psk"
    cmp disk.raw target.raw
    checked "TLS with a pre-shared key"
    origin_stop
fi

# --- A server that goes --------------------------------------------------

# What it had may be lost: another one at its place gets nothing.
gone ()
{
    local regex=$1 end=$2 pid

    : > log
    origin_start --filter=log --filter=delay memory 24M delay-write=300ms \
        logfile=log
    timeout 25 "$VDISK" export --format=raw disk.raw "$origin" 2> said &
    pid=$!
    wait_until grep -q ' Write ' log
    "$end"
    origin_restart memory 24M
    status=0
    wait "$pid" || status=$?
    told "a server that has gone, $end" "$regex, $how_far"
    nbdcopy "$origin" back.raw
    cmp -n 25165824 back.raw /dev/zero
    checked "the next one gets nothing"
    origin_stop
    rm log
}
gone 'writing: .*(not connected|disconnected|hung up|reset)|hung up' \
    origin_kill
gone 'writing: .*shutdown' origin_end

# --- A server that says nothing ------------------------------------------

# It is left at once, with the whole message.
for word in write zero flush; do
    head -c 24M /dev/zero | tr '\0' y > target.raw
    for signal in INT TERM; do
        origin_start "${lying[@]}" --log log --lies 100 --lie silent-$word
        status=0
        python3 "$e2e/lib/interrupt.py" --when=$word $signal log \
            "$VDISK" export --format=raw disk.raw "$origin" 2> said || status=$?
        told "SIG$signal, silent-$word" "vdisk: interrupted, $how_far"
        origin_stop
        rm log
    done
done
for signal in INT TERM; do
    origin_start "${lying[@]}" --log log --lie silent
    status=0
    python3 "$e2e/lib/interrupt.py" --when=connect $signal log \
        "$VDISK" export --format=raw disk.raw "$origin" 2> said || status=$?
    told "SIG$signal, silent from the start" '^vdisk: interrupted$'
    origin_stop
    rm log
done
