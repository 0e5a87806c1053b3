#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Disks of terabytes, with an L1 table of many clusters, written far apart.

. "$(dirname "$0")/functions.sh"

# huge NAME SIZE CLUSTER OFFSET...
huge ()
{
    local name=$1 size=$2 cluster=$3 offset commands=() n=0

    shift 3
    qemu-img create -q -f qcow2 -o "cluster_size=$cluster" "$name" "$size"
    for offset; do
        n=$((n % 255 + 1))
        commands+=(-c "write -P $n $offset 70000")
        commands+=(-c "write -z $((offset + 262144)) 64k")
    done
    qemu-io -t unsafe -f qcow2 "${commands[@]}" "$name" > /dev/null
    verify "$name"
    checked "$name"
}

T=$((1 << 40))
huge 64T.qcow2 64T 2M 0 $((T - 1000)) $((4 * T - 35000)) $((5 * T)) \
    $((33 * T + 12345)) $((64 * T - 400000))
huge 63T.qcow2 $((63 * T + 512 * 77)) 64k 0 $((T - 1000)) \
    $((4 * T - 35000)) $((5 * T)) $((33 * T + 12345)) $((63 * T - 400000))
huge 5T.qcow2 5T 64k 123456 $((4 * T - 35000)) $((4 * T + (1 << 29))) \
    $((5 * T - 400000))
huge 120G.qcow2 120G 512,refcount_bits=1 0 $((T / 9)) $((T / 10 - 5)) \
    $((120 * (1 << 30) - 400000))

# Random writes all over a few big disks.
random_images --count 8 --size 500G-8T --commands 10-60 \
    --option cluster_size=64k,2M,1M,256k
random_images --count 4 --size 5G-60G --commands 10-40 \
    --option cluster_size=512,4k --option refcount_bits=1
