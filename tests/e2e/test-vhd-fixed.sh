#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Fixed VHDs: all of the disk is data, and the footer is no part of it.
# They are recognized by their footer, though QEMU takes them for raw.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 "$e2e/vhd_fixed.py"
