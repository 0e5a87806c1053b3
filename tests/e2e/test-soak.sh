#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Clients that come and go, for SOAK_TIME seconds (12): what they read is
# right, and memory does not grow.  'make soak' takes longer.

. "$(dirname "$0")/functions.sh"

# A chain with a bit of everything, and images of all formats made of it.
python3 "$e2e/lib/mixed_chain.py" 48 150 200 80
qemu-img convert -c -f qcow2 -O qcow2 -o compression_type=zstd top.qcow2 \
    zstd.qcow2
qemu-img convert -f qcow2 -O vpc -o subformat=dynamic,force_size=on \
    top.qcow2 disk.vhd
qemu-img convert -f qcow2 -O qed top.qcow2 disk.qed
qemu-img convert -f qcow2 -O raw top.qcow2 disk.raw
python3 "$e2e/soak.py" "${SOAK_TIME:-12}" \
    qcow2:top.qcow2,cache-size=256k qcow2:zstd.qcow2 vpc:disk.vhd \
    qed:disk.qed,cache-size=64k raw:disk.raw ||
    die "soak"
