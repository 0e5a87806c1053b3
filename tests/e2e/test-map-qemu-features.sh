#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk map --output=qemu is qemu-img map's document, byte for byte, of
# QCOW2 images with subclusters, preallocated (where QEMU looks for holes
# of the file), compressed, and with external data files.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

images () { python3 "$e2e/map_qemu.py" images "$@"; }

images --count 12 --option extended_l2=on --option cluster_size=64k,16k,2M
images --count 12 --option preallocation=metadata,falloc,full \
    --option extended_l2=on,off --option cluster_size=64k,16k
images --count 12 --option preallocation=metadata,falloc,full \
    --option cluster_size=4k,512,2M,64k --option compat=1.1,0.10
images --count 10 --ops write=3,zero=2,discard=1,compressed=4 \
    --option compression_type=zlib,zstd
images --count 6 --compressed-copy
images --count 12 --data-file --option cluster_size=64k,4k,2M \
    --option data_file_raw=off,on
images --count 6 --data-file --option preallocation=metadata,falloc,off \
    --option extended_l2=on,off
