#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk map --output=qemu is qemu-img map's document, byte for byte, of QED
# images, of VHDs that QEMU has written, of raw files, and of chains.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

images () { python3 "$e2e/map_qemu.py" images "$@"; }

images --count 16 --format qed --option table_size=4,2,8,16 \
    --option cluster_size=64k,4k,8k,16k,32k,128k,512k,1M
images --count 6 --format vpc --option force_size=on,off
images --count 6 --format vpc --option subformat=fixed
images --count 8 --format raw
python3 "$e2e/map_qemu.py" chains --count 40

# Holes that somebody has punched are told in some formats only.
for format in qcow2 qed vpc raw; do
    options=()
    [ $format != vpc ] || options=(-o force_size=on)
    qemu-img create -q -f $format "${options[@]}" punched.$format 8M
    qemu-io -f $format -c 'write -P 1 0 8M' punched.$format > /dev/null
    size=$(stat -c %s punched.$format)
    for (( at = 409600; at < size - 70000; at += 1000000 )); do
        fallocate -p -o $((at / 4096 * 4096)) -l 20480 punched.$format
    done
    python3 "$e2e/map_qemu.py" same -f $format punched.$format
done
qemu-img create -q -f vpc -o force_size=on,subformat=fixed fixed.vhd 8M
qemu-io -f vpc -c 'write -P 1 0 8M' fixed.vhd > /dev/null
fallocate -p -o 1M -l 64k fixed.vhd
python3 "$e2e/map_qemu.py" same -f vpc fixed.vhd
