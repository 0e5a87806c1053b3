#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Odd names of backing files are read as QEMU reads them: one of no bytes is
# none, and one ends at a NUL byte.

. "$(dirname "$0")/functions.sh"

export VDISK=${VDISK:-$top/tools/vdisk}
qemu-img create -q -f raw base.raw 1M
qemu-io -f raw -c 'write -q -P 7 0 1M' base.raw

for size in 0 8 9 20 1023; do
    qemu-img create -q -f qcow2 -b base.raw -F raw disk.qcow2 1M
    python3 "$e2e/lib/qcow2_edit.py" disk.qcow2 backing-size $size
    qemu-img convert -f qcow2 -O raw disk.qcow2 expected.raw
    "$VDISK" export disk.qcow2 got.raw
    cmp expected.raw got.raw
    for program in "qemu-img info --output=json" \
                   "$VDISK info --output=json"; do
        $program disk.qcow2 | grep '"backing-filename"' || echo none
    done > names
    [ "$(tr -d ' ,' < names | uniq | wc -l)" -eq 1 ] ||
        die "QEMU and vdisk name: $(cat names)"
    checked "a name of $size bytes: $(tail -n 1 names)"
done
qemu-img create -q -f qcow2 -b base.raw -F raw disk.qcow2 1M
python3 "$e2e/lib/qcow2_edit.py" disk.qcow2 backing-size 1024
! qemu-img convert -f qcow2 -O raw disk.qcow2 expected.raw 2> /dev/null ||
    die "QEMU reads it"
refused 'backing_file_size 1024, must be at most 1023' disk.qcow2
