#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Layers that the user names are what QEMU makes of a json: name that says the
# same, whatever the images record.

. "$(dirname "$0")/functions.sh"
export VDISK=$top/tools/vdisk

python3 "$e2e/told_layers.py" --count 12 || die "told_layers.py"
