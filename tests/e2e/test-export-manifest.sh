#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export --manifest and --verify: a manifest has a digest of every part
# of the output, tells one byte that is another, and is of one image only.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

qemu-img create -q -f qcow2 made.qcow2 24M
qemu-io -f qcow2 -c 'write -q -P 1 1M 3M' -c 'write -q -P 2 9M 70k' \
    -c 'write -q -P 0 12M 200k' -c 'write -q -P 3 20M 3M' made.qcow2
# Space that QEMU has found and not written is a hole until somebody reads it.
cp --sparse=never made.qcow2 disk.qcow2
addressable disk.qcow2
cp disk.qcow2 other.qcow2
qemu-io -f qcow2 -c 'write -q -P 1 7M 64k' other.qcow2

# differs REGEX MANIFEST FILE: they do, and one message says so.
differs ()
{
    status=0
    "$VDISK" export --verify="$2" "$3" > printed 2> said || status=$?
    told "$2 $3" "$1"
    [ ! -s printed ] || die "it has printed something"
}

for output in "${addressed[@]}"; do
    "$VDISK" export -O "$output" --manifest=m disk.qcow2 out
    "$VDISK" export --verify=m out
    checked "$output: manifest and file agree"
    "$VDISK" export -O "$output" --manifest=piped disk.qcow2 - | cat > piped.out
    "$VDISK" export --verify=piped piped.out
    cmp m piped
    checked "$output: the same of a pipe"

    # As the digest is computed by others.
    python3 "$e2e/manifest_check.py" m out "$output" disk.qcow2

    # One bit, in data, in zeros, at the ends; one byte less or more.
    size=$(stat -c %s out)
    for at in 0 $((size / 3)) $((size / 2)) $((size - 1)); do
        cp --sparse=always out bad
        python3 "$e2e/manifest_check.py" --flip bad "$at"
        differs 'bad: 1 of [0-9]+ parts are not as m has them' m bad
    done
    truncate -s $((size - 1)) bad
    differs "bad: it has $((size - 1)) bytes, by m it would have $size" m bad
    truncate -s $((size + 1)) bad
    differs "bad: it has $((size + 1)) bytes" m bad

    # Shards add to one manifest, at the same time.
    rm -f m.shards shards
    for k in 2 4 1; do
        "$VDISK" export -O "$output" --shard=$k/4 --manifest=m.shards \
            disk.qcow2 shards &
    done
    wait
    differs 'm.shards: it has no digest for byte' m.shards shards
    "$VDISK" export -O "$output" --shard=3/4 --manifest=m.shards disk.qcow2 \
        shards
    cmp m m.shards
    checked "$output: the manifest of shards is that of the whole"
    "$VDISK" export -O "$output" --shard=2/4 --manifest=m.shards disk.qcow2 \
        shards
    cmp m m.shards
    cmp out shards
    checked "$output: a shard that is made again"

    # Another image, by the name of the old one too, is refused, and the file
    # stays as it is.
    status=0
    "$VDISK" export -O "$output" --shard=2/4 --manifest=m.shards \
        other.qcow2 shards 2> said || status=$?
    told "another image" '^vdisk: other.qcow2: the image is not the one that '
    cmp out shards
    status=0
    "$VDISK" export -O "$output" --shard=2/4 --manifest=m.shards \
        other.qcow2 new 2> said || status=$?
    [ ! -e new ] || die "a file was made"
    rm -f out
done

# A copy is the same image; other options are another output.
mkdir copy
cp disk.qcow2 copy/image
"$VDISK" export --shard=1/4 --manifest=m.raw disk.qcow2 out
"$VDISK" export --shard=2/4 --manifest=m.raw copy/image out
checked "a copy of the image"
rm -f out
if has_parts qcow2; then
    "$VDISK" export -O qcow2 --shard=1/4 --manifest=m.qcow2 disk.qcow2 out
    rm -f out
    error 'm.qcow2: it is of an output in the format qcow2, not raw' \
        --shard=1/4 --manifest=m.qcow2 disk.qcow2 out
    error 'm.qcow2: it is of an output with the options .*65536.*4096' \
        -O qcow2 --cluster-size=4k --shard=1/4 --manifest=m.qcow2 disk.qcow2 out
fi

# Data that was written over, without a change of the map, is noticed where a
# shard is made again.
qemu-img convert -O raw disk.qcow2 flat.raw
"$VDISK" export --format=raw --shard=2/4 --manifest=m.flat flat.raw out
printf x | dd of=flat.raw bs=1 seek=9437184 conv=notrunc status=none
status=0
"$VDISK" export --format=raw --shard=2/4 --manifest=m.flat flat.raw out \
    2> said || status=$?
told "data was written over" 'flat.raw: .* data of the image has changed'
rm out

# --- Manifests that are none

usage 'verify takes one file' --verify=m
usage 'verify takes one file' --verify=m a b
usage 'manifest does not go with --verify' --verify=m --manifest=m a
usage 'range does not go with --manifest' --range=0-1 --manifest=m \
    disk.qcow2 out
"$VDISK" export --manifest=good disk.qcow2 file
differs 'none: there is no manifest' none file
differs 'no-file: opening it' good no-file
python3 "$e2e/manifest_check.py" --wrong good file "$VDISK"

# It is written where it can be, or it is an error.
status=0
"$VDISK" export --manifest=no/m disk.qcow2 out 2> said || status=$?
told "no such directory" 'no/m: making a file beside it: No such file'
