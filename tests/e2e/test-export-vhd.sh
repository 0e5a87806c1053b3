#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export -O vhd: dynamic and fixed disks, whose size every reader
# agrees on, and whose sector bitmaps are exact.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

python3 "$e2e/export_vhd.py"

# --- What is in a footer

"$VDISK" export -O vhd disk.qcow2 one.vhd
"$VDISK" export -O vhd disk.qcow2 two.vhd
identity () { "$VDISK" info --output=json "$1" |
    jq -r '."format-specific".data.uuid'; }
[ "$(identity one.vhd)" != "$(identity two.vhd)" ]
checked "a UUID of its own for each"
jq_of () { "$VDISK" info --output=json one.vhd |
    jq -e ".\"format-specific\".data | $1" > /dev/null || die "$1"; }
jq_of '.creator == "vdsk"'
jq_of '."original-size" == 8388608 and ."current-size" == 8388608'
jq_of '."size-seen-by" | .[] | . == 8388608'
checked "all see the same size"
made=$(date -u -d "$("$VDISK" info --output=json one.vhd |
    jq -r '."format-specific".data."time-stamp"')" +%s)
now=$(date +%s)
if [ "$made" -gt "$now" ] || [ "$made" -lt $((now - 120)) ]; then
    die "the time stamp is $made, it is $now"
fi
checked "the time stamp is now"
"$VDISK" check one.vhd > /dev/null
"$VDISK" export -O vhd --fixed disk.qcow2 fixed.vhd
"$VDISK" check fixed.vhd > /dev/null
checked "vdisk check"
[ "$(stat -c '%b' fixed.vhd)" -lt 4000 ] || die "fixed.vhd is not sparse"
checked "a fixed disk is a sparse file"

# --- The same bytes in any way

export SOURCE_DATE_EPOCH=1700000000
uuid=--uuid=01234567-89ab-cdef-0123-456789abcdef
for options in '' '--block-size=4k' --fixed; do
    # shellcheck disable=SC2086
    for threads in 1 2 8 64; do
        "$VDISK" export -O vhd $options $uuid --threads=$threads \
            child.vhd $threads.vhd
        cmp 1.vhd $threads.vhd
        "$VDISK" export -O vhd $options $uuid --threads=$threads \
            child.vhd - | cat > pipe.vhd
        cmp 1.vhd pipe.vhd
    done
    checked "the same with all numbers of threads, to files and pipes"
done
unset SOURCE_DATE_EPOCH

# --- Too large, and wrong use

truncate -s $((2040 << 30)) limit.raw
"$VDISK" export -O vhd --format=raw limit.raw limit.vhd
[ "$("$VDISK" info --output=json limit.vhd | jq '."virtual-size"')" = \
  $((2040 << 30)) ]
checked "2040 GiB"
truncate -s $(((2040 << 30) + 1)) limit.raw
for options in '' --fixed --measure --block-size=16M; do
    # shellcheck disable=SC2086
    error '2040 GiB' -O vhd --format=raw $options limit.raw out
done

wrong ()
{
    local regex=$1

    shift
    usage "$regex" -O vhd "$@" disk.qcow2 out
}
for size in 0 512 2048 3M 4G '' x; do
    wrong 'block-size' --block-size="$size"
done
for text in '' x 01234567-89ab-cdef-0123-456789abcde \
            01234567-89ab-cdef-0123-456789abcdefg; do
    wrong 'uuid' --uuid="$text"
done
wrong 'parent|fixed' --fixed --parent=sectors.vhd
for size in 0 511 1000 3M 2G '' x; do
    wrong 'round' --round="$size"
done
wrong 'round.*parent' --round=1M --parent=sectors.vhd
usage 'round goes with -O vhd' -O raw --round=1M disk.qcow2 out
