#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# VHDs made by QEMU, dynamic and fixed, with sizes by geometry and forced.

. "$(dirname "$0")/functions.sh"

# QEMU marks whole blocks as present; inside them only what the file has
# written is data.
random_images --count 64 --format vpc --size 100k-24M \
    --option subformat=dynamic --option force_size=off,on
random_images --count 32 --format vpc --size 100k-12M \
    --option subformat=fixed --option force_size=off,on
random_images --count 4 --format vpc --size 1G-120G --commands 10-40 \
    --option subformat=dynamic --option force_size=on,off

# Found without being told the format, and by both names of it.
qemu-img create -q -f vpc -o subformat=dynamic,force_size=on d.vhd 10M
qemu-io -f vpc -c 'write -P 6 3M 8k' d.vhd > /dev/null
qemu-img create -q -f vpc -o subformat=fixed,force_size=on f.vhd 10M
qemu-io -f vpc -c 'write -P 6 3M 8k' f.vhd > /dev/null
for image in d.vhd f.vhd; do
    same () { assert_same_content vpc "$image" raw "$uri"; }
    with_vdisk $image -- same
    with_vdisk $image format=vhd -- same
    with_vdisk $image format=vpc -- same
done

# Only in the block that is there is anything more than a hole.
vdisk_start d.vhd
nbd_map "$uri" > map
vdisk_stop
awk '$3 == 3 && $1 + $2 > 2097152 && $1 < 4194304 { exit 1 }
     $3 != 3 && ($1 < 2097152 || $1 + $2 > 4194304) { exit 1 }' map ||
    die "unexpected map: $(cat map)"
checked "holes where there is no block"
