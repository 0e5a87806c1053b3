#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Every view of images with a random past, and their differences: snapshots,
# bitmaps, layers.

. "$(dirname "$0")/functions.sh"

views_random ()
{
    python3 "$e2e/views_random.py" "$@" || die "views_random $*"
}

views_random --count 16
views_random --count 12 --backing
views_random --count 12 --bitmaps
