#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk check of VHDs on block devices: a volume has room before the footer
# or behind it, and that is no leak.
. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}
requires test "$(id -u)" -eq 0
requires losetup --version

truncate -s 1M probe.img
probe=$(losetup --find --show "$tmp/probe.img" 2> /dev/null) ||
    skip "no loop devices here"
losetup --detach "$probe"

python3 "$e2e/check_vhd_device.py"

# check STATUS PATTERN FILE: of the file, and then of a device.
check ()
{
    local status=0

    "$VDISK" check "$3" > check.log 2>&1 || status=$?
    if [ "$status" -ne "$1" ] || ! grep -Eq "$2" check.log; then
        cat check.log >&2
        die "check $3: status $status"
    fi
    checked "check $3: $(grep -Em 1 "$2" check.log)"
}
check_device ()
{
    local device

    device=$(losetup --find --show "$tmp/$3")
    ( check "$1" "$2" "$device" ) || {
        losetup --detach "$device"
        exit 1
    }
    losetup --detach "$device"
}

check 3 '^leak: 5242880 bytes at offset .*blocks: 2' room.vhd
check_device 0 '^no errors found' room.vhd
check 0 '^warning: footer: at offset .*followed by 5242880 bytes' padded.vhd
check_device 0 '^warning: footer: at offset .*followed by' padded.vhd
check_device 3 '^leak: 21.* bytes at offset .*blocks: 1' lost.vhd
