#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Incompatible feature bits: dirty is read, corrupt is read with a
# warning, unknown ones are refused.  An autoclear bit about a data file
# that there is not is refused as well.

. "$(dirname "$0")/functions.sh"

make_image ()
{
    qemu-img create -q -f qcow2 -o lazy_refcounts=on "$1" 4M
    qemu-io -c 'write -P 1 100k 1M' -c 'write -z 2M 1M' "$1" > /dev/null
}

serve_and_compare ()
{
    make_image oracle.qcow2
    assert_same_content qcow2 oracle.qcow2 raw "$uri"
}

# Dirty: the refcounts are stale, what we read is not.
make_image dirty.qcow2
python3 "$e2e/lib/qcow2_edit.py" dirty.qcow2 incompatible 1
with_vdisk dirty.qcow2 -- serve_and_compare
if grep -q 'nbdkit:' "$server_log"; then
    die "a word about a dirty image: $(cat "$server_log")"
fi

# Corrupt.
make_image corrupt.qcow2
python3 "$e2e/lib/qcow2_edit.py" corrupt.qcow2 incompatible 2
with_vdisk corrupt.qcow2 -- serve_and_compare
grep -q 'corrupt\.qcow2.*corrupt' "$server_log" ||
    die "no warning of the corrupt bit"
checked "warning: $(grep -m 1 corrupt "$server_log")"

# A bit nobody knows, alone and with known ones.
make_image bit40.qcow2
python3 "$e2e/lib/qcow2_edit.py" bit40.qcow2 incompatible $((1 << 40))
refused 'bit40\.qcow2: .*(40|0x10000000000)' bit40.qcow2
make_image bit5.qcow2
python3 "$e2e/lib/qcow2_edit.py" bit5.qcow2 incompatible $((1 << 5 | 1))
refused 'bit5\.qcow2: .*(5|0x20)' bit5.qcow2

# What QEMU does not read either; it can be described, and checked.
export VDISK=${VDISK:-$top/tools/vdisk}
make_image raw.qcow2
python3 "$e2e/lib/qcow2_edit.py" raw.qcow2 autoclear 2
! qemu-img convert -f qcow2 -O raw raw.qcow2 raw 2> /dev/null ||
    die "QEMU reads it"
refused 'raw\.qcow2: header: .*autoclear feature bit 1' raw.qcow2
"$VDISK" info raw.qcow2 > /dev/null
status=0
"$VDISK" check raw.qcow2 > found || status=$?
[ $status -eq 2 ] || die "check: status $status"
grep -q 'error: header: .*autoclear feature bit 1' found ||
    die "check does not tell: $(cat found)"
checked "$(head -n 1 found)"
