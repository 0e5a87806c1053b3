#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export to raw on a file system whose files can share blocks: data
# that is stored as it is takes no space again.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}
requires test "$(id -u)" -eq 0
requires losetup --version
requires mkfs.xfs -V

truncate -s 512M fs.img
mkfs.xfs -q -m reflink=1 fs.img
mkdir fs
mount -o loop fs.img fs 2> /dev/null || skip "XFS cannot be mounted here"
unmount ()
{
    cd "$tmp"
    umount fs
}
on_exit unmount
cd fs

used () { df --output=used -B 1 . | tail -n 1; }

# shares MOST_KIB SOURCE FORMAT OPTION...: exporting it takes no more space
# than that, and is right.
shares ()
{
    local most=$1 source=$2 format=$3 before after

    shift 3
    sync -f .
    before=$(used)
    "$VDISK" export "$@" "$source" exported.raw
    sync -f .
    after=$(used)
    assert_same_content "$format" "$source" raw exported.raw
    [ $((after - before)) -le $((most << 10)) ] ||
        die "$source: $((after - before)) bytes more are used"
    checked "$source: $((after - before)) bytes more are used"
    rm exported.raw
}

qemu-img create -q -f qcow2 disk.qcow2 1G
qemu-io -f qcow2 -c 'write -q -P 1 1M 40M' -c 'write -q -P 2 900M 64k' \
    disk.qcow2
shares 1024 disk.qcow2 qcow2

qemu-img convert -O raw disk.qcow2 disk.raw
shares 1024 disk.raw raw --format=raw

# A chain: bytes of both files.
qemu-img create -q -f qcow2 -b disk.qcow2 -F qcow2 over.qcow2
qemu-io -f qcow2 -c 'write -q -P 3 30M 30M' over.qcow2
shares 1024 over.qcow2 qcow2

# What is compressed cannot be shared, what is beside it can; nor can data
# that is looked at for zeros.
qemu-img create -q -f qcow2 mixed.qcow2 1G
qemu-io -f qcow2 -c 'write -q -c -P 4 0 64k' -c 'write -q -P 5 1M 20M' \
    mixed.qcow2
shares 1024 mixed.qcow2 qcow2
qemu-io -f qcow2 -c 'write -q -P 0 100M 20M' mixed.qcow2
shares $((24 << 10)) mixed.qcow2 qcow2 --detect-zeroes

# A VHD's blocks lie at odd sectors here: they are copied.
qemu-img create -q -f vpc -o force_size=on disk.vhd 1G
qemu-io -f vpc -c 'write -q -P 6 1M 20M' disk.vhd
shares $((24 << 10)) disk.vhd vpc

# From another file system it is a copy.
cp --sparse=always disk.qcow2 ../elsewhere.qcow2
shares $((48 << 10)) ../elsewhere.qcow2 qcow2
