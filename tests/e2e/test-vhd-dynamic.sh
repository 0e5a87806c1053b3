#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Dynamic VHDs: random ones, every block size, blocks in any order, the
# largest disk there is.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 "$e2e/vhd_dynamic.py"
