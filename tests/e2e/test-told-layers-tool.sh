#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What may be said of layers, what may not and why, and what takes no notice
# of it.

. "$(dirname "$0")/functions.sh"
requires_library nbd
VDISK=$top/tools/vdisk

mkdir away
qemu-img create -q -f raw away/full.raw 1M
qemu-io -f raw -c 'write -P 1 0 128k' away/full.raw > /dev/null
qemu-img create -q -f qcow2 inc1.qcow2 1M
qemu-io -c 'write -P 2 64k 64k' inc1.qcow2 > /dev/null
qemu-img create -q -f qcow2 inc2.qcow2 1M
qemu-io -c 'write -P 3 512k 64k' inc2.qcow2 > /dev/null
all=(--layer=inc1.qcow2 --layer=away/full.raw --layer-format=raw)

# The disk, and what is of which layer.
"$VDISK" export "${all[@]}" inc2.qcow2 found.raw
qemu-img create -q -f raw wanted.raw 1M
qemu-io -f raw -c 'write -P 1 0 64k' -c 'write -P 2 64k 64k' \
    -c 'write -P 3 512k 64k' wanted.raw > /dev/null
cmp found.raw wanted.raw
checked "export"
"$VDISK" map --layer=none --output=nbdinfo inc2.qcow2 > alone.json
grep -q '"offset": 0, "length": 524288, "type": 3' alone.json ||
    die "layer=none: $(cat alone.json)"
[ "$(grep -c offset alone.json)" -eq 3 ] || die "layer=none: $(cat alone.json)"
checked "layer=none"
"$VDISK" map "${all[@]}" --layer=auto --output=nbdinfo inc2.qcow2 > auto
"$VDISK" map --output=nbdinfo inc2.qcow2 | cmp - auto
checked "layer=auto undoes it"
"$VDISK" info --chain --output=json "${all[@]}" inc2.qcow2 |
    grep -c '^ *"filename"' > count
[ "$(cat count)" -eq 3 ] || die "info --chain: $(cat count) layers"
checked "info --chain"

# A base that a server has.
origin_start file away/full.raw
"$VDISK" export --layer=inc1.qcow2 --layer="$origin" inc2.qcow2 served.raw
cmp served.raw wanted.raw
origin_stop
checked "an NBD URI"

# What has changed since the full backup: not what lies under the full
# backup, too.
"$VDISK" map --since=away/full.raw --since-format=raw --compare \
    --output=nbdinfo "${all[@]}" inc2.qcow2 > since
grep -q '"offset": 65536, "length": 65536, "type": 0' since ||
    die "--since: $(cat since)"
"$VDISK" export -O qcow2 --diff=away/full.raw --diff-format=raw \
    --backing=away/full.raw "${all[@]}" inc2.qcow2 diff.qcow2
qemu-img compare -q -f qcow2 -F raw diff.qcow2 wanted.raw
checked "--since and --diff are of the file alone"

# They look at the image alone.
"$VDISK" info --layer=gone.img inc2.qcow2 > /dev/null
"$VDISK" check --layer=gone.img inc2.qcow2 > /dev/null
checked "info and check"

# Nothing that cannot be.
map ()
{
    fails_with "$1" "$VDISK" map "${@:2}" inc2.qcow2
}
map '^vdisk.*: --layer=none: says that nothing lies under the image, but --layer=inc1.qcow2 names a layer' \
    --layer=inc1.qcow2 --layer=none
map '--layer=inc1.qcow2: names a layer, but --layer=none says that nothing' \
    --layer=none --layer=inc1.qcow2
map '--layer=: must be a file, an NBD URI, none or auto' --layer=
map '--layer-format=raw: no such layer is named before it' --layer-format=raw
map '--layer-format=2:raw: no such layer .* there are 1' \
    --layer=inc1.qcow2 --layer-format=2:raw
map "--layer-format=qcow: must be .*did you mean 'qcow2'" \
    --layer=inc1.qcow2 --layer-format=qcow
map '--layer=inc2.qcow2: is layer 0 of this chain already: the chain loops' \
    --layer=inc1.qcow2 --layer=inc2.qcow2
map '--layer=./inc1.qcow2: is layer 1 of this chain already' \
    --layer=inc1.qcow2 --layer=./inc1.qcow2
map '--layer=inc1.qcow2: nothing of it would be seen, since away/full.raw, which is over it, is raw' \
    --layer=away/full.raw --layer-format=raw --layer=inc1.qcow2
map 'away/full.raw: not recognized .*--layer-format=raw says so, after --layer=away/full.raw' \
    --layer=away/full.raw
map 'gone.img: No such file' --layer=gone.img
many=()
for (( i = 0; i < 256; i++ )); do
    many+=(--layer=inc1.qcow2)
done
map '--layer=inc1.qcow2: there are 255 layers already' "${many[@]}"
refused 'error: layer=none: says that nothing .* but layer=a names a layer' \
    inc2.qcow2 layer=a layer=none

# The format that a child records is taken, and who says so is told.
qemu-img create -q -u -f qcow2 -b gone.qcow2 -F qcow2 over.qcow2 1M
fails_with 'full.raw: .*\(over.qcow2 records that it is qcow2: --layer-format=FORMAT says otherwise\)' \
    "$VDISK" map --layer=away/full.raw over.qcow2
"$VDISK" export --layer=inc2.qcow2 over.qcow2 found.raw
"$VDISK" export inc2.qcow2 wanted.raw
cmp found.raw wanted.raw
checked "the format that is recorded"

# The user names files; what these name is still confined.
qemu-img create -q -f qcow2 -o data_file=data.raw away/apart.qcow2 1M
mv data.raw away
"$VDISK" map --layer=away/apart.qcow2 inc2.qcow2 > /dev/null
mv away/data.raw .
ln -s ../data.raw away/data.raw
map 'away/apart.qcow2: data file .data.raw. leads to .*/data.raw, outside the directory .*/away: --backing-dir=' \
    --layer=away/apart.qcow2
checked "a data file of a layer"
