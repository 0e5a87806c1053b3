#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Damaged tables: what they lead to cannot be read, with EIO and a message
# that names the file; everything else can, and the server lives.

. "$(dirname "$0")/functions.sh"

edit () { python3 "$e2e/lib/qcow2_edit.py" "$@"; }

# A disk of 4 clusters, each of its own bytes, and more behind the first
# L2 table's reach.
make_qcow2 ()
{
    qemu-img create -q -f qcow2 -o cluster_size=4k "$1" 6M
    qemu-io -c 'write -P 1 0 4k' -c 'write -P 2 4k 4k' \
        -c 'write -P 3 8k 4k' -c 'write -P 4 12k 4k' \
        -c 'write -P 5 4M 4k' "$1" > /dev/null
}

# Cluster 1 cannot be read, everything else can.
cluster_1_is_damaged ()
{
    probe '4096:1' read 0 4096
    probe 'error EIO' read 4096 4096
    probe 'error EIO' read 8191 1
    probe 'error EIO' read 0 16384
    probe '1:1' read 4095 1
    probe '4096:3 4096:4' read 8192 8192
    probe '4096:5' read 4194304 4096
    # What comes before the damage is told.
    probe '4096:0' status 0 6291456
    probe 'error EIO' status 4096 4096
    probe 'error EIO' status-one 5000 10
    probe '8192:0 4177920:3 4096:0 2093056:3' status 8192 6283264
    # And once more, now that it may be remembered.
    probe 'error EIO' read 4096 4096
    probe '4096:1' read 0 4096
    probe '4096:3' read 8192 4096
    kill -0 "$server" || die "the server died"
    grep -Eq "$1" "$server_log" ||
        die "expected '$1': $(cat "$server_log")"
    checked "$(grep -Em 1 "$1" "$server_log")"
}

# damaged_l2 VALUE REGEX: cluster 1 is where this entry says.
damaged_l2 ()
{
    make_qcow2 disk.qcow2
    edit disk.qcow2 l2 4096 "$1"
    with_vdisk disk.qcow2 -- cluster_1_is_damaged "$2"
}

copied=$((1 << 63))
damaged_l2 $((copied | 0x10000000)) 'disk\.qcow2: L2 table: .*beyond the end'
damaged_l2 $((copied | 0xfffffffffff000)) 'disk\.qcow2: L2 table: .*beyond'
damaged_l2 $((copied | 0x5200)) 'disk\.qcow2: L2 table: .*aligned'
damaged_l2 $((copied | 0x5000 | 1 << 5)) 'disk\.qcow2: L2 table: .*reserved'

# Compressed bytes that are none, or too few, or elsewhere.  (Only reading
# finds that out.)
damaged_packed ()
{
    qemu-img create -q -f qcow2 \
        -o "cluster_size=4k,compression_type=$1" packed.qcow2 6M
    qemu-io -c 'write -c -P 1 0 4k' -c 'write -c -P 2 4k 4k' \
        -c 'write -c -P 3 8k 4k' packed.qcow2 > /dev/null
    qemu-io -c 'write -P 4 12k 4k' -c 'write -P 5 4M 4k' packed.qcow2 \
        > /dev/null
    entry=$(edit packed.qcow2 show-l2 4096)
    if [ "$2" = elsewhere ]; then
        edit packed.qcow2 l2 4096 $((entry | 0x10000000))
    else
        patch_file packed.qcow2 $((entry & 0x3ffffffffffff)) "$2"
    fi
    damaged_packed_is_found ()
    {
        probe '4096:1' read 0 4096
        probe 'error EIO' read 4096 4096
        probe 'error EIO' read 0 16384
        probe 'error EIO' read 5000 10
        probe '4096:3 4096:4' read 8192 8192
        probe 'error EIO' read 4096 4096
        grep -q 'packed\.qcow2: ' "$server_log" ||
            die "no message: $(cat "$server_log")"
        checked "$(grep -m 1 'packed\.qcow2: ' "$server_log")"
    }
    with_vdisk packed.qcow2 -- damaged_packed_is_found
}
damaged_packed zlib ffffffffffff
damaged_packed zlib 0300
damaged_packed zlib elsewhere
damaged_packed zstd 00000000ffff
damaged_packed zstd elsewhere

# A whole L2 table gone.
damaged_l1 ()
{
    make_qcow2 disk.qcow2
    edit disk.qcow2 l1 0 "$1"
    table_is_damaged ()
    {
        probe 'error EIO' read 0 4096
        probe 'error EIO' read 2097151 1
        probe '4096:5' read 4194304 4096
        probe 'error EIO' status 0 6291456
        probe '2097152:3 4096:0 2093056:3' status 2097152 4194304
        grep -Eq "$1" "$server_log" ||
            die "expected '$1': $(cat "$server_log")"
    }
    with_vdisk disk.qcow2 -- table_is_damaged "$2"
    checked "L1 entry $1"
}
damaged_l1 $((copied | 0x10000000)) 'disk\.qcow2: L[12] table: .*beyond'
damaged_l1 $((copied | 0x3200)) 'disk\.qcow2: L[12] table: .*aligned'

# In a backing file: only what shows through is affected.
make_qcow2 disk.qcow2
edit disk.qcow2 l2 4096 $((copied | 0x10000000))
qemu-img create -q -f qcow2 -o cluster_size=4k -b disk.qcow2 -F qcow2 \
    over.qcow2 6M
with_vdisk over.qcow2 -- cluster_1_is_damaged 'disk\.qcow2: L2 table'
qemu-io -c 'write -P 9 4096 4096' over.qcow2 > /dev/null
hidden ()
{
    probe '4096:1 4096:9 4096:3 4096:4' read 0 16384
    probe '16384:0 4177920:3 4096:0 2093056:3' status 0 6291456
}
with_vdisk over.qcow2 -- hidden

# QED.
qemu-img create -q -f qed -o cluster_size=4k,table_size=2 disk.qed 6M
qemu-io -f qed -c 'write -P 1 0 4k' -c 'write -P 2 4k 4k' \
    -c 'write -P 3 8k 4k' -c 'write -P 4 12k 4k' -c 'write -P 5 4M 4k' \
    disk.qed > /dev/null
python3 -c '
from check_qed import Image
with Image("disk.qed") as image:
    image.put(image.l2(0, 1), 0x10000000)'
with_vdisk disk.qed -- cluster_1_is_damaged 'disk\.qed: L2 table: .*beyond'

# A file that becomes shorter while it is served.
make_qcow2 shrinks.qcow2
shrinks ()
{
    probe '4096:1' read 0 4096
    truncate -s 4096 shrinks.qcow2
    probe 'error EIO' read 0 4096
    probe 'error EIO' read 4194304 4096
}
with_vdisk shrinks.qcow2 -- shrinks
