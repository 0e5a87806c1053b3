#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export -O qcow2: layout and content, the same bytes to a file and to
# a pipe and with any number of threads; disks of all sizes.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

python3 "$e2e/export_qcow2.py"

# --- The same bytes in any way

"$VDISK" export -O qcow2 disk.qcow2 file.qcow2
"$VDISK" export -O qcow2 disk.qcow2 - | cat > pipe.qcow2
cmp file.qcow2 pipe.qcow2
checked "a pipe gets the same bytes"
mkfifo fifo
cat fifo > fifo.qcow2 &
"$VDISK" export -O qcow2 disk.qcow2 fifo
wait $!
cmp file.qcow2 fifo.qcow2
checked "so does a FIFO"
for threads in 1 2 3 8 64; do
    "$VDISK" export -O qcow2 --threads=$threads wide.qcow2 - |
        cat > $threads.qcow2
    "$VDISK" export -O qcow2 --threads=$threads wide.qcow2 again.qcow2
    cmp 1.qcow2 $threads.qcow2
    cmp 1.qcow2 again.qcow2
    checked "the same with $threads threads"
done

# --- As the manual's examples have it

qemu-img create -q -f vpc -o force_size=on disk.vhd 20M
qemu-io -f vpc -c 'write -q -P 1 5M 3M' disk.vhd
"$VDISK" export -O qcow2 disk.vhd - | cat > d.qcow2
qemu-img check -q d.qcow2
assert_same_content vpc disk.vhd qcow2 d.qcow2
# Of what was made an export makes itself.
"$VDISK" export -O qcow2 file.qcow2 again.qcow2
cmp file.qcow2 again.qcow2
checked "an export of an export"
"$VDISK" check file.qcow2 > /dev/null
checked "vdisk check"
