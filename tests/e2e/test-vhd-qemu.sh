#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Dynamic and fixed VHDs that QEMU made and wrote to: its geometry, its
# rounding of sizes, its bitmaps.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 "$e2e/vhd_qemu.py"
