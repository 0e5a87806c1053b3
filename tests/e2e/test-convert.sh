#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Converting the served disk back to qcow2 gives the allocation of the
# image, no more and no less, whatever the format it came from.

. "$(dirname "$0")/functions.sh"

# Data ranges of an image, joined.
data_of ()
{
    qemu-img map --output=json -f qcow2 "$1" |
        python3 "$e2e/lib/extents.py" data
}

# The same 60 MiB in different formats: data in whole clusters.
commands=()
for (( i = 0; i < 120; i++ )); do
    at=$(( (i * 7919 % 960) * 65536 ))
    commands+=(-c "write -P $((i % 255 + 1)) $at 64k")
done
qemu-img create -q -f qcow2 model.qcow2 60M
qemu-io -t unsafe "${commands[@]}" model.qcow2 > /dev/null
data_of model.qcow2 > model.map

back ()
{
    qemu-img convert -f raw -O qcow2 "$uri" back.qcow2
    assert_same_content qcow2 model.qcow2 qcow2 back.qcow2
    data_of back.qcow2 > back.map
    cmp model.map back.map
    checked "the same allocation: $*"
}

# over FORMAT OPTIONS NAME
over ()
{
    qemu-img convert -f qcow2 -O "$1" -o "$2" model.qcow2 "$3"
    with_vdisk "$3" -- back "$3"
}
with_vdisk model.qcow2 -- back model.qcow2
over qcow2 compat=0.10 v2.qcow2
over qcow2 extended_l2=on,cluster_size=128k extended.qcow2
over qcow2 cluster_size=512 small.qcow2
over qed cluster_size=64k disk.qed
over vpc subformat=dynamic,force_size=on dynamic.vhd
over vpc subformat=fixed,force_size=on fixed.vhd
qemu-img convert -c -f qcow2 -O qcow2 model.qcow2 packed.qcow2
with_vdisk packed.qcow2 -- back packed.qcow2
qemu-img convert -f qcow2 -O raw model.qcow2 disk.raw
with_vdisk disk.raw format=raw -- back disk.raw

# A chain: every other command in the overlay.
below=()
above=()
for (( i = 0; i < ${#commands[@]}; i += 4 )); do
    below+=("${commands[@]:i:2}")
    above+=("${commands[@]:i + 2:2}")
done
qemu-img create -q -f qcow2 base.qcow2 60M
qemu-io -t unsafe "${below[@]}" base.qcow2 > /dev/null
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 chain.qcow2
qemu-io -t unsafe "${above[@]}" chain.qcow2 > /dev/null
with_vdisk chain.qcow2 -- back chain.qcow2
