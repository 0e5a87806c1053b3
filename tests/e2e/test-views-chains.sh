#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The layers of chains, alone and together, and what has changed from one to
# the other: VHDs, and mixtures of formats.

. "$(dirname "$0")/functions.sh"

for kind in vhd mixed; do
    python3 "$e2e/views_chains.py" --count 20 "$kind" ||
        die "views_chains $kind"
done
