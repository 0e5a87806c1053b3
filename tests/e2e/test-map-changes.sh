#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What vdisk map says has changed: QEMU's dirty bitmaps, XenServer's changed
# blocks, and all other dialects say the same, which is what the bytes say.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

for kind in qcow2 vhd raw; do
    python3 "$e2e/map_changes.py" --count 5 "$kind" ||
        die "map_changes $kind"
done

# Disks of no bytes.
: > empty.raw
: > before.raw
qemu-img create -q -f qcow2 empty.qcow2 0
for options in "--format=raw empty.raw" "empty.qcow2" \
        "--since=before.raw --since-format=raw --format=raw empty.raw" \
        "--since=before.raw --since-format=raw empty.qcow2"; do
    # shellcheck disable=SC2086
    empty () { "$VDISK" map --output="$1" $options; }
    [ "$(empty nbdinfo-dirty)" = $'[\n\n]' ]
    [ "$(empty imageio-dirty)" = '[]' ]
    [ "$(empty csi)" = '[{"block_metadata_type":2,"volume_capacity_bytes":0,"block_metadata":[]}]' ]
    [ "$(empty cbt | wc -c)" -eq 48 ]
    [ "$(empty cbt-base64)" = '' ]
    [ "$(empty bitmap | wc -c)" -eq 0 ]
    checked "empty: $options"
done
