#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk map --output=intervals and --output=clusters, and read_headers:
# vhd-tool's documents, to the byte, with every cluster in which anything
# is data.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

# prints TEXT ARG...: 'vdisk ARG...' prints this, and no newline.
prints ()
{
    local text=$1

    shift
    "$VDISK" "$@" > got
    printf %s "$text" | cmp - got || die "vdisk $*: $(cat got)"
    checked "$*: $text"
}

# lists CLUSTERS IMAGE [OPTION...]: both documents have these clusters.
lists ()
{
    local clusters=$1 image=$2 head

    shift 2
    head=$("$VDISK" map --output=clusters "$@" "$image" |
               sed 's/\[.*//')
    prints "${head}[$clusters]}" map --output=clusters "$@" "$image"
    "$VDISK" map --output=intervals "$@" "$image" |
        python3 "$e2e/map_clusters.py" > got
    [ "$(cat got)" = "$clusters" ] || die "intervals of $image: $(cat got)"
}

# Blocks 0 to 2 and 13 to 15 of a VHD whose size QEMU rounds up.
qemu-img create -q -f vpc test.vhd 32M
qemu-io -f vpc -c 'write -P 1 0 6M' -c 'write -P 2 26M 6M' test.vhd \
    > /dev/null
start='{"virtual_size":33562624,"cluster_bits":21,"data_clusters":'
prints "${start}[[0,2],[13,15]]}" map --output=intervals test.vhd
prints "${start}[0,1,2,13,14,15]}" map --output=clusters test.vhd
prints "${start}[[0,2],[13,15]]}" read_headers_interval test.vhd
prints "${start}[0,1,2,13,14,15]}" read_headers test.vhd
prints "${start}[[0,2],[13,15]]}" read_headers_interval --format=vpc test.vhd
prints '{"virtual_size":33562624,"cluster_bits":22,"data_clusters":[0,1,6,7]}' \
    read_headers --cluster-size=4M test.vhd

# One sector of a block is enough.
qemu-img create -q -f vpc sector.vhd 32M
qemu-io -f vpc -c 'write -P 1 9M 512' sector.vhd > /dev/null
prints "${start}[[4,4]]}" read_headers_interval sector.vhd
qemu-img create -q -f vpc none.vhd 32M
prints "${start}[]}" read_headers_interval none.vhd
prints "${start}[]}" read_headers none.vhd

# A chain of VHDs: blocks of any of its files.
python3 "$e2e/lib/vhd_samples.py" chain .
lists 0,3,5 child.vhd

# The last cluster of a disk that ends within it.
qemu-img create -q -f qcow2 partial.qcow2 $((65536 * 4 + 512))
qemu-io -c 'write -P 1 256k 512' partial.qcow2 > /dev/null
lists 4 partial.qcow2
lists 0 partial.qcow2 --cluster-size=1M

# A raw backing file, all data but for a hole of 4 KiB.
head -c 256k /dev/urandom > hole.raw
fallocate -p -o 72k -l 4k hole.raw
qemu-img create -q -f qcow2 -b hole.raw -F raw over.qcow2
lists 0,1,2,3 over.qcow2
lists 0,1,2,3 over.qcow2 --cluster-size=64k
[ "$("$VDISK" map --output=intervals --cluster-size=4k over.qcow2)" = \
  '{"virtual_size":262144,"cluster_bits":12,"data_clusters":[[0,17],[19,63]]}' ]

# A subcluster of 2 KiB.
qemu-img create -q -f qcow2 -o extended_l2=on sub.qcow2 1M
qemu-io -c 'write -P 7 206848 2048' sub.qcow2 > /dev/null
lists 3 sub.qcow2
lists 101 sub.qcow2 --cluster-size=2k

# Compressed data is data; zeros over data are not.
qemu-img create -q -f raw c.raw 512k
qemu-io -f raw -c 'write -P 3 64k 192k' c.raw > /dev/null
qemu-img convert -c -f raw -O qcow2 c.raw packed.qcow2
lists 1,2,3 packed.qcow2
lists 0,1 packed.qcow2 --cluster-size=128k
qemu-img create -q -f qcow2 -b packed.qcow2 -F qcow2 zeroed.qcow2
qemu-io -c 'write -z -u 128k 64k' zeroed.qcow2 > /dev/null
lists 1,3 zeroed.qcow2

# What is allocated, but a hole of the file, only if nobody looks.
qemu-img create -q -f qcow2 -o preallocation=metadata meta.qcow2 256k
lists '' meta.qcow2
lists 0,1,2,3 meta.qcow2 --host-holes=off

# A range, with the disk's size and its numbers.
prints "${start}[[1,2]]}" map --output=intervals --start=3M --length=10M \
    test.vhd
prints "${start}[[13,15]]}" map --output=intervals --start=6M test.vhd

# The smallest clusters there are.
qemu-img create -q -f qcow2 -o cluster_size=512 tiny.qcow2 4k
qemu-io -c 'write -P 1 1k 512' tiny.qcow2 > /dev/null
lists 2 tiny.qcow2
