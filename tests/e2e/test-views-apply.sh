#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The recipe of the man page applies a difference: a full copy, and one
# increment after the other, give the newest disk, where it has changed to
# zeros and where its size has changed, too.

. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

# apply VIEW: as the man page has it, to copy.raw.
apply ()
{
    origin_start file copy.raw
    run_nbdkit -U - "$PLUGIN" disk.qcow2 export="$1" \
        --run "nbdcopy --destination-is-zero --sparse=0 --request-size=4096 \
                       \"\$uri\" '$origin'"
    origin_stop
}

# past CLUSTER [OPTION]: increments with pieces of one to three clusters, or of
# $unit bytes, some of zeros.
past ()
{
    local cluster=$1 unit=${unit:-$1} i step size commands

    rm -f disk.qcow2
    size=$((unit * 16 + cluster * 9))
    qemu-img create -q -f qcow2 -o "cluster_size=$cluster${2:+,$2}" \
        disk.qcow2 "$size"
    qemu-io -f qcow2 -c "write -P 1 0 $size" disk.qcow2 > io.log
    qemu-img convert -f qcow2 -O raw disk.qcow2 copy.raw
    qemu-img snapshot -c s0 disk.qcow2
    for step in 1 2 3; do
        commands=()
        for ((i = step; i < 12; i += 5)); do
            commands+=(-c "write -P $((i % 2 ? 0 : step)) $((i * unit)) \
                           $((i % 3 * unit + unit))"
                       -c "write -z $(((i + 2) * unit)) $unit")
        done
        qemu-io -f qcow2 "${commands[@]}" disk.qcow2 > io.log
        case $step in
            2) size=$((size + cluster + 512)) ;;
            3) size=$((size - 7 * cluster)) ;;
        esac
        qemu-img resize -q --shrink disk.qcow2 "$size"
        qemu-img snapshot -c "s$step" disk.qcow2
    done
}

increments ()
{
    local step

    for step in 1 2 3; do
        vdisk_start disk.qcow2 "export=snapshot/s$step"
        truncate -s "$(nbdinfo --size "$uri")" copy.raw
        vdisk_stop
        apply "diff/snapshot/s$((step - 1))..snapshot/s$step"
        vdisk_start disk.qcow2
        nbdcopy "nbd+unix:///snapshot/s$step?socket=$socket" wanted.raw
        vdisk_stop
        cmp wanted.raw copy.raw || die "$*: increment $step"
    done
    assert_same_content qcow2 disk.qcow2 raw copy.raw
    checked "increments: $*"
}

for cluster in 4096 65536 2097152; do
    past "$cluster"
    increments "$cluster"
done
# Subclusters of 4096 bytes.
unit=4096
past 131072 extended_l2=on
increments 131072 extended_l2=on

# By a bitmap of 4096 bytes, which is finer than clusters.
qemu-img create -q -f qcow2 disk.qcow2 4M
qemu-io -f qcow2 -c "write -P 1 0 4M" disk.qcow2 > io.log
qemu-img convert -f qcow2 -O raw disk.qcow2 copy.raw
qemu-img bitmap --add -g 4096 disk.qcow2 b
qemu-io -f qcow2 -c "write -P 0 4096 4096" -c "write -P 2 1M 70000" \
    -c "write -z 3M 65536" disk.qcow2 > io.log
apply bitmap/b
assert_same_content qcow2 disk.qcow2 raw copy.raw
