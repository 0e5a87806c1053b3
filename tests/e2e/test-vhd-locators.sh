#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# How a differencing VHD finds its parent: locators of every kind, the
# name, and what is refused or warned about.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 "$e2e/vhd_locators.py"
