#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Images made to keep those busy who map, describe, check or serve them.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

requires truncate -s 15T sparse
rm -f sparse
requires prlimit --version
python3 "$e2e/map_hostile.py" || die "map_hostile"
