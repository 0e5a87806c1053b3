#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk check of VHDs: nothing is found in good ones, and in damaged ones
# exactly the damage.
. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

# --- Good ones: QEMU's, and random ones with a few flaws -----------------

for options in subformat=dynamic subformat=fixed \
               subformat=dynamic,force_size=on \
               subformat=fixed,force_size=on; do
    for size in 1M 33333760 3G; do
        image=qemu-$options-$size.vhd
        qemu-img create -q -f vpc -o "$options" "$image" "$size"
        qemu-io -f vpc -c 'write -q 100k 300k' -c 'write -q 512k 1k' "$image"
        [ "$size" != 3G ] ||
            qemu-io -f vpc -c 'write -q 2G 5M' -c 'write -q 1G 2M' "$image"
        "$VDISK" check "$image" > check.log || die "$image: $(cat check.log)"
        grep -qx 'no errors found' check.log || die "$(cat check.log)"
        if grep -q '^warning' check.log; then
            die "$image: $(cat check.log)"
        fi
        checked "$image: $(tail -n 2 check.log | tr '\n' ';')"
        rm "$image"
    done
done

python3 "$e2e/check_vhd.py" random

# --- Damage ---------------------------------------------------------------

python3 "$e2e/check_vhd_damage.py"

# --- What cannot be checked -----------------------------------------------

python3 "$e2e/check_vhd.py" unreadable
check_fails ()
{
    local regex=$1 status=0

    shift
    "$VDISK" check "$@" > failure.log 2>&1 || status=$?
    [ "$status" -eq 1 ] || die "status $status of check $*"
    grep -Eq "$regex" failure.log || die "$(cat failure.log)"
    checked "$(cat failure.log)"
}
check_fails 'header: checksum' header.vhd
check_fails 'footer: no cookie.*footer copy: no cookie' --format=vhd none.vhd

# --- Much -----------------------------------------------------------------

# 2 TiB, all allocated, in a file that is nearly all holes: memory is that
# of a window.
python3 "$e2e/check_vhd.py" huge
"$VDISK" check --output=json huge.vhd > huge.json
jq -e '."allocated-clusters" == 1000000 and ."fragmented-clusters" == 0 and
       [.findings[].kind] == ["warning"]' huge.json > /dev/null ||
    die "$(cat huge.json)"
limit=40960
! grep -q __asan_init "$VDISK" || limit=4194304
python3 "$e2e/map_large.py" run $limit "$VDISK" check huge.vhd
