#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk map --output=nbdinfo is what 'nbdinfo --map --json' prints of the
# same image served, byte for byte; the other dialects of NBD's flags agree.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

same_map ()
{
    nbdinfo --map --json "$uri" > theirs
    "$VDISK" map --output=nbdinfo "$@" > ours
    cmp theirs ours || die "$*"
    python3 "$e2e/lib/map_dialects.py" "$@"
    checked "$* ($(wc -l < ours) lines)"
}

qemu-img create -q -f raw base.raw 20M
qemu-io -f raw -c 'write -P 1 1M 3M' -c 'write -P 2 9M 4k' base.raw \
    > /dev/null
qemu-img convert -c -f raw -O qcow2 base.raw packed.qcow2
qemu-img create -q -f qcow2 -b packed.qcow2 -F qcow2 over.qcow2 30M
qemu-io -c 'write -P 3 2M 64k' -c 'write -z -u 3M 64k' \
    -c 'write -z 3500k 300k' -c 'write -P 4 25M 1M' over.qcow2 > /dev/null
qemu-img create -q -f qcow2 -o extended_l2=on sub.qcow2 8M
qemu-io -c 'write -P 5 2M 2k' -c 'write -z 2052k 2k' sub.qcow2 > /dev/null
qemu-img create -q -f qcow2 -o preallocation=metadata meta.qcow2 8M
qemu-img create -q -f qed disk.qed 8M
qemu-io -f qed -c 'write -P 6 1M 1000' disk.qed > /dev/null
qemu-img create -q -f vpc -o force_size=on disk.vhd 12M
qemu-io -f vpc -c 'write -P 6 1M 1000' disk.vhd > /dev/null
head -c 10000 /dev/urandom > odd.raw
truncate -s 30001 odd.raw
# More than one request's worth of holes.
qemu-img create -q -f qcow2 large.qcow2 20G
qemu-io -c 'write -P 7 11G 64k' large.qcow2 > /dev/null
qemu-img create -q -f qcow2 nothing.qcow2 0

for image in packed.qcow2 over.qcow2 sub.qcow2 meta.qcow2 disk.qed \
             disk.vhd large.qcow2; do
    with_vdisk $image -- same_map $image
done
with_vdisk odd.raw format=raw -- same_map odd.raw --format=raw
with_vdisk meta.qcow2 host-holes=off -- same_map meta.qcow2 --host-holes=off

python3 "$e2e/lib/vhd_samples.py" sectors sectors.vhd
with_vdisk sectors.vhd -- same_map sectors.vhd

[ "$("$VDISK" map --output=imageio over.qcow2 | head -c 61)" = \
  '[{"start": 0, "length": 1048576, "zero": true, "hole": true},' ]
[ "$("$VDISK" map --output=nbd-extents over.qcow2 | head -c 66)" = \
  '[{"length": 1048576, "flags": 3}, {"length": 2097152, "flags": 0},' ]
for dialect in nbdinfo imageio nbd-extents qemu; do
    "$VDISK" map --output=$dialect nothing.qcow2 |
        python3 -m json.tool > /dev/null
done
