#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Raw disks, only when asked for: holes of the file are holes of the disk.

. "$(dirname "$0")/functions.sh"

random_images --count 60 --format raw --size 4k-24M
random_images --count 4 --format raw --size 1G-900G --commands 10-40

# Sizes that are no multiple of a sector, or of anything.
for size in 1 511 512 513 4095 4097 1000001; do
    head -c $size /dev/urandom > odd.raw
    verify --format raw --size $size odd.raw
    truncate -s $((size + 70000)) odd.raw
    verify --format raw --size $((size + 70000)) odd.raw
done
: > none.raw
vdisk_size 0 none.raw format=raw

# It is never guessed, and format=raw reads anything as it is.
truncate -s 1M plain.raw
refused 'plain\.raw: .*format' plain.raw
qemu-img create -q -f qcow2 disk.qcow2 1G
same () { assert_same_content raw disk.qcow2 raw "$uri"; }
with_vdisk disk.qcow2 format=raw -- same

# A block device has its own size, and no holes.
qemu-img create -q -f qcow2 loop.qcow2 5M
qemu-io -c 'write -P 3 1M 1M' loop.qcow2 > /dev/null
truncate -s 10M loop.qcow2
if loop=$(losetup -f --show loop.qcow2 2>/dev/null); then
    on_exit losetup -d "$loop"
    on_device ()
    {
        assert_same_content raw loop.qcow2 raw "$uri"
        assert_map "$uri" '0 10485760 0'
    }
    with_vdisk "$loop" format=raw -- on_device
    qcow2_on_device ()
    {
        assert_same_content qcow2 loop.qcow2 raw "$uri"
        assert_map "$uri" '0 1048576 3' '1048576 1048576 0' \
            '2097152 3145728 3'
    }
    with_vdisk "$loop" -- qcow2_on_device
else
    echo "note: no loop devices here"
fi
