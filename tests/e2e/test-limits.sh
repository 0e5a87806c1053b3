#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The first block status comes at once however big the disk is, and memory
# stays bounded through a whole map and copy.

. "$(dirname "$0")/functions.sh"

requires nbdcopy --version

limits () { python3 "$e2e/limits.py" "$@" || die "limits $*"; }

qemu-img create -q -f qcow2 -o cluster_size=2M 64t.qcow2 64T
limits first-status 64t.qcow2
qemu-img create -q -f qcow2 64t-small.qcow2 $((63 << 40))
limits first-status 64t-small.qcow2
qemu-img create -q -f qcow2 1g.qcow2 1G
limits first-status 1g.qcow2
# The biggest L1 table there can be: 32 MiB.  (With refcounts of 16 bits it
# takes QEMU ten times as long to make.)
qemu-img create -q -f qcow2 -o cluster_size=512,refcount_bits=1 l1.qcow2 127G
limits first-status l1.qcow2
qemu-img create -q -f qcow2 -o cluster_size=512,refcount_bits=1 small.qcow2 30G
limits memory small.qcow2

# A terabyte with data all over it.
commands=()
for (( i = 0; i < 2500; i++ )); do
    at=$(( (i * 7919 % 2500) * 439804651 / 512 * 512 ))
    commands+=(-c "write -P $((i % 255 + 1)) $at 9000")
done
for cluster in 4k 64k; do
    qemu-img create -q -f qcow2 -o cluster_size=$cluster 1t.qcow2 1T
    qemu-io -t unsafe "${commands[@]}" 1t.qcow2 > /dev/null
    limits memory 1t.qcow2
    rm 1t.qcow2
done

# A gigabyte in which everything alternates, and one that is compressed.
commands=()
for (( i = 0; i < 2000; i++ )); do
    commands+=(-c "write -P 1 $((i * 262144)) 4k")
    commands+=(-c "write -z $((i * 262144 + 131072)) 4k")
done
qemu-img create -q -f qcow2 -o cluster_size=4k comb.qcow2 1G
qemu-io -t unsafe "${commands[@]}" comb.qcow2 > /dev/null
limits memory comb.qcow2
qemu-img convert -c -f qcow2 -O qcow2 -o cluster_size=64k comb.qcow2 \
    packed.qcow2
limits memory packed.qcow2
