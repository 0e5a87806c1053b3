#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# VHDs on block devices, as Xen has them on logical volumes: the device is
# larger than the image, and is reached by symbolic links.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version
requires test "$(id -u)" -eq 0
requires losetup --version

truncate -s 1M probe.img
probe=$(losetup --find --show "$tmp/probe.img" 2> /dev/null) ||
    skip "no loop devices here"
losetup --detach "$probe"

python3 "$e2e/vhd_block_device.py"
