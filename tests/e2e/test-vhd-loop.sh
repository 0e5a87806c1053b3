#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A chain that comes back to where it was is refused at once, under
# whatever name.
. "$(dirname "$0")/functions.sh"

python3 "$e2e/vhd_loop.py"
