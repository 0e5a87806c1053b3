#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Random images and chains of every format, exported in random ways.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

python3 "$e2e/random_exports.py" --count 40 --ways 3 || die "random exports"
