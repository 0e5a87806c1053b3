#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Holes of the image file under allocated clusters are zeros, found in
# bulk; host-holes=off does not look for them.

. "$(dirname "$0")/functions.sh"

seconds_since ()
{
    awk "BEGIN { printf \"%.2f\", $EPOCHREALTIME - $1 }"
}

# A terabyte of clusters that are all there and all hole.
qemu-img create -q -f qcow2 -o preallocation=metadata,cluster_size=2M \
    1t.qcow2 1T
began=$EPOCHREALTIME
vdisk_map 1t.qcow2 -- '0 1099511627776 2'
echo "the map of 1 TiB in clusters of 2 MiB: $(seconds_since "$began") s"
qemu-img create -q -f qcow2 -o preallocation=metadata 100g.qcow2 100G
began=$EPOCHREALTIME
vdisk_map 100g.qcow2 -- '0 107374182400 2'
took=$(seconds_since "$began")
echo "the map of 100 GiB in clusters of 64 KiB: $took s"
if [ -z "${NBDKIT_WRAPPER:-}" ]; then
    awk "BEGIN { exit $took > 5 }" || die "that took long"
fi
vdisk_map 1t.qcow2 host-holes=off -- '0 1099511627776 0'
rm -f 1t.qcow2 100g.qcow2

# Holes punched into allocated clusters, in every format.
for format in qcow2 qed vpc raw; do
    options=()
    [ $format != vpc ] || options=(-o force_size=on)
    qemu-img create -q -f $format "${options[@]}" punched.$format 8M
    qemu-io -f $format -c 'write -P 1 0 8M' punched.$format > /dev/null
    size=$(stat -c %s punched.$format)
    for (( at = 409600; at < size - 70000; at += 1000000 )); do
        fallocate -p -o $((at / 4096 * 4096)) -l 20480 punched.$format
    done
    # It may be a table that was hit: then QEMU says so, too.
    if ! qemu-img map -f $format punched.$format > /dev/null 2>&1; then
        die "a hole hit a table of $format"
    fi
    verify --format $format punched.$format
    verify --format $format --param host-holes=off --no-host-holes \
        punched.$format
done

# A file may have blocks beyond its end, so many that it seems to have no
# hole.
truncate -s 1M blocks.raw
fallocate -n -o 1M -l 2M blocks.raw
printf x | dd of=blocks.raw bs=1 seek=500000 conv=notrunc status=none
[ "$(stat -c %b blocks.raw)" -gt 2048 ]
vdisk_map blocks.raw format=raw -- '0 499712 3' '499712 4096 0' \
    '503808 544768 3'

# In a data file, and in a layer below.
qemu-img create -q -f qcow2 -o data_file=data.raw data.qcow2 8M
qemu-io -c 'write -P 1 0 8M' data.qcow2 > /dev/null
fallocate -p -o 1M -l 12k data.raw
verify data.qcow2
vdisk_map data.qcow2 -- '0 1048576 0' '1048576 12288 2' '1060864 7327744 0'
qemu-img create -q -f qcow2 -b punched.qcow2 -F qcow2 above.qcow2
verify above.qcow2

# Zeros that somebody has written are data, and are not looked at.
qemu-img create -q -f qcow2 -o preallocation=full full.qcow2 16M
vdisk_map full.qcow2 -- '0 16777216 0'

# A file that ends within its last cluster: zeros from there on, as QEMU
# has it.
qemu-img create -q -f qcow2 short.qcow2 4M
qemu-io -c 'write -P 1 1M 128k' short.qcow2 > /dev/null
truncate -s $(( $(stat -c %s short.qcow2) - 50000 )) short.qcow2
verify short.qcow2
vdisk_map short.qcow2 -- '0 1048576 3' '1048576 81072 0' \
    '1129648 50000 2' '1179648 3014656 3'
