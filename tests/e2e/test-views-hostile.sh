#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Images with 65,536 snapshots, and clients that ask for names as badly as can
# be: time and memory are bounded.

. "$(dirname "$0")/functions.sh"

python3 "$e2e/views_hostile.py" || die views_hostile
