#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A disk that an NBD server serves: bytes and block status are the server's,
# for the tool and, through the plugin, for clients.

. "$(dirname "$0")/functions.sh"
requires_library nbd

export VDISK=${VDISK:-$top/tools/vdisk}

# What nbdinfo prints of a map if data is all that a server can say of what
# does not read as zeros: flags 1 mean as much as 0.
nbdinfo_map ()
{
    nbdinfo --map --json "$1" | python3 "$e2e/lib/extents.py" zero
}

vdisk_map_of ()
{
    "$VDISK" map --output=nbdinfo "$@" |
        jq -r '.[] | "\(.offset) \(.length) \(.type)"'
}

# The plugin's $uri and the origin's are the same disk.
same_through_plugin ()
{
    nbdinfo_map "$uri" > plugin.map
    cmp served.map plugin.map || die "the plugin's map"
    nbdcopy "$uri" plugin.raw
    cmp served.raw plugin.raw || die "the plugin's bytes"
    rm plugin.raw
}

# nbdcopy does not heed a maximum block size.
copy_options=()

# same WHAT: everything that can be had of $origin, directly and through
# vdisk.
same ()
{
    nbdinfo_map "$origin" > served.map
    vdisk_map_of "$origin" > tool.map
    cmp served.map tool.map || die "the tool's map: $*"
    nbdcopy "${copy_options[@]}" "$origin" served.raw
    with_vdisk "$origin" -- same_through_plugin
    with_vdisk "$origin" cache-size=64k format=raw -- same_through_plugin
    checked "$* ($(wc -l < served.map) extents)"
}

# same_as_qemu: qemu-img map of the same server.
same_as_qemu ()
{
    local version=10.0

    qemu-img map --output=json -f raw "$origin" > theirs
    grep -q compressed theirs || version=7.2
    "$VDISK" map --output=qemu --qemu-version=$version "$origin" > ours
    cmp theirs ours || die "qemu-img map: $*"
    checked "qemu-img map: $*"
}

# --- Servers -------------------------------------------------------------

qemu-img create -q -f raw sparse.raw 40M
qemu-io -f raw -c 'write -P 1 1M 300k' -c 'write -P 2 17M 5M' \
    -c 'write -P 3 40956k 4k' sparse.raw > /dev/null
origin_start file sparse.raw
same "nbdkit file"
same_as_qemu "nbdkit file"
origin_stop

origin_start memory 16M
qemu-io -f raw -c 'write -P 1 3M 100k' -c 'write -P 2 9M 1M' "$origin" \
    > /dev/null
same "nbdkit memory"
same_as_qemu "nbdkit memory"
origin_stop

for size in 1 511 512 513 65537 1000001; do
    origin_start pattern $size
    same "nbdkit pattern $size"
    same_as_qemu "nbdkit pattern $size"
    origin_stop
done

origin_start data data='1 2 @1000 3*5000 @70000 4' size=99999
same "nbdkit data"
origin_stop

origin_start --filter=noextents file sparse.raw
same "nbdkit noextents"
[ "$(cat tool.map)" = "0 41943040 0" ]
origin_stop

origin_start --filter=blocksize-policy file sparse.raw \
    blocksize-minimum=4096 blocksize-preferred=65536 \
    blocksize-maximum=65536 blocksize-error-policy=error
copy_options=(--request-size=65536)
same "nbdkit with a minimum and a maximum block size"
copy_options=()
origin_stop

origin_start --filter=extentlist null 1M \
    extentlist=<(printf '%s\n' '0 1000 zero' '1000 24 ' '2048 2048 hole' \
                               '8192 1 hole,zero' '9000 9000 zero')
same "nbdkit extentlist"
origin_stop

: > empty.raw
origin_start file empty.raw
[ "$("$VDISK" map --output=nbdinfo "$origin" | tr -d '\n ')" = "[]" ]
[ "$("$VDISK" info --output=json "$origin" | jq '."virtual-size"')" = 0 ]
vdisk_size 0 "$origin"
origin_stop

qemu-img create -q -f qcow2 -o preallocation=metadata disk.qcow2 30M
qemu-io -c 'write -P 5 2M 200k' -c 'write -z 5M 1M' -c 'write -z -u 9M 1M' \
    disk.qcow2 > /dev/null
for options in '' '-e 4' '-e 2'; do
    # shellcheck disable=SC2086
    origin_start qemu-nbd -r -t $options -f qcow2 -k SOCKET disk.qcow2
    same "qemu-nbd $options"
    same_as_qemu "qemu-nbd $options"
    origin_stop
done

# vdisk, read by vdisk, read by vdisk.
twice ()
{
    origin=$uri
    same "vdisk plugin on vdisk plugin"
}
with_vdisk disk.qcow2 -- twice
with_vdisk sparse.raw format=raw -- twice

# An export by its name.
mkdir exports
cp sparse.raw exports/one
head -c 100000 /dev/urandom > exports/two
origin_start file dir=exports
base=${origin#nbd+unix:///}
[ "$("$VDISK" info --output=json "nbd+unix:///two$base" |
     jq '."virtual-size"')" = 100000 ]
vdisk_size 41943040 "nbd+unix:///one$base"
fails_with 'nbd\+unix:///three\?socket=.*(No such file|server|export)' \
    "$VDISK" map "nbd+unix:///three$base"
refused 'nbd\+unix:///three\?socket=.*(No such file|server|export)' \
    "nbd+unix:///three$base"
origin_stop

# --- Kinds ---------------------------------------------------------------

# Zeros stay zeros and holes holes; what is a hole but is not said to read
# as zeros is data.
origin_start python3 "$e2e/lib/nbd_server.py" SOCKET --size 100000 \
    --map 1000:0,1000:2,1000:3,1000:1,1000:3,1000:2
"$VDISK" map --output=nbd-extents --length=12000 "$origin" > extents
jq -e '[.[] | [.length, .flags]] == ([[1000, 0], [1000, 2], [1000, 3],
       [1000, 0], [1000, 3], [1000, 2]] | . + .)' extents > /dev/null ||
    die "$(cat extents)"
"$VDISK" map --totals "$origin" > totals
grep -q '^data  *34  *34000 ' totals
grep -q '^zero  *33  *33000 ' totals
grep -q '^hole  *33  *33000 ' totals
same "data, zeros, holes"
# No questions, no holes.
[ "$(vdisk_map_of --host-holes=off "$origin")" = "0 100000 0" ]
vdisk_map "$origin" host-holes=off -- '0 100000 0'
origin_stop

origin_start python3 "$e2e/lib/nbd_server.py" SOCKET --size 1048576 \
    --map 65536:0,65536:3,65536:2
same_as_qemu "data, zeros, holes"
origin_stop

# One extent at a time, whatever is asked for.
origin_start python3 "$e2e/lib/nbd_server.py" SOCKET --size 1048576 \
    --map 4096:0,4096:3 --extents 1
same "a server of one extent at a time"
origin_stop
