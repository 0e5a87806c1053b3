#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a chain of images says, in shapes where readers have failed:
# overlays longer and shorter than what is below, holes of 4 KiB in a raw
# backing file, layers that hide others.

. "$(dirname "$0")/functions.sh"

# over NAME BACKING FORMAT SIZE [QEMU-IO COMMAND...]
over ()
{
    local name=$1 backing=$2 format=$3 size=$4 command commands=()

    shift 4
    qemu-img create -q -f qcow2 -b "$backing" -F "$format" "$name" "$size"
    for command; do
        commands+=(-c "$command")
    done
    if [ $# -gt 0 ]; then
        qemu-io "${commands[@]}" "$name" > /dev/null
    fi
}

# maps NAME LINE...: all that QEMU says, and this map.
maps ()
{
    local name=$1

    shift
    verify "$name"
    vdisk_map "$name" -- "$@"
}

qemu-img create -q -f qcow2 base.qcow2 4M
qemu-io -c 'write -P 1 0 64k' -c 'write -P 2 4032k 64k' base.qcow2 > /dev/null

# Longer and shorter than the backing file.
over longer.qcow2 base.qcow2 qcow2 8M
maps longer.qcow2 '0 65536 0' '65536 4063232 3' '4128768 65536 0' \
    '4194304 4194304 3'
over shorter.qcow2 base.qcow2 qcow2 $((4032 * 1024 + 512))
maps shorter.qcow2 '0 65536 0' '65536 4063232 3' '4128768 512 0'

# What a shorter layer cuts off does not come back above it.
over short.qcow2 base.qcow2 qcow2 1M
over again.qcow2 short.qcow2 qcow2 4M
maps again.qcow2 '0 65536 0' '65536 4128768 3'
# Nor in the rest of a cluster.
over middle.qcow2 base.qcow2 qcow2 $((4032 * 1024 + 1024))
over top.qcow2 middle.qcow2 qcow2 5M
maps top.qcow2 '0 65536 0' '65536 4063232 3' '4128768 1024 0' \
    '4129792 1113088 3'

# Zeros over data, and a hole over zeros.
over zero.qcow2 base.qcow2 qcow2 4M 'write -z 0 64k'
maps zero.qcow2 '0 4128768 3' '4128768 65536 0'
over hole.qcow2 zero.qcow2 qcow2 4M
maps hole.qcow2 '0 4128768 3' '4128768 65536 0'

# A raw file with 4 KiB of data and 4 KiB of hole in turn, under clusters
# of 64 KiB; the last piece is cut short.
truncate -s 1000000 fine.raw
commands=()
lines=()
for (( at = 0; at < 999424; at += 8192 )); do
    commands+=(-c "write -P 3 $at 4096")
    lines+=("$at 4096 0" "$((at + 4096)) 4096 3")
done
qemu-io -f raw "${commands[@]}" fine.raw > /dev/null
truncate -s 1000000 fine.raw
over fine.qcow2 fine.raw raw 2M
verify fine.qcow2
unset 'lines[-1]'
maps fine.qcow2 "${lines[@]}" "$((at - 4096)) $((2097152 - at + 4096)) 3"

# A format that is not recorded is found by magic, and raw is refused.
over probed.qcow2 base.qcow2 qcow2 4M
python3 "$e2e/lib/qcow2_edit.py" probed.qcow2 forget-backing-format
verify probed.qcow2
over guessed.qcow2 fine.raw raw 4M
python3 "$e2e/lib/qcow2_edit.py" guessed.qcow2 forget-backing-format
refused 'guessed\.qcow2: the format of the backing file is not recorded' \
    guessed.qcow2
# Recorded as raw it is raw, whatever is in it.
qemu-img create -q -u -f qcow2 -b base.qcow2 -F raw as-raw.qcow2 1M
verify as-raw.qcow2
# A format we do not read.
qemu-img create -q -u -f qcow2 -b base.qcow2 -F vmdk vmdk.qcow2 1M
refused 'vmdk\.qcow2: .*vmdk' vmdk.qcow2

# Not there.
over orphan.qcow2 base.qcow2 qcow2 4M
qemu-img rebase -u -f qcow2 -b gone.qcow2 -F qcow2 orphan.qcow2
refused "orphan\.qcow2: backing file 'gone\.qcow2': No such file" orphan.qcow2
