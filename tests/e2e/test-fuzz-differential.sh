#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Images whose metadata is damaged: what QEMU reads of them we read the
# same, or there is a reason.  VDISK_SCALE=100 does this for as long as it
# takes, up to 40 minutes; see tests/fuzz/differential.py.

. "$(dirname "$0")/functions.sh"

scaled ()
{
    awk -v n="$1" -v scale="${VDISK_SCALE:-1}" 'BEGIN { print int(n * scale) }'
}

python3 "$top/tests/fuzz/differential.py" --images "$(scaled 900)" \
    --time "$(scaled 25)" > out || { cat out; die "they do not agree"; }
cat out
n=$(sed -n 's/^images compared: //p' out)
[ "$n" -gt 0 ] || die "nothing was compared"
echo "$n $n" >> "$VDISK_COUNTS"
