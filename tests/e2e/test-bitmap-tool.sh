#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk bitmap lists bitmaps and tells what they say: what QEMU says of each,
# and of their union what it merges them to.

. "$(dirname "$0")/functions.sh"
VDISK=${VDISK:-$top/tools/vdisk}

# theirs IMAGE BITMAP: what QEMU serves.
theirs ()
{
    qemu-nbd -r -t -f qcow2 -k "$tmp/sock" -B "$2" "$1" &
    server_pids+=($!)
    wait_until has_socket listening "$tmp/sock"
    nbdinfo --json --map="qemu:dirty-bitmap:$2" \
        "nbd+unix:///?socket=$tmp/sock"
    kill $!
    wait $! || true
    rm -f "$tmp/sock"
}

qemu-img create -q -f qcow2 disk.qcow2 4M
[ "$("$VDISK" bitmap disk.qcow2)" = '' ]
[ "$("$VDISK" bitmap --output=json disk.qcow2)" = '[]' ]
qemu-img snapshot -c s disk.qcow2
qemu-img bitmap --add -g 4096 disk.qcow2 a
qemu-io -f qcow2 -c 'write 64k 5k' disk.qcow2 > io.log
qemu-img bitmap --disable disk.qcow2 a
qemu-img bitmap --add disk.qcow2 'b c'
qemu-io -f qcow2 -c 'write 1M 1k' -c 'write -z 2M 100k' disk.qcow2 > io.log
cp disk.qcow2 merged.qcow2
qemu-img bitmap --add -g 4096 --disable merged.qcow2 all
qemu-img bitmap --merge a --merge 'b c' merged.qcow2 all

"$VDISK" bitmap disk.qcow2 | awk '{ print $1, $NF, $(NF - 1) }' > got
printf 'bitmap/a KiB 4\nbitmap/b KiB 64\n' | diff -u - got || die "list"
"$VDISK" bitmap disk.qcow2 --output=json | python3 -c '
import json, sys
for view in json.load(sys.stdin):
    print(view["kind"], view["name"], view["granularity"])' > got
printf 'bitmap bitmap/a 4096\nbitmap bitmap/b c 65536\n' | diff -u - got ||
    die "list as JSON"
checked "list"

for name in a 'b c'; do
    theirs disk.qcow2 "$name" > expected
    grep -q dirty expected || die "$name is empty"
    "$VDISK" bitmap --output=nbdinfo-dirty disk.qcow2 "$name" |
        diff -u expected - || die "$name"
    checked "$name"
done
theirs merged.qcow2 all > expected
"$VDISK" bitmap --output nbdinfo-dirty disk.qcow2 a 'b c' |
    diff -u expected - || die "union"
"$VDISK" bitmap disk.qcow2 a --merge='b c' --output=nbdinfo-dirty |
    diff -u expected - || die "--merge"
"$VDISK" bitmap --merge a --merge 'b c' -- disk.qcow2 > got
"$VDISK" map --view='bitmap/a+b c' disk.qcow2 | diff -u - got ||
    die "not what map prints"
"$VDISK" bitmap --output=bitmap --cluster-size=1M --bit-order=msb disk.qcow2 \
    a 'b c' > got
[ "$(od -An -tx1 got | tr -d ' ')" = e0 ] || die "bits: $(od -An -tx1 got)"
checked "union"

# A bitmap that its program did not close.
python3 "$e2e/bitmap_in_use.py" disk.qcow2
"$VDISK" bitmap disk.qcow2 | grep '^bitmap/a .*in use' > /dev/null ||
    die "in use: $("$VDISK" bitmap disk.qcow2)"
fails_with "in use.* a full copy, and a new bitmap, are needed" "$VDISK" bitmap disk.qcow2 a

fails_with 'an image is missing' "$VDISK" bitmap --merge=a
fails_with "there is no such bitmap" "$VDISK" bitmap merged.qcow2 none
fails_with "there is no such bitmap" "$VDISK" bitmap merged.qcow2 a none
fails_with "vdisk bitmap: .*'json' is not a dialect" \
    "$VDISK" bitmap --output=json merged.qcow2 a
fails_with "vdisk bitmap: --output=csi: must be human or json" \
    "$VDISK" bitmap --output=csi merged.qcow2
fails_with "vdisk bitmap: .*--size=8: must be" \
    "$VDISK" bitmap --size=8 merged.qcow2
fails_with "vdisk bitmap: unrecognized option '--add'" \
    "$VDISK" bitmap --add merged.qcow2 b
cp merged.qcow2 copy.qcow2
"$VDISK" bitmap copy.qcow2 a > got
cmp merged.qcow2 copy.qcow2 || die "the image was changed"
