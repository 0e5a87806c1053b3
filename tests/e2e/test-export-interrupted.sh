#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export that is interrupted: exit status 1, one message that says how
# far it got, and nothing left behind.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

# 50 MB a second.
start_server slow --filter=rate pattern 1G rate=400M

# interrupted SIGNAL FILE ARG...: see interrupt.py.
interrupted ()
{
    local signal=$1 file=$2

    shift 2
    status=0
    python3 "$e2e/lib/interrupt.py" "$signal" "$file" "$VDISK" export "$@" \
        2> said || status=$?
    told "SIG$signal, $*" "$how_far"
    [ ! -e out ] || die "half a file is left"
    restart_server
}

for output in "${outputs[@]}"; do
    interrupted INT out -O "$output" "$uri" out
    interrupted TERM - -O "$output" "$uri" -
done
# Where a second signal follows there may be no time to say how far it got.
for output in "${outputs[@]}"; do
    status=0
    python3 "$e2e/lib/interrupt.py" --twice TERM out \
        "$VDISK" export -O "$output" "$uri" out 2> said || status=$?
    told "SIGTERM twice, -O $output" interrupted
    [ ! -e out ] || die "half a file is left"
done
for options in '-O qcow2 -c' '-O qcow2 --detect-zeroes' '-O vhd --fixed' \
               --prealloc --threads=1; do
    # shellcheck disable=SC2086
    interrupted TERM out $options "$uri" out
done
stop_server

# Nobody reads the pipe when the signal comes.
qemu-img create -q -f qcow2 disk.qcow2 64M
qemu-io -f qcow2 -c 'write -q -P 1 1M 10M' disk.qcow2
for output in "${outputs[@]}"; do
    for signal in INT TERM; do
        mkfifo blocked
        exec 7<> blocked
        status=0
        python3 "$e2e/lib/interrupt.py" $signal blocked \
            "$VDISK" export -O "$output" disk.qcow2 blocked 2> said ||
            status=$?
        exec 7>&-
        told "SIG$signal while a pipe is full, -O $output" "$how_far"
        [ -p blocked ] || die "the FIFO is gone"
        rm blocked
    done
done
# Nobody has opened the FIFO yet.
mkfifo blocked
status=0
python3 "$e2e/lib/interrupt.py" --after=0.2 INT \
    "$VDISK" export disk.qcow2 blocked 2> said || status=$?
if [ $status -ne 1 ] && [ $status -ne 130 ]; then
    die "status $status where nobody reads a FIFO: $(cat said)"
fi
checked "interrupted where nobody reads a FIFO"

# timeout(1) signals its child, and then its process group, so that the
# second signal follows at any time, in any place.
qemu-img create -q -f qcow2 large.qcow2 4G
qemu-io -f qcow2 -c 'write -q -P 1 1M 300M' -c 'write -q -P 2 2G 300M' \
    large.qcow2
for delay in 0.01 0.03 0.05 0.1 0.15 0.2; do
    for options in '-O raw' '-O qcow2' '-O qcow2 -c'; do
        status=0
        # shellcheck disable=SC2086
        timeout "$delay" "$VDISK" export $options large.qcow2 out \
            2> said || status=$?
        [ $status -eq 124 ] || [ $status -eq 0 ] ||
            die "timeout $delay, $options: status $status: $(cat said)"
        [ $status -eq 0 ] || [ ! -e out ] ||
            die "timeout $delay, $options: a file of $(stat -c %s out) bytes"
        checked "timeout $delay, $options: $(cat said)"
        rm -f out
    done
done

# --- Servers that say nothing --------------------------------------------

# A source: it cannot be left in the middle of a request, so the program ends
# after a second, with less of a message.
for word in read status; do
    origin_start python3 "$e2e/lib/nbd_server.py" SOCKET --size 8388608 \
        --multi-conn --log log --lies 100 --lie silent-$word
    status=0
    python3 "$e2e/lib/interrupt.py" --when=$word INT log \
        "$VDISK" export "$origin" out 2> said || status=$?
    told "a source is silent, $word" interrupted
    [ ! -e out ] || die "half a file is left"
    origin_stop
done
