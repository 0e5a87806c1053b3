#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# VHDs by the user's word: parents that have moved, that have another UUID, or
# that nobody has recorded, and names that differ in case.

. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 "$e2e/told_layers_vhd.py"
