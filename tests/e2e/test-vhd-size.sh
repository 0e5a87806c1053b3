#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Which size of the footer counts depends on the creator, unless what the
# file has says otherwise, or the user does with size=.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 "$e2e/vhd_size.py"
