#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export --since: any state of images with a random past becomes any
# other, in place and by increments.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

since ()
{
    python3 "$e2e/export_since.py" "$@" || die "export_since $*"
}

since --count 5
since --count 3 --backing
