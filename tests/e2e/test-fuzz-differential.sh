#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Images whose metadata is damaged: what QEMU reads of them we read the
# same, or there is a reason.  See tests/fuzz/differential.py, which can do
# this for as long as one likes.

. "$(dirname "$0")/functions.sh"

requires qemu-img --version
images=$(python3 -c 'import os
print(int(900 * float(os.environ.get("VDISK_SCALE", "1"))))')
python3 "$top/tests/fuzz/differential.py" --images "$images" --time 25 \
    > out ||
    { cat out; die "they do not agree"; }
cat out
sed -n 's/^images compared: //p' out |
    while read -r n; do echo "$n $n" >> "$VDISK_COUNTS"; done
