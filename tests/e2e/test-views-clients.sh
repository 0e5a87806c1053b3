#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Eight clients of eight exports of one server, which come and go.

. "$(dirname "$0")/functions.sh"

python3 "$e2e/views_many.py" clients || die "views_many clients"
