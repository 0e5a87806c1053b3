#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Images that an NBD server serves as they are: with format=... they are what
# they are as files.  Never guessed; where they may refer to.

. "$(dirname "$0")/functions.sh"
requires_library nbd

export VDISK=${VDISK:-$top/tools/vdisk}

# same_as_file IMAGE FORMAT: whatever can be had of the file can be had of
# $origin, and is the same.
same_as_file ()
{
    local image=$1 format=$2 command status other

    for command in "map --output=human" "map --output=qemu" \
                   "map --output=nbdinfo" "map --totals" \
                   "check --output=json" "info --output=json"; do
        status=0 other=0
        # shellcheck disable=SC2086
        "$VDISK" $command --format=$format "$image" > ours 2>&1 || status=$?
        # shellcheck disable=SC2086
        "$VDISK" $command --format=$format "$origin" > theirs 2>&1 ||
            other=$?
        [ $status -eq $other ] ||
            die "$command: status $other, not $status: $(cat theirs)"
        # The name differs, and the size that the file takes is not known.
        # So does what QEMU's map says of files that have holes.
        sed -i -e "s|$image|IMAGE|g" -e '/"actual-size"/d' ours
        sed -i "s|$origin|IMAGE|g" theirs
        cmp ours theirs || {
            diff ours theirs | head -n 20 >&2
            die "$image: $command"
        }
    done
    checked "$image: map, check, info"
}

# same_disk: $uri has the bytes and the block status of the disk in $image.
same_disk ()
{
    nbdcopy "$uri" theirs.raw
    cmp disk.raw theirs.raw
    nbdinfo --map --json "$uri" > theirs.map
    diff disk.map theirs.map >&2
    rm theirs.raw
}

keep_disk ()
{
    nbdcopy "$uri" disk.raw
    nbdinfo --map --json "$uri" > disk.map
}

# served IMAGE FORMAT [NBDKIT-ARG...]
served ()
{
    local image=$1 format=$2

    shift 2
    python3 -c 'import expect, sys; expect.settle(sys.argv[1])' "$image"
    with_vdisk "$image" "format=$format" -- keep_disk
    origin_start "$@" file "$image"
    same_as_file "$image" "$format"
    with_vdisk "$origin" "format=$format" -- same_disk
    checked "$image: served"
    origin_stop
}

fill ()
{
    qemu-io -f "$1" -c 'write -P 1 0 64k' -c 'write -P 2 1M 3M' \
        -c 'write -P 3 9M 100' -c 'write -z 5M 1M' -c 'write -P 4 15M 1M' \
        "$2" > /dev/null
}

qemu-img create -q -f qcow2 plain.qcow2 64M
fill qcow2 plain.qcow2
served plain.qcow2 qcow2
qemu-img create -q -f qcow2 -o cluster_size=512 small.qcow2 16M
fill qcow2 small.qcow2
served small.qcow2 qcow2
qemu-img create -q -f qcow2 -o extended_l2=on sub.qcow2 64M
fill qcow2 sub.qcow2
served sub.qcow2 qcow2
qemu-img convert -c -f qcow2 -O qcow2 plain.qcow2 packed.qcow2
served packed.qcow2 qcow2
qemu-img create -q -f qed disk.qed 64M
fill qed disk.qed
served disk.qed qed
qemu-img create -q -f vpc -o force_size=on dynamic.vhd 64M
fill vpc dynamic.vhd
served dynamic.vhd vhd
qemu-img create -q -f vpc -o subformat=fixed,force_size=on fixed.vhd 32M
fill vpc fixed.vhd
served fixed.vhd vhd
python3 "$e2e/lib/vhd_samples.py" sectors sectors.vhd
python3 "$e2e/lib/vhd_samples.py" blocks blocks.vhd
served sectors.vhd vhd
served blocks.vhd vhd

# An image with holes in its file: clusters that are allocated there are
# zeros, as its server says.
qemu-img create -q -f qcow2 -o preallocation=metadata meta.qcow2 30M
qemu-io -c 'write -P 5 2M 200k' meta.qcow2 > /dev/null
with_vdisk meta.qcow2 -- keep_disk
origin_start file meta.qcow2
with_vdisk "$origin" format=qcow2 -- same_disk
checked "meta.qcow2: holes of the host file"
origin_stop
origin_start --filter=noextents file meta.qcow2
with_vdisk meta.qcow2 host-holes=off -- keep_disk
with_vdisk "$origin" format=qcow2 -- same_disk
checked "meta.qcow2: no holes without block status"
origin_stop
echo "0 $(stat -c %s meta.qcow2) zero" > all-zeros
origin_start --filter=extentlist file meta.qcow2 extentlist=all-zeros
vdisk_map "$origin" format=qcow2 -- '0 31457280 2'
vdisk_map "$origin" format=qcow2 host-holes=off -- '0 31457280 0'
origin_stop

