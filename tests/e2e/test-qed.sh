#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# QED: cluster and table sizes, zero clusters, backing files, and images
# that were not closed properly.

. "$(dirname "$0")/functions.sh"

random_images --count 96 --format qed \
    --option cluster_size=64k,4k,8k,16k,32k,128k,512k,1M \
    --option table_size=4,2,8,16
# (QEMU cannot map a table that covers more than 2 GiB.)
random_images --count 3 --format qed --size 1G-60G --commands 10-60 \
    --option cluster_size=64k,32k --option table_size=2
random_images --count 3 --format qed --size 1G-15G --commands 10-60 \
    --option cluster_size=4k

# Over a raw file, which QED records without naming a format.
truncate -s 3M base.raw
qemu-io -f raw -c 'write -P 9 1M 70000' base.raw > /dev/null
qemu-img create -q -f qed -b base.raw -F raw over.qed 4M
qemu-io -c 'write -P 8 2M 300' -c 'write -z 1100k 64k' over.qed > /dev/null
verify --format qed over.qed

# Open for writing when the power went (feature bit 2): read, with a word.
qemu-img create -q -f qed dirty.qed 8M
qemu-io -c 'write -P 5 3M 100k' dirty.qed > /dev/null
patch_file dirty.qed 16 02
verify --format qed --warning 'dirty\.qed.*check' dirty.qed

# A feature nobody knows.
patch_file dirty.qed 17 80
refused 'dirty\.qed: .*feature' dirty.qed
