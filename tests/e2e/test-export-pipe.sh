#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export to readers that are slow, or go away, or are a terminal.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

qemu-img create -q -f qcow2 disk.qcow2 64M
qemu-io -f qcow2 -c 'write -q -P 1 1M 10M' -c 'write -q -P 2 40M 10M' \
    disk.qcow2

# Nobody reads on.
for output in "${outputs[@]}"; do
    for bytes in 0 1 100000; do
        status=0
        "$VDISK" export -O "$output" disk.qcow2 - 2> said |
            head -c $bytes > /dev/null || status=${PIPESTATUS[0]}
        told "a closed pipe, -O $output" "Broken pipe.*$how_far"
    done
    mkfifo fifo
    head -c 1 fifo > /dev/null &
    error "fifo: .*Broken pipe.*$how_far" -O "$output" disk.qcow2 fifo
    wait $!
    [ -p fifo ] || die "the FIFO is gone"
    rm fifo
done
# Nobody has it open at all.
status=0
"$VDISK" export disk.qcow2 - >&- 2> said || status=$?
told "no standard output" 'Bad file descriptor'

# A reader that is slow at first, and reads odd numbers of bytes.
export SOURCE_DATE_EPOCH=1700000000
for output in "${outputs[@]}"; do
    options=()
    [ "$output" != vhd ] ||
        options=(--uuid=01234567-89ab-cdef-0123-456789abcdef)
    "$VDISK" export -O "$output" "${options[@]}" disk.qcow2 fast
    "$VDISK" export -O "$output" "${options[@]}" disk.qcow2 - |
        python3 "$e2e/export_pipe.py" > slow
    cmp fast slow
    checked "a slow reader, -O $output"
done

# A terminal.
for output in "${outputs[@]}"; do
    status=0
    script -qec "'$VDISK' export -O $output disk.qcow2 - 2> said" \
        typescript > /dev/null || status=$?
    if [ $status -ne 1 ] && [ $status -ne 2 ]; then
        die "a terminal: status $status"
    fi
    grep -q 'terminal' said || die "a terminal: $(cat said)"
    [ "$(wc -c < typescript)" -lt 1000 ] || die "it wrote to the terminal"
    checked "a terminal: $(head -n 1 said)"
done
