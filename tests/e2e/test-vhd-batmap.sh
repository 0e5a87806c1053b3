#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Xen's batmap says which blocks are complete, so that their bitmaps need
# not be read; but only as far as its checksum covers it.
#
# A good image has bitmaps that say the same.  The images here do not, to
# see which of the two is believed.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 "$e2e/vhd_batmap.py"
