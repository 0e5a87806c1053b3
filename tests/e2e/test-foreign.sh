#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Files that other programs make and that are not read: what they are is
# said, and what to do, in the words of the program that is asked.

. "$(dirname "$0")/functions.sh"
VDISK=${VDISK:-$top/tools/vdisk}

# foreign FILE REGEX: the tool and the plugin say so.
foreign ()
{
    fails_with "^vdisk: $1: this $2" "$VDISK" info "$1"
    refused "/$1: this $2" "$1"
}

qemu-img create -q -f qcow2 disk.qcow2 1M
qemu-img create -q -f vpc disk.vhd 1M
for format in vhdx vmdk vdi; do
    qemu-img create -q -f $format disk.$format 1M
    foreign disk.$format "is a ${format^^} image, and not read \(convert"
done
qemu-img create -q -f vmdk -o subformat=monolithicFlat flat.vmdk 1M
foreign flat.vmdk 'is the descriptor of a VMDK image'
qemu-img create -q -f qcow disk.qcow 1M
fails_with 'disk.qcow: header: version 1.*this is a QCOW image' \
    "$VDISK" info disk.qcow

gzip -k disk.qcow2
foreign disk.qcow2.gz 'is compressed with gzip.*--filter=gzip'
if xz --version > /dev/null 2>&1; then
    xz -k disk.qcow2
    foreign disk.qcow2.xz 'is compressed with xz.*--filter=xz'
fi
python3 -c 'import bz2; open("disk.bz2", "wb").write(bz2.compress(b"disk"))'
foreign disk.bz2 'is compressed with bzip2'
python3 -m zipfile -c disk.zip disk.qcow2
foreign disk.zip 'is a zip archive'
tar cf disk.tar disk.qcow2
foreign disk.tar 'is a tar archive'
touch machine.ovf
tar cf disk.ova machine.ovf disk.qcow2
foreign disk.ova 'is an OVA'
touch ova.xml
"$VDISK" export -O xva --ova-xml=ova.xml disk.qcow2 disk.xva
foreign disk.xva 'is an XVA.*vm-import'

# Raw disks can be opened as such, and how is said as one has to write it.
truncate -s 1M mbr.img
python3 -c '
import struct, sys
sys.stdout.buffer.write(bytes(446) + struct.pack("<B3xB3xII", 0x80, 0x83,
                        63, 1985) + bytes(48) + b"\x55\xaa")' |
    dd of=mbr.img conv=notrunc status=none
fails_with '^vdisk: mbr.img: this looks like a raw disk with an MBR.*: --format=raw' \
    "$VDISK" info mbr.img
refused 'mbr.img: this looks like a raw disk with an MBR.*: format=raw' mbr.img
"$VDISK" info --format=raw mbr.img > /dev/null
truncate -s 1M disk.iso
printf '\001CD001' | dd of=disk.iso bs=1 seek=32768 conv=notrunc status=none
fails_with 'disk.iso: this looks like an ISO 9660 .*: --format=raw' \
    "$VDISK" info disk.iso
# A backing file's format is not that of the option.
qemu-img create -q -f qcow2 -b mbr.img -F raw over.qcow2
python3 "$e2e/lib/qcow2_edit.py" over.qcow2 forget-backing-format
fails_with 'over.qcow2: .*records it.*mbr.img: this looks like.*has to be said' \
    "$VDISK" map over.qcow2

# A format that was said wrongly, here or in an image.
fails_with 'disk.vhd: header: magic .*this is a VHD image' \
    "$VDISK" info --format=qcow2 disk.vhd
fails_with 'disk.qcow2: footer: .*this is a QCOW2 image' \
    "$VDISK" info --format=vhd disk.qcow2
fails_with 'disk.vhdx: header: magic .*this is a VHDX image' \
    "$VDISK" info --format=qed disk.vhdx
qemu-img create -q -f qcow2 -u -b disk.vhd -F qcow2 wrong.qcow2 1M
fails_with 'disk.vhd: header: magic .*this is a VHD image' \
    "$VDISK" map wrong.qcow2
