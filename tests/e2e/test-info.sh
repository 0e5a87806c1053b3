#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# 'vdisk info --output=json' says what 'qemu-img info' says, key by key,
# of images of all formats; and more, where QEMU is silent.

. "$(dirname "$0")/functions.sh"

VDISK=${VDISK:-$top/tools/vdisk}
requires qemu-img --version
requires jq --version

# agrees IMAGE [QEMU-IMG-OPTION...]: every key that qemu-img has, vdisk has
# with the same value.  Keys of LUKS headers are left out: what they say is
# of no use without the key.
agrees ()
{
    local image=$1

    shift
    qemu-img info --output=json "$@" "$image" |
        jq -S 'walk(if type == "object" and .format == "luks"
                    then {format} else . end) | del(.children)' \
        > qemu.json
    "$VDISK" info --output=json "$image" |
        jq -S --slurpfile qemu qemu.json \
            'def shared($q): . as $v | if ($q | type) == "object"
                 then [$q | keys[] | select(in($v))
                       | {key: ., value: (. as $k | $v[$k] | shared($q[$k]))}]
                      | from_entries
                 else . end;
             shared($qemu[0])' > vdisk.json
    diff qemu.json vdisk.json || die "info of $image differs"
    "$VDISK" info "$image" | grep -q '^virtual size: ' ||
        die "no text for $image"
    checked "info of $image"
}

qemu-img create -q -f raw base.raw 9M
qemu-img create -q -f qcow2 base.qcow2 9M
for option in cluster_size=512 cluster_size=2M compat=0.10 compat=1.1 \
    lazy_refcounts=on extended_l2=on refcount_bits=1 refcount_bits=64 \
    compression_type=zstd preallocation=metadata data_file=ext.data \
    data_file=ext2.data,data_file_raw=on
do
    qemu-img create -q -f qcow2 -o "$option" "q-$option.qcow2" 10000384
    agrees "q-$option.qcow2"
done

qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 over.qcow2
qemu-img create -q -f qcow2 -b ./base.raw -F raw over-raw.qcow2
qemu-img create -q -f qcow2 -b "$PWD/base.raw" -F raw over-abs.qcow2
mkdir sub
qemu-img create -q -f qcow2 -b ../base.qcow2 -F qcow2 sub/over.qcow2
for image in over.qcow2 over-raw.qcow2 over-abs.qcow2 sub/over.qcow2; do
    agrees "$image"
done

qemu-img snapshot -c 'first one' over.qcow2
qemu-img snapshot -c zwei over.qcow2
qemu-img bitmap --add over.qcow2 bitmap0
qemu-img bitmap --add --disable -g 512k over.qcow2 bitmap1
agrees over.qcow2

# QEMU measures the machine when it makes a LUKS header, and now and then
# cannot.
for encryption in luks aes; do
    for (( i = 0; i < 20; i++ )); do
        qemu-img create -q -f qcow2 --object secret,id=s,data=x \
            -o "encrypt.format=$encryption,encrypt.key-secret=s" \
            "$encryption.qcow2" 4M && break
    done
    agrees "$encryption.qcow2"
done

qemu-img create -q -f qed disk.qed 10M
agrees disk.qed
qemu-img create -q -f qed -b base.raw -F raw over.qed
agrees over.qed
qemu-img create -q -f vpc disk.vhd 10M
agrees disk.vhd -f vpc

# A reference is named, where it leads or why it may not, and not opened.
qemu-img create -q -f qcow2 -u -b gone.qcow2 -F qcow2 orphan.qcow2 1M
"$VDISK" info orphan.qcow2 | grep -q 'error: .*No such file' ||
    die "a missing backing file is not told"
fails_with 'No such file' "$VDISK" info --chain orphan.qcow2
"$VDISK" info sub/over.qcow2 | grep -q 'error: .*outside the directory' ||
    die "a backing file outside is not told"
fails_with 'backing-dir' "$VDISK" info --chain sub/over.qcow2
checked "references"

"$VDISK" info --chain --output=json --backing-dir=. sub/over.qcow2 |
    jq -e 'length == 2 and .[1]["virtual-size"] == 9437184' > /dev/null ||
    die "the chain"
checked "chain"

# Mistakes.
fails_with 'must be human or json' "$VDISK" info --output=xml disk.qed
fails_with 'an image is missing' "$VDISK" info
fails_with 'only one image' "$VDISK" info disk.qed disk.qed
fails_with 'must be auto, vhd' "$VDISK" info --format=vmdk disk.qed
fails_with 'not recognized' "$VDISK" info base.raw
"$VDISK" info --format=raw base.raw > /dev/null
checked "mistakes"
