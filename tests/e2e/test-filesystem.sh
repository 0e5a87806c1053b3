#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A real file system, made from a folder, converted to each format, served
# and copied: it is clean, and every file in it is the same.

. "$(dirname "$0")/functions.sh"

requires mke2fs -V
requires nbdcopy --version

# Files: random, sparse, tiny, with long names, in many directories.
mkdir folder
python3 "$e2e/filesystem.py" folder
mke2fs -q -t ext4 -b 1024 -d folder -F disk.raw 96M

fs_survives ()
{
    rm -rf copy.raw out
    mkdir out
    nbdcopy "$uri" copy.raw
    e2fsck -fn copy.raw > e2fsck.log 2>&1 || die "$(cat e2fsck.log)"
    debugfs -R 'rdump / out' copy.raw > debugfs.log 2>&1
    rmdir out/lost+found
    diff -r --no-dereference folder out > diff.log ||
        die "files differ: $(head diff.log)"
    checked "$*: fsck and all files"
}

# through FORMAT NAME [QEMU-IMG OPTION...]
through ()
{
    local format=$1 name=$2

    shift 2
    qemu-img convert -f raw -O "$format" "$@" disk.raw "$name"
    with_vdisk "$name" -- fs_survives "$name"
    rm -f "$name"
}
through qcow2 plain.qcow2
through qcow2 v2.qcow2 -o compat=0.10,cluster_size=512
through qcow2 zlib.qcow2 -c
through qcow2 zstd.qcow2 -c -o compression_type=zstd,cluster_size=2M
through qcow2 extended.qcow2 -o extended_l2=on
through qcow2 external.qcow2 -o data_file=data.raw
through qed disk.qed
through vpc dynamic.vhd -o subformat=dynamic,force_size=on
through vpc fixed.vhd -o subformat=fixed,force_size=on
through vpc geometry.vhd -o subformat=dynamic
with_vdisk disk.raw format=raw -- fs_survives disk.raw

# As a chain: the file system in the base, changed in the overlay.
qemu-img convert -f raw -O qcow2 disk.raw base.qcow2
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 -o cluster_size=4k \
    over.qcow2
rm -rf folder/d0 folder/link
echo new > folder/new
mke2fs -q -t ext4 -b 1024 -d folder -F changed.raw 96M
qemu-img convert -n -f raw -O qcow2 changed.raw over.qcow2
with_vdisk over.qcow2 -- fs_survives over.qcow2