# A damaged one.
cp plain.qcow2 damaged.qcow2
l1=$(od -An -tu8 -j 40 -N 8 --endian=big damaged.qcow2)
patch_file damaged.qcow2 "${l1// /}" 8000000000000200
origin_start file damaged.qcow2
same_as_file damaged.qcow2 qcow2
origin_stop

# --- Never guessed -------------------------------------------------------

origin_start file plain.qcow2
[ "$("$VDISK" info --output=json "$origin" | jq -r .format)" = raw ]
[ "$("$VDISK" info --output=json --format=auto "$origin" |
     jq -r .format)" = raw ]
vdisk_size "$(stat -c %s plain.qcow2)" "$origin"
vdisk_size "$(stat -c %s plain.qcow2)" "$origin" format=auto
vdisk_size $((64 << 20)) "$origin" format=qcow2
fails_with "$origin_socket: footer" "$VDISK" map --format=vhd "$origin"
fails_with "$origin_socket: the raw format has no metadata" \
    "$VDISK" check "$origin"
origin_stop

# --- Few requests --------------------------------------------------------

# Tables are read in pieces of 64 KiB: L2 tables of 64 KiB that lie apart
# take a request each, a BAT of 64 KiB takes one.
qemu-img create -q -f qcow2 -o preallocation=metadata large.qcow2 8G
qemu-img create -q -f vpc -o force_size=on large.vhd 32G
for format in qcow2 vhd; do
    origin_start --filter=log file large.$format logfile="$tmp/log"
    "$VDISK" map --totals --format=$format "$origin" > totals
    reads=$(grep -c ' Read ' log)
    [ "$reads" -le 25 ] || die "$format: $reads reads"
    checked "map of $format: $reads reads"
    origin_stop
done

# --- References ----------------------------------------------------------

mkdir -p images other
qemu-img create -q -f qcow2 images/base.qcow2 1M
qemu-io -c 'write -P 7 64k 64k' images/base.qcow2 > /dev/null

over ()
{
    qemu-img create -q -u -f qcow2 -b "$2" -F qcow2 "images/$1" 1M
    origin_start file "images/$1"
}

map=('0 65536 3' '65536 65536 0' '131072 917504 3')
over relative.qcow2 base.qcow2
refused "backing file 'base\.qcow2' is a relative name" \
    "$origin" format=qcow2
refused "backing file 'base\.qcow2' is a relative name" \
    "$origin" format=qcow2 backing-dir=/
# Only looked at, it is no matter.
"$VDISK" info --output=json --format=qcow2 "$origin" > info.json
[ "$(jq -r '."backing-filename"' info.json)" = base.qcow2 ]
[ "$(jq 'has("full-backing-filename")' info.json)" = false ]
jq -r '."backing-references"[0].error' info.json | grep -q 'relative name'
"$VDISK" check --format=qcow2 "$origin" > /dev/null
# Raw, it is the bytes of the image.
vdisk_size "$(stat -c %s images/relative.qcow2)" "$origin"
origin_stop

over absolute.qcow2 "$tmp/images/base.qcow2"
refused "leads to $tmp/images/base.qcow2, .*backing-dir=$tmp/images" \
    "$origin" format=qcow2
refused "backing-dir=$tmp/images" "$origin" format=qcow2 \
    backing-dir="$tmp/other"
vdisk_map "$origin" format=qcow2 backing-dir="$tmp/images" -- "${map[@]}"
vdisk_map "$origin" format=qcow2 backing-dir=/ -- "${map[@]}"
"$VDISK" info --chain --format=qcow2 --backing-dir=images "$origin" > info.text
grep -q "$tmp/images/base.qcow2" info.text
origin_stop

# From where the socket is nothing is allowed.
cd images
origin_start file absolute.qcow2
cd ..
ln -s "$origin_socket" images/socket
refused "backing-dir=$tmp/images" \
    "nbd+unix:///?socket=$tmp/images/socket" format=qcow2
origin_stop

# To a server, never.
origin_start file images/base.qcow2
uri=$origin
over to-uri.qcow2 "$uri"
for params in '' "backing-dir=/"; do
    # shellcheck disable=SC2086
    refused 'references with a protocol are refused' "$origin" \
        format=qcow2 $params
done
refused 'references with a protocol are refused' images/to-uri.qcow2 \
    backing-dir=/
origin_stop

# A differencing VHD.
python3 "$e2e/lib/vhd_samples.py" chain images
origin_start file images/child.vhd
refused "parent '.*base\.vhd' is a relative name" "$origin" format=vhd \
    backing-dir=/
origin_stop
