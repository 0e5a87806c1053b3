#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Names of any bytes, from wherever in an image, can be had again from what
# vdisk prints of them.

. "$(dirname "$0")/functions.sh"

export VDISK=${VDISK:-$top/tools/vdisk}

python3 "$e2e/info_names.py" \
    "$(awk -v scale="${VDISK_SCALE:-1}" 'BEGIN { print int (10 * scale) + 1 }')"
