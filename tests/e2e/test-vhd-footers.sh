#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A dynamic or differencing VHD has two footers, and one of them will do.
# With none the image is refused.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 "$e2e/vhd_footers.py"
