#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# External data files, raw (guest offset = file offset) and not.

. "$(dirname "$0")/functions.sh"

random_images --count 72 --data-file \
    --option cluster_size=64k,4k,512,2M,16k,1k --option data_file_raw=off,on
random_images --count 24 --data-file \
    --option cluster_size=64k,16k --option data_file_raw=off,on \
    --option extended_l2=on
random_images --count 24 --data-file \
    --option cluster_size=64k,16k --option data_file_raw=off,on \
    --option preallocation=metadata,falloc,full

# What a raw data file holds is the disk.
qemu-img create -q -f qcow2 -o data_file=d.raw,data_file_raw=on d.qcow2 8M
qemu-io -c 'write -P 3 1M 100k' -c 'write -P 4 5M 1M' d.qcow2 > /dev/null
same () { assert_same_content raw d.raw raw "$uri"; }
with_vdisk d.qcow2 -- same

# A data file that is not there, and one elsewhere.
mv d.raw e.raw
refused "data file 'd\.raw': No such file" d.qcow2
mkdir sub
mv d.qcow2 sub
qemu-img amend -f qcow2 -o data_file="$tmp/e.raw" sub/d.qcow2 2>/dev/null ||
    qemu-img create -q -f qcow2 -o "data_file=$tmp/e.raw,data_file_raw=on" \
        sub/d.qcow2 8M
refused 'e\.raw.*backing-dir|backing-dir.*e\.raw' sub/d.qcow2
vdisk_size 8388608 sub/d.qcow2 backing-dir="$tmp"
