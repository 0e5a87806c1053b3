#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The oracles of the export tests are right: streams made by hand are read,
# and with one thing wrong they are not.  vdisk is not asked.

. "$(dirname "$0")/functions.sh"

for kind in xva chunked qcow2 vhd; do
    python3 "$e2e/check_readers.py" $kind || die "the readers of $kind"
done
