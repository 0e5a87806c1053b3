#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What all shards of an output cost, against the whole of it.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}
requires test -r /proc/self/io

python3 "$e2e/output_shards.py"
