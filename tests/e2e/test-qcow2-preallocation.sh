#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Preallocated images: clusters over holes of the file are zeros, not
# data; zeros that were written are data.

. "$(dirname "$0")/functions.sh"

for kind in metadata falloc full; do
    random_images --count 36 \
        --option preallocation=$kind \
        --option cluster_size=64k,4k,512,2M,16k,1M --option compat=1.1,0.10
done

qemu-img create -q -f qcow2 -o preallocation=metadata meta.qcow2 64M
vdisk_map meta.qcow2 -- '0 67108864 2'
