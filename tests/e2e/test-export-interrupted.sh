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
    python3 "$e2e/interrupt.py" "$signal" "$file" "$VDISK" export "$@" \
        2> said || status=$?
    told "SIG$signal, $*" "$how_far"
    [ ! -e out ] || die "half a file is left"
}

for output in "${outputs[@]}"; do
    interrupted INT out -O "$output" "$uri" out
    interrupted TERM - -O "$output" "$uri" -
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
        python3 "$e2e/interrupt.py" --after=0.2 $signal \
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
python3 "$e2e/interrupt.py" --after=0.2 INT \
    "$VDISK" export disk.qcow2 blocked 2> said || status=$?
if [ $status -ne 1 ] && [ $status -ne 130 ]; then
    die "status $status where nobody reads a FIFO: $(cat said)"
fi
checked "interrupted where nobody reads a FIFO"
