#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# since= serves what has changed since a view or since another image, the same
# as --since of the tool; and clients never make the server open a file.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

qemu-img create -q -f qcow2 -o cluster_size=4k disk.qcow2 3M
qemu-io -f qcow2 -c 'write -P 1 0 1M' -c 'write -P 2 2M 64k' disk.qcow2 > io.log
qemu-img convert -f qcow2 -O raw disk.qcow2 copy.raw
qemu-img convert -f qcow2 -O vpc -o force_size=on disk.qcow2 copy.vhd
qemu-img snapshot -c monday disk.qcow2
qemu-img bitmap --add disk.qcow2 b
qemu-io -f qcow2 -c 'write -P 3 64k 100k' -c 'write -P 0 2M 4k' \
    -c 'write -z 512k 64k' disk.qcow2 > io.log
qemu-img snapshot -c tuesday disk.qcow2
qemu-io -f qcow2 -c 'write -P 4 2560k 5k' disk.qcow2 > io.log

# same 'PARAMETER...' 'OPTION...' [NAME]: plugin and tool find the same
# changes, by whatever name a client asks.
same ()
{
    local name parameters options

    read -ra parameters <<< "$1"
    read -ra options <<< "$2"
    "$VDISK" map --output=nbdinfo "${options[@]}" disk.qcow2 > expected
    grep -q '"data"' expected || die "$2: nothing has changed"
    vdisk_start disk.qcow2 "${parameters[@]}"
    for name in '' active bitmap/b copy.raw "$PWD/copy.raw"; do
        nbdinfo --map --json "nbd+unix:///$name?socket=$socket" > got
        diff -u expected got || die "$1: export '$name'"
    done
    nbdinfo --list --json "$uri" | python3 -c '
import json, sys
[export] = json.load(sys.stdin)["exports"]
print(export["export-name"])' > got
    [ "$(cat got)" = "${3:-}" ] || die "$1: listed as '$(cat got)'"
    vdisk_stop
    checked "$1"
}

same 'since=snapshot/monday' '--since=snapshot/monday' \
    'diff/snapshot/monday..active'
same 'since=bitmap/b' '--since=bitmap/b' 'bitmap/b'
same 'since=snapshot/monday export=snapshot/tuesday' \
    '--since=snapshot/monday --view=snapshot/tuesday' \
    'diff/snapshot/monday..snapshot/tuesday'
same 'since=copy.raw since-format=raw' '--since=copy.raw --since-format=raw'
same 'since=copy.raw since-format=raw compare=true' \
    '--since=copy.raw --since-format=raw --compare'
same 'since=copy.vhd compare=yes' '--since=copy.vhd --compare'
same 'since=./copy.vhd' '--since=./copy.vhd'
# The layers that are named are those of the image alone.
same 'layer=copy.vhd since=copy.raw since-format=raw compare=true' \
    '--layer=copy.vhd --since=copy.raw --since-format=raw --compare'

# Compared, only what was written is there.
vdisk_start disk.qcow2 since=copy.raw since-format=raw compare=true
nbdinfo --map "$uri" | awk '$3 == 0 { n += $2 } END { print n }' > got
# 100k, 4k, 64k, and 5k in pieces of 4k.
[ "$(cat got)" -eq $(((100 + 4 + 64 + 8) << 10)) ] || die "$(cat got) bytes"
nbdinfo "$uri" | grep -q 'since another image' || die "description"
vdisk_stop
checked "compared"

# What a client asks for names no file.
vdisk_start disk.qcow2
for name in copy.vhd "$PWD/copy.vhd" "diff/copy.vhd..active" \
        "diff/$PWD/copy.vhd..active" "since/copy.vhd" "layer/copy.vhd"; do
    ! nbdinfo --size "nbd+unix:///$name?socket=$socket" > got 2>&1 ||
        die "a client has opened $name"
done
vdisk_stop
checked "names of files"

fails_with 'since-format needs since' try_to_serve disk.qcow2 since-format=raw
fails_with 'compare needs since' try_to_serve disk.qcow2 compare=true
fails_with "no (view|snapshot)|snapshot/none" try_to_serve disk.qcow2 \
    since=snapshot/none
fails_with 'copy.raw: .*raw' try_to_serve disk.qcow2 since=copy.raw
fails_with 'since-format|format=vmdk' try_to_serve disk.qcow2 \
    since=copy.raw since-format=vmdk
fails_with 'is a difference' try_to_serve disk.qcow2 \
    export=bitmap/b since=snapshot/monday
fails_with 'could not parse|boolean' try_to_serve disk.qcow2 \
    since=copy.vhd compare=perhaps
