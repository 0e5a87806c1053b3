#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A block whose bitmap lies in another block, or over a table, cannot be
# read: what lies there says nothing of its sectors.  All others can.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 "$e2e/vhd_overlaps.py"
