#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nbdkit vdisk as-options=...: commas between options, and in their values.

. "$(dirname "$0")/functions.sh"
requires nbdcopy --version
export VDISK=${VDISK:-$top/tools/vdisk}

qemu-img create -q -f qcow2 disk.qcow2 3M
qemu-io -f qcow2 -c 'write -q -P 1 1M 64k' disk.qcow2

# same_as OPTIONS TOOL-OPTION...: what is served with these as-options is the
# file that vdisk export writes with those.
same_as ()
{
    local given=$1

    shift
    "$VDISK" export -O xva "$@" disk.qcow2 wanted
    with_vdisk disk.qcow2 as=xva "as-options=$given" -- copied
    cmp wanted got || die "not the same: as-options=$given"
    checked "as-options=$given"
}

copied ()
{
    nbdcopy "$uri" got
}

for name in 'a,b' ',a,' 'a,,b' ','; do
    echo "<$name/>" > "$name"
    doubled=${name//,/,,}
    same_as "ova-xml=$doubled" --ova-xml="$name"
    same_as "prefix=Ref:7,ova-xml=$doubled,checksum=sha1" --prefix=Ref:7 \
        --checksum=sha1 --ova-xml="$name"
done
# A comma alone ends an option, also the last.
same_as 'prefix=Ref:7,' --prefix=Ref:7
same_as '' --prefix=Ref:0

fails_with "as=xva: output xva: option 'b' must be NAME=VALUE" \
    try_to_serve disk.qcow2 as=xva as-options=ova-xml=a,b
fails_with "as=xva: output xva: option 'prefix:Ref:1,checksum' must be" \
    try_to_serve disk.qcow2 as=xva as-options=prefix:Ref:1,,checksum
