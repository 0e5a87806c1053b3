#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Sector bitmaps count: a clear bit is a hole in a dynamic disk and the
# parent's sector in a differencing one, whatever bytes lie there.  With
# sector-bitmaps=ignore those of dynamic disks do not count.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 "$e2e/vhd_bitmaps.py"

# The tool says so once, whatever it does with the image.
for command in "map first-bits.vhd" "export first-bits.vhd out.raw" \
               "export --threads=8 -O qcow2 first-bits.vhd out.qcow2"; do
    # shellcheck disable=SC2086
    "$top"/tools/vdisk $command > /dev/null 2> log
    [ "$(grep -c . log)" = 1 ] || die "$command: $(cat log)"
    grep -q 'warning: first-bits.vhd: bitmaps: block .* --sector-bitmaps=ignore' \
        log || die "$command: $(cat log)"
    checked "$command: $(cat log)"
done
"$top"/tools/vdisk check first-bits.vhd > log
grep -q '16 of 16 blocks looked at hold bytes .* --sector-bitmaps=ignore' log ||
    die "check: $(cat log)"
checked "$(grep bitmaps log)"
"$top"/tools/vdisk check --sector-bitmaps=ignore first-bits.vhd > log
grep -q 'no errors found' log || die "check: $(cat log)"
