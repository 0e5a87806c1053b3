#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Images made to keep vdisk check busy, or to make it use much memory.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

requires truncate -s 15T sparse
rm -f sparse
python3 "$e2e/check_hostile.py" || die "check_hostile"
