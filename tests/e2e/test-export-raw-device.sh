#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export onto a block device full of something else.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"
requires test "$(id -u)" -eq 0
requires losetup --version

truncate -s 1M probe.img
probe=$(losetup --find --show "$tmp/probe.img" 2> /dev/null) ||
    skip "no loop devices here"
losetup --detach "$probe"

device=
detach ()
{
    [ -z "$device" ] || losetup --detach "$device"
    device=
}
on_exit detach

yes junk | head -c 16777216 > junk.img || true

# device_of BYTES: $device, full of junk.
device_of ()
{
    head -c "$1" junk.img > device.img
    device=$(losetup --find --show "$tmp/device.img")
}

qemu-img create -q -f qcow2 disk.qcow2 8M
qemu-io -f qcow2 -c 'write -q -P 1 100k 300k' -c 'write -q -P 0 2M 200k' \
    -c 'write -q -z 3M 64k' -c 'write -q -P 2 7M 1M' disk.qcow2
qemu-img convert -f qcow2 -O raw disk.qcow2 expected.raw

# same BYTES FILE: the device begins with this, and has junk then.
same ()
{
    cmp -n "$1" "$2" "$device" || die "the device has other bytes"
    tail -c +"$(($1 + 1))" "$device" > rest
    cmp -n "$(stat -c %s rest)" -i "$1:0" junk.img rest ||
        die "what is behind the disk has changed"
    checked "on a device: $2"
}

for size in 8388608 12582912; do
    for options in '' --detect-zeroes --threads=1; do
        device_of "$size"
        # shellcheck disable=SC2086
        "$VDISK" export $options disk.qcow2 "$device"
        same 8388608 expected.raw
        detach
    done
done

# It is too small: nothing is written.
device_of 4194304
error '4194304' disk.qcow2 "$device"
cmp -n 4194304 junk.img "$device" ||
    die "a device that is too small was written"
checked "a device that is too small is left alone"
[ -b "$device" ] || die "the device is gone"
detach

# Not raw: from the start of the device.
device_of 16777216
"$VDISK" export -O qcow2 disk.qcow2 "$device"
qemu-img check -q -f qcow2 "$device"
assert_same_content qcow2 disk.qcow2 qcow2 "$device"
"$VDISK" export -O qcow2 -c disk.qcow2 "$device"
assert_same_content qcow2 disk.qcow2 qcow2 "$device"
"$VDISK" export -O vhd disk.qcow2 "$device"
python3 "$e2e/lib/vhd_reader.py" raw "$device" from-vhd.raw
cmp expected.raw from-vhd.raw
checked "a VHD on a device"
"$VDISK" export -O xva disk.qcow2 "$device"
tar tf "$device" > members
grep -qx 'Ref:0/00000007.xxhash' members || die "no XVA: $(cat members)"
detach
