#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What vdisk export writes, and what outputs are read, has the digests that
# are kept: the bytes do not change from one version to the next.

. "$(dirname "$0")/functions.sh"
. "$e2e/output.sh"

build_output_read

python3 "$e2e/export_digests.py" check
