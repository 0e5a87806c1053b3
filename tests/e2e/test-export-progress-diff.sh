#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export --progress of what differs from a base: all that is read
# counts, also what has become zeros, and no more.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

qemu-img create -q -f vpc -o force_size=on base.vhd 16M
qemu-io -f vpc -c 'write -q -P 1 0 8M' base.vhd
qemu-img create -q -f qcow2 disk.qcow2 16M
qemu-io -f qcow2 -c 'write -q -P 2 0 1M' -c 'write -q -P 1 4M 4M' \
    -c 'write -q -P 3 12M 1M' disk.qcow2

# whole TOTAL OPTION...: it ends with as much as there is.
whole ()
{
    local total=$1

    shift
    "$VDISK" export --progress=json "$@" disk.qcow2 out > printed
    [ "$(tail -n 1 printed)" = "{\"done\": $total, \"total\": $total}" ] ||
        die "$*: $(tail -n 1 printed)"
    checked "$*: $(tail -n 1 printed)"
}
mib=$((1 << 20))
whole $((2 * mib)) -O qcow2 --diff=base.vhd
whole $((5 * mib)) -O qcow2 --diff=base.vhd -c
whole $((5 * mib)) -O qcow2 --diff=base.vhd --detect-zeroes
whole $((6 * mib)) -O vhd --parent=base.vhd
whole $((6 * mib)) -O vhd --parent=base.vhd --detect-zeroes
