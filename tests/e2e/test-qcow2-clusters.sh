#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# QCOW2 version 2 and 3 with every cluster size from 512 bytes to 2 MiB,
# written, zeroed and discarded at random.

. "$(dirname "$0")/functions.sh"

sizes=512,1k,2k,4k,8k,16k,32k,64k,128k,256k,512k,1M,2M
random_images --count 208 --option cluster_size=$sizes \
    --option compat=1.1,0.10
# Some disks of many L2 tables.
random_images --count 12 --option cluster_size=512,1k,2k,4k \
    --option compat=1.1,0.10 --size 100M-900M --commands 100-300
