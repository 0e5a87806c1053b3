#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Allocated sectors that lie in a hole of the host's file are zeros by the
# image's word: no data, but no hole that shows a parent either.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version
requires fallocate --version

python3 "$e2e/vhd_host_holes.py"
