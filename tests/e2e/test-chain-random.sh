#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Chains of two to six images of mixed formats and sizes, and of thirty.

. "$(dirname "$0")/functions.sh"

random_chains --count 130 --depth 2-6
random_chains --count 12 --depth 2-3 --commands 20-60
random_chains --count 3 --depth 30-30 --commands 0-6
