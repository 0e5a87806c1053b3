#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Outputs of disks of 64 TiB: soon there, in little memory, and right anywhere.

. "$(dirname "$0")/functions.sh"
. "$e2e/output.sh"

# The index may take 16 MiB, and the cache of the map is 1 MiB here.  A
# sanitizer needs more, and time.
limit=$((20 << 10)) factor=1
if grep -q __asan_init "$VDISK"; then
    limit=$((4 << 20)) factor=20
fi

build_output_program output_serve
python3 "$e2e/output_large.py" "$tmp/output_serve" "$limit" "$factor"
