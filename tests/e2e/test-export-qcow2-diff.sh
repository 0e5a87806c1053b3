#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export -O qcow2 --diff: what two disks do not have in common, which
# need not have anything to do with each other.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

python3 "$e2e/export_qcow2_diff.py"

# --- Names in the header, and wrong use

"$VDISK" export -O qcow2 --diff=base.raw --diff-format=raw \
    --backing=../elsewhere/base.img top.qcow2 named.qcow2
qemu-img info -U --output=json named.qcow2 > info.json
jq -e '."backing-filename" == "../elsewhere/base.img" and
       ."backing-filename-format" == "raw"' info.json > /dev/null ||
    die "$(cat info.json)"
checked "a backing file elsewhere need not be there"
"$VDISK" export -O qcow2 --diff=base.vpc --backing=base.vpc \
    middle.qcow2 named.qcow2
[ "$(qemu-img info -U --output=json named.qcow2 |
     jq -r '."backing-filename-format"')" = vpc ] ||
    die "QEMU's name of the format is not recorded"
checked "the format of a VHD has QEMU's name"

wrong ()
{
    local regex=$1

    shift
    usage "$regex" -O qcow2 "$@" top.qcow2 out
}
wrong 'backing.*diff' --backing=base.raw
wrong 'backing-format|backing' --diff=model.qcow2 --backing-format=raw
wrong 'diff-format|diff' --diff-format=raw
wrong 'diff-format|vmdk' --diff=model.qcow2 --diff-format=vmdk
long=$(printf '%01024d' 0)
error 'backing' -O qcow2 --diff=model.qcow2 --backing="$long" top.qcow2 out
error 'none.qcow2: No such file' -O qcow2 --diff=none.qcow2 top.qcow2 out
error 'raw is never guessed' -O qcow2 --diff=base.raw top.qcow2 out

# The options of the source but for its format count for the base.
mkdir far
qemu-img create -q -f qcow2 -b "$tmp/model.qcow2" -F qcow2 far/over.qcow2
error 'backing-dir' -O qcow2 --diff=far/over.qcow2 top.qcow2 out
"$VDISK" export -O qcow2 --diff=far/over.qcow2 --backing-dir="$tmp" \
    --backing=model.qcow2 top.qcow2 out.qcow2
assert_same_content qcow2 top.qcow2 qcow2 out.qcow2
