#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export from NBD servers, and raw into them.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"
requires_library nbd
requires nbdcopy --version

python3 "$e2e/export_nbd.py"
