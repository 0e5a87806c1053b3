#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk map --output=qemu: what each situation looks like, in the document
# of QEMU 10.0 and in that of 7.2.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

# expect_map WHAT FORMAT IMAGE LINE...: "start length depth flags [offset]"
# for each object, where flags are present, zero, data, compressed; and the
# document without "compressed" is what QEMU 7.2 prints.
expect_map ()
{
    local what=$1 format=$2 image=$3

    shift 3
    python3 "$e2e/map_qemu_cases.py" "$@" > wanted
    "$VDISK" map --output=qemu --format="$format" "$image" > got
    diff -u wanted got || die "$what"
    "$VDISK" map --output=qemu --qemu-version=10.0 --format="$format" \
        "$image" | cmp - wanted
    python3 "$e2e/map_qemu.py" same -f "$format" "$image"
    checked "$what"
}

M=1048576
qemu-img create -q -f qcow2 kinds.qcow2 4M
qemu-io -c 'write -P 1 0 1M' -c 'write -z 256k 128k' \
    -c 'write -z -u 512k 128k' kinds.qcow2 > /dev/null
expect_map 'data, zeros with space and without, nothing' qcow2 kinds.qcow2 \
    "0 262144 0 pd 327680" "262144 131072 0 pz 589824" \
    "393216 131072 0 pd 720896" "524288 131072 0 pz" \
    "655360 393216 0 pd 983040" "$M $((3 * M)) 0 z"

qemu-img create -q -f raw c.raw 1M
qemu-io -f raw -c 'write -P 5 0 512k' c.raw > /dev/null
qemu-img convert -c -f raw -O qcow2 c.raw packed.qcow2
expect_map 'compressed clusters are one object' qcow2 packed.qcow2 \
    "0 524288 0 pdc" "524288 524288 0 z"

qemu-img create -q -f qcow2 -o extended_l2=on sub.qcow2 128k
qemu-io -c 'write -P 1 0 2k' -c 'write -z -u 4k 2k' sub.qcow2 > /dev/null
host=$("$VDISK" map sub.qcow2 | awk '$5 == "data" { print $7; exit }')
expect_map 'subclusters have offsets, whatever they hold' qcow2 sub.qcow2 \
    "0 2048 0 pd $host" "2048 2048 0 z $((host + 2048))" \
    "4096 2048 0 pz $((host + 4096))" \
    "6144 59392 0 z $((host + 6144))" "65536 65536 0 z"

qemu-img create -q -f qcow2 -o preallocation=metadata meta.qcow2 4M
host=$("$VDISK" map meta.qcow2 | awk 'NR == 2 { print $7 }')
expect_map 'preallocated metadata' qcow2 meta.qcow2 \
    "0 $((4 * M)) 0 pzd $host"

truncate -s 1M hole.raw
qemu-io -f raw -c 'write -P 4 512k 8k' hole.raw > /dev/null
expect_map 'a hole of a raw file' raw hole.raw \
    "0 524288 0 pz 0" "524288 8192 0 pd 524288" "532480 516096 0 pz 532480"
qemu-img create -q -f qcow2 -b hole.raw -F raw over.qcow2 2M
expect_map 'a hole of a raw backing file, and past its end' qcow2 over.qcow2 \
    "0 524288 1 pz 0" "524288 8192 1 pd 524288" \
    "532480 516096 1 pz 532480" "$M $M 0 z"
head -c 1000 /dev/urandom > odd.raw
expect_map 'a raw file ends with its sector' raw odd.raw \
    "0 1000 0 pd 0" "1000 24 0 pz 1000"
qemu-img create -q -f qcow2 -b odd.raw -F raw odd.qcow2 64k
expect_map 'below others, too' qcow2 odd.qcow2 \
    "0 1000 1 pd 0" "1000 24 1 pz 1000" "1024 64512 0 z"

qemu-img create -q -f qcow2 base.qcow2 3M
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 middle.qcow2 2M
qemu-img create -q -f qcow2 -b middle.qcow2 -F qcow2 top.qcow2 3M
expect_map 'nothing anywhere: the depth of who ends there' qcow2 top.qcow2 \
    "0 $((2 * M)) 2 z" "$((2 * M)) $M 0 z"

qemu-img create -q -f vpc -o force_size=on disk.vhd 8M
qemu-io -f vpc -c 'write -P 1 2M 1M' disk.vhd > /dev/null
host=$("$VDISK" map disk.vhd | awk '$5 == "data" { print $7; exit }')
expect_map 'a VHD has no block, or a block' vpc disk.vhd \
    "0 $((2 * M)) 0 pz" "$((2 * M)) $((2 * M)) 0 pd $host" \
    "$((4 * M)) $((4 * M)) 0 pz"

qemu-img create -q -f qed disk.qed 2M
qemu-io -f qed -c 'write -P 1 1M 64k' disk.qed > /dev/null
host=$("$VDISK" map disk.qed | awk '$5 == "data" { print $7; exit }')
expect_map 'QED' qed disk.qed \
    "0 $M 0 z" "$M 65536 0 pd $host" "1114112 983040 0 z"

: > empty.raw
expect_map 'no disk at all' raw empty.raw "0 0 0 -"
