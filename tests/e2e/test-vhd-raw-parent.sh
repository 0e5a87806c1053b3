#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Xen's chains may end in a raw disk, and nothing says so but a parent UUID
# of zeros.  Its holes are holes.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 "$e2e/vhd_raw_parent.py"
