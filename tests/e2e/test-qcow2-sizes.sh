#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Disks whose size is a multiple of nothing, of no bytes at all, empty
# disks and full ones.

. "$(dirname "$0")/functions.sh"

random_images --count 204 --odd-size --size 1k-16M \
    --option cluster_size=64k,512,4k,2M,1k,2k,8k,16k,32k,128k,256k,512k,1M \
    --option compat=1.1,0.10
random_images --count 50 --size 512-70k --commands 0-6 \
    --option cluster_size=64k,512,4k,2M,16k
random_images --count 20 --odd-size --size 512-300k --commands 0-6 \
    --option cluster_size=64k,16k --option extended_l2=on

for cluster in 512 64k 2M; do
    # Nothing at all.
    qemu-img create -q -f qcow2 -o cluster_size=$cluster none.qcow2 0
    verify none.qcow2
    vdisk_size 0 none.qcow2

    # Nothing written.
    qemu-img create -q -f qcow2 -o cluster_size=$cluster empty.qcow2 100M
    verify empty.qcow2
    vdisk_map empty.qcow2 -- '0 104857600 3'

    # Everything written.
    qemu-img create -q -f qcow2 -o cluster_size=$cluster full.qcow2 8M
    qemu-io -c 'write -P 65 0 8M' full.qcow2 > /dev/null
    verify full.qcow2
    vdisk_map full.qcow2 -- '0 8388608 0'

    # Everything zeroed.
    qemu-img create -q -f qcow2 -o cluster_size=$cluster zero.qcow2 8M
    qemu-io -c 'write -z 0 8M' zero.qcow2 > /dev/null
    verify zero.qcow2
    vdisk_map zero.qcow2 -- '0 8388608 3'
done
