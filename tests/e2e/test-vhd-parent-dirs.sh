#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A VHD must not lead to files that its user did not mean: its parent lies
# in its directory or below, or in one that was allowed.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 "$e2e/vhd_parent_dirs.py"
