#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk info --view tells the size of a view: those that the disk had at
# snapshots, and of layers.  Commands that are of no view say so.

. "$(dirname "$0")/functions.sh"
VDISK=${VDISK:-$top/tools/vdisk}

qemu-img create -q -f raw base.raw 1M
qemu-img create -q -f qcow2 -b base.raw -F raw disk.qcow2 2M
qemu-img snapshot -c small disk.qcow2
qemu-img resize -q disk.qcow2 3M
qemu-img snapshot -c middle disk.qcow2
qemu-img bitmap --add disk.qcow2 b
qemu-img resize -q disk.qcow2 4M

# key KEY ARG...: of the JSON that info prints.
key ()
{
    "$VDISK" info --output=json "${@:2}" disk.qcow2 |
        python3 -c 'import json, sys
document = json.load(sys.stdin)
if isinstance(document, list):
    document = document[0]
print(document.get(sys.argv[1]))' "$1"
}

# sized VIEW SIZE: that is the size, and nothing else differs.
sized ()
{
    "$VDISK" info --output=json disk.qcow2 |
        sed "s/\"virtual-size\": 4194304/\"virtual-size\": $2/" > expected
    "$VDISK" info --output=json --view="$1" disk.qcow2 > got
    [ "$(key view --view="$1")" = "$1" ] || die "view of $1"
    [ "$(key virtual-size --view="$1")" = "$2" ] || die "size of $1"
    diff expected got > differences || true
    [ "$(grep -c '^[<>]' differences)" -le 3 ] ||
        die "$1: $(cat differences)"
    "$VDISK" info --view="$1" disk.qcow2 |
        grep "^virtual size: $2 " > /dev/null || die "text of $1"
    checked "$1: $2"
}

[ "$(key view)" = None ]
sized active $((4 << 20))
sized snapshot/small $((2 << 20))
sized snapshot/middle $((3 << 20))
sized bitmap/b $((4 << 20))
sized layer/1 $((1 << 20))
sized diff/snapshot/small..snapshot/middle $((3 << 20))
[ "$(key virtual-size --chain --view=snapshot/small)" = $((2 << 20)) ]

fails_with "view 'snapshot/none': there is no such snapshot" \
    "$VDISK" info --view=snapshot/none disk.qcow2
for command in check views; do
    fails_with "vdisk $command: --view: " \
        "$VDISK" $command --view=snapshot/small disk.qcow2
done
rm base.raw
[ "$(key virtual-size)" = $((4 << 20)) ]
fails_with "'base.raw': No such file" "$VDISK" info --view=active disk.qcow2
