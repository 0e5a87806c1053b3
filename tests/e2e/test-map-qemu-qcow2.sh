#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk map --output=qemu is qemu-img map's document, byte for byte, of
# QCOW2 images with every cluster size, with snapshots, resized, and of
# sizes that are no multiple of anything.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

images () { python3 "$e2e/map_qemu.py" images "$@"; }

sizes=512,1k,2k,4k,8k,16k,32k,64k,128k,256k,512k,1M,2M
images --count 39 --option cluster_size=$sizes --option compat=1.1,0.10
images --count 9 --rounds 3 --between snapshot,grow,shrink
images --count 9 --odd-size --size 1M-9M
