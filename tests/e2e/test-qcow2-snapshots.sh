#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Images with internal snapshots, dirty bitmaps, lazy refcounts and a past
# of resizing are read as their active layer.

. "$(dirname "$0")/functions.sh"

random_images --count 60 --between snapshot --rounds 4 \
    --option cluster_size=64k,512,4k,2M,16k --option compat=1.1,0.10
random_images --count 30 --between bitmap --rounds 3 \
    --option cluster_size=64k,4k
random_images --count 30 --between grow --rounds 3 \
    --option cluster_size=64k,512,4k,2M --option compat=1.1,0.10
random_images --count 30 --between shrink,grow --rounds 3 --size 2M-16M \
    --option cluster_size=64k,4k,1k --option compat=1.1,0.10
random_images --count 24 --option lazy_refcounts=on \
    --option cluster_size=64k,4k
random_images --count 24 --option refcount_bits=1,2,4,8,32,64 \
    --option cluster_size=64k,512
