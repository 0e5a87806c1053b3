#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# QCOW2 images damaged with care, and at random: vdisk check says what
# qemu-img check says, except where check_damage.py has a reason.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

python3 "$e2e/check_damage.py" || die "check_damage"
python3 "$e2e/check_noise.py" 200 || die "check_noise"
