#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Damaged tables are told, never read as zeros: at the start if that needs
# no look at the whole image, else by an error for what cannot be read.
. "$(dirname "$0")/functions.sh"

python3 "$e2e/vhd_damaged.py"
