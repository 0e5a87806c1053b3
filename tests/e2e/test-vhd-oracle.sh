#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The oracle of the other VHD tests is right: what writes the images, what
# reads them, and QEMU where it can, agree on size, bytes and places of
# blocks.  The plugin is not asked.
. "$(dirname "$0")/functions.sh"

python3 "$e2e/vhd_oracle.py"
