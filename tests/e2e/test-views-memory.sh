#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A thousand exports of one server are open at once, in 64 MiB.

. "$(dirname "$0")/functions.sh"

python3 "$e2e/views_many.py" many || die "views_many many"
