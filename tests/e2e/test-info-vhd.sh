#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk info of VHDs: every value is what was written, and what QEMU shows
# too is as QEMU has it.
. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

python3 "$e2e/info_vhd.py"
