#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nbdkit vdisk as=FORMAT: the file that 'vdisk export' writes, served.

. "$(dirname "$0")/functions.sh"
requires nbdcopy --version
export VDISK=${VDISK:-$top/tools/vdisk}
# The file served is of the same moment as the export.
export SOURCE_DATE_EPOCH=1700000000

qemu-img create -q -f qcow2 disk.qcow2 7000001
qemu-io -f qcow2 -c 'write -q -P 1 0 100k' -c 'write -q -P 2 3M 1M' \
    -c 'write -q -z 5M 64k' -c 'write -q -P 3 6834k 512' disk.qcow2
qemu-img convert -f qcow2 -O raw disk.qcow2 disk.raw

# served FORMAT [OPTION [IMAGE]]: the file is that of 'vdisk export', also where its
# parts are asked for in any order, and its holes are zeros.
served ()
{
    local format=$1 option=${2:-} image=${3:-disk.qcow2} params=("as=$1")

    "$VDISK" export -O "$format" ${option:+"--$option"} "$image" wanted
    [ -z "$option" ] || params+=("as-options=$option")
    with_vdisk "$image" "${params[@]}" -- same_file
    checked "as=$format $option $image"
}

same_file ()
{
    nbdcopy "$uri" copied
    cmp wanted copied
    nbdcopy --allocated --request-size=4096 "$uri" copied
    cmp wanted copied
    python3 "$e2e/parts.py" "$socket" wanted
}

for format in $(nbdkit --dump-plugin "$PLUGIN" |
    sed -n 's/^vdisk_as_\(.*\)=yes$/\1/p')
do
    case $format in
        vhd) served vhd uuid=00112233-4455-6677-8899-aabbccddeeff ;;
        *)   served "$format" ;;
    esac
done

served xva checksum=sha1
served xva prefix=Ref:77
printf '%s' '<value><struct/></value>' > ova.xml
served xva ova-xml=ova.xml
for size in 1 511 512 513 1048575 1048576 1048577 3145729; do
    qemu-img create -q -f qcow2 "size$size.qcow2" 4M
    qemu-io -f qcow2 -c "write -q -P 5 $((size / 2)) 1" "size$size.qcow2"
    qemu-img resize -q -f qcow2 --shrink "size$size.qcow2" "$size" ||
        "$VDISK" info "size$size.qcow2"
    served xva '' "size$size.qcow2"
done

fails_with "as=tar: output 'tar': there is no such format" \
    try_to_serve disk.qcow2 as=tar
fails_with "as=raw: output raw: there is no option 'x'" \
    try_to_serve disk.qcow2 as=raw as-options=x=1
fails_with 'as-options needs as=FORMAT' \
    try_to_serve disk.qcow2 as-options=x=1
