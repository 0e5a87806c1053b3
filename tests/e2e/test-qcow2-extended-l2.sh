#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Extended L2 entries: subclusters written, zeroed and left out, with
# compressed clusters among them.

. "$(dirname "$0")/functions.sh"

random_images --count 96 --option extended_l2=on \
    --option cluster_size=64k,16k,32k,128k,256k,512k,1M,2M \
    --commands 20-120 --longest 200k
random_images --count 48 --option extended_l2=on \
    --ops write=4,compressed=3,zero=2,unmap=1,discard=1 \
    --option cluster_size=64k,16k,32k,2M \
    --option compression_type=zlib,zstd
random_images --count 16 --option extended_l2=on \
    --option preallocation=metadata,falloc,full,off \
    --option cluster_size=64k,16k,32k,2M
# One subcluster of 2 KiB is found, and nothing around it.
qemu-img create -q -f qcow2 -o extended_l2=on one.qcow2 1M
qemu-io -c 'write -P 7 206848 2048' one.qcow2 > /dev/null
vdisk_map one.qcow2 -- '0 206848 3' '206848 2048 0' '208896 839680 3'
