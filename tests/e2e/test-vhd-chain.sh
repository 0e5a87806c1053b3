#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Chains of differencing VHDs: random ones, deep ones, children larger and
# smaller than their parents, chains of nothing.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 "$e2e/vhd_chain.py"
