#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a manifest says an image is does not change with the holes of its file,
# which come and go without a change of the image.  Outputs that are laid out
# by them are not mixed of two layouts.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

# Clusters that are allocated and hold zeros: some have space, some have none.
qemu-img create -q -f qcow2 made.qcow2 16M
qemu-io -f qcow2 -c 'write -q -P 1 1M 2M' -c 'write -q -P 0 5M 1M' \
    -c 'write -q -P 2 9M 1M' made.qcow2
cp --sparse=never made.qcow2 full.qcow2
cp --sparse=always made.qcow2 holes.qcow2
cmp -s <("$VDISK" map full.qcow2) <("$VDISK" map holes.qcow2) &&
    die "the file system has no holes"
addressable full.qcow2

# use NAME: disk.qcow2 is the image with or without holes.
use ()
{
    cp --sparse="$1" made.qcow2 disk.qcow2
}

identity ()
{
    grep -o '"identity": "[0-9a-f]*"' "$1"
}

for output in "${addressed[@]}"; do
    use never
    "$VDISK" export -O "$output" --manifest=m.full disk.qcow2 out
    "$VDISK" export -O "$output" --shard=1/2 --manifest=m disk.qcow2 shards
    use always
    "$VDISK" export -O "$output" --manifest=m.holes disk.qcow2 out
    [ "$(identity m.full)" = "$(identity m.holes)" ] ||
        die "$output: another identity: $(identity m.full m.holes)"
    checked "$output: the identity is the same with holes"
    cp m before
    status=0
    "$VDISK" export -O "$output" --shard=2/2 --manifest=m disk.qcow2 shards \
        2> said || status=$?
    if [ "$output" = raw ]; then
        [ "$status" -eq 0 ] || die "raw: $(cat said)"
        "$VDISK" export --verify=m shards
        cmp out shards
        checked "raw: a part with and one without holes"
    else
        told "$output" 'disk.qcow2: its file has other holes than when m was '
        cmp m before
    fi
    rm -f m shards

    # Who does not look for them has the same layout as well.
    for sparse in never always; do
        use "$sparse"
        "$VDISK" export --host-holes=off -O "$output" --manifest="m.$sparse" \
            disk.qcow2 out
    done
    cmp m.never m.always
    checked "$output: the same without looking for holes"
done

# A raw disk has no others.
truncate -s 4M holes.raw
printf data | dd of=holes.raw bs=1 seek=2M conv=notrunc status=none
cp --sparse=never holes.raw full.raw
for name in holes full; do
    cp --sparse=auto "$name.raw" disk.raw
    "$VDISK" export --format=raw --manifest="m.$name" disk.raw out
done
[ "$(identity m.full)" = "$(identity m.holes)" ] || die "raw disk"
checked "a raw disk"
