#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Eight clients of one server, with many requests each in flight: bytes
# and block status stay right, with caches that hold everything and with
# caches that hold next to nothing.

. "$(dirname "$0")/functions.sh"

parallel ()
{
    python3 "$e2e/parallel_clients.py" "$@" || die "parallel_clients $*"
}

# A chain with compressed clusters and holes of all kinds.
python3 "$e2e/lib/mixed_chain.py" 64 200 300 100
parallel qcow2 top.qcow2
parallel qcow2 top.qcow2 cache-size=64k
qemu-img convert -c -f qcow2 -O qcow2 -o compression_type=zstd top.qcow2 \
    packed.qcow2
parallel qcow2 packed.qcow2
parallel qcow2 packed.qcow2 cache-size=64k
qemu-img convert -f qcow2 -O vpc -o subformat=dynamic,force_size=on \
    top.qcow2 disk.vhd
parallel vpc disk.vhd
qemu-img convert -f qcow2 -O qed top.qcow2 disk.qed
parallel qed disk.qed cache-size=64k
