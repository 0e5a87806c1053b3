#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export --apply to a block device: it keeps its size, what it had beyond
# the disk as it was is written, and what is beyond the disk stays.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"
requires test "$(id -u)" -eq 0
requires losetup --version

qemu-img create -q -f qcow2 disk.qcow2 8M
qemu-io -f qcow2 -c 'write -q -P 1 0 8M' disk.qcow2
qemu-img convert -f qcow2 -O raw disk.qcow2 device.img
qemu-img snapshot -c monday disk.qcow2
qemu-img resize -q disk.qcow2 12M
qemu-io -f qcow2 -c 'write -q -P 2 100k 300k' -c 'write -q -z 3M 1M' \
    -c 'write -q -P 3 10M 64k' disk.qcow2
qemu-img convert -f qcow2 -O raw disk.qcow2 today.raw
yes junk | head -c $((8 << 20)) >> device.img || true
tail -c $((4 << 20)) device.img > rest.img

device=$(losetup --find --show "$tmp/device.img" 2> /dev/null) ||
    skip "no loop devices here"
on_exit losetup --detach "$device"

"$VDISK" export --since=snapshot/monday --apply disk.qcow2 "$device"
cmp -n $((12 << 20)) "$device" today.raw
tail -c $((4 << 20)) "$device" | cmp - rest.img
checked "a device has what the disk has, and the rest stays"

qemu-img resize -q disk.qcow2 17M
error 'has 16777216 bytes, and cannot grow to the 17825792 that are needed' \
    --since=snapshot/monday --apply disk.qcow2 "$device"
