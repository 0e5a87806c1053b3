#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk map of 16.8 million intervals: in constant memory, soon, and no
# longer than somebody reads.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

# Sanitizers need memory, and take time.
limit=65536 factor=1
if grep -q __asan_init "$VDISK"; then
    limit=4194304 factor=20
fi

python3 "$e2e/map_large.py" make large.qcow2 $((1 << 40))
for options in --totals --output=intervals --output=qemu --output=nbdinfo \
               --output=human --output=svg --output=blocks \
               --output=imageio; do
    python3 "$e2e/map_large.py" run $limit "$VDISK" map $options \
        --host-holes=off large.qcow2
    checked "memory of $options"
done

"$VDISK" map --totals --host-holes=off large.qcow2 > totals
grep -q '^data  *8388608  *549755813888 ' totals
grep -q '^all  *16777216  *1099511627776 ' totals
"$VDISK" map --output=intervals --host-holes=off large.qcow2 |
    tail -c 60 | grep -q ',\[16777212,16777212\],\[16777214,16777214\]\]}$'
[ "$("$VDISK" map --output=svg large.qcow2 | wc -c)" -lt 40000 ]

# Nobody reads on: then it ends.
began=$EPOCHREALTIME
for options in --output=human --output=qemu --output=clusters; do
    "$VDISK" map $options --host-holes=off large.qcow2 2> said |
        head -c 100 > /dev/null
    [ "${PIPESTATUS[0]}" -eq 0 ] && [ ! -s said ]
done
awk "BEGIN { exit $EPOCHREALTIME - $began > 2 * $factor }" ||
    die "it goes on without a reader"
checked "closed pipe"
