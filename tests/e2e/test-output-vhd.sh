#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A vhd output has, in whatever order and sizes it is read, the bytes that
# vdisk export writes.

. "$(dirname "$0")/functions.sh"
. "$e2e/output.sh"

build_output_read

python3 "$e2e/output_vhd.py"
