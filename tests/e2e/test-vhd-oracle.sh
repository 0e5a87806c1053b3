#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The oracle of the other VHD tests is right: what writes the images, what
# reads them, and QEMU where it can, agree on size, bytes and places of
# blocks.  The plugin is not asked.
. "$(dirname "$0")/functions.sh"

python3 - <<'END' || exit 1
from vhd_check import Checker

with Checker() as check:
    check.oracles("plain-fixed", 100)
    check.oracles("plain-dynamic", 200)
    check.oracles("chain", 100)
END
