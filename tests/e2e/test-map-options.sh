#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk map: ranges, wrong options, help, and output that goes nowhere.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

# usage REGEX ARG...: wrong use; the exit status is 2.
usage ()
{
    local regex=$1 status=0

    shift
    fails_with "$regex" "$VDISK" "$@"
    "$VDISK" "$@" > /dev/null 2>&1 || status=$?
    [ $status -eq 2 ] || die "status $status of $*"
}

# error REGEX ARG...: the exit status is 1.
error ()
{
    local regex=$1 status=0

    shift
    fails_with "$regex" "$VDISK" "$@"
    "$VDISK" "$@" > /dev/null 2>&1 || status=$?
    [ $status -eq 1 ] || die "status $status of $*"
}

qemu-img create -q -f qcow2 disk.qcow2 10M
qemu-io -c 'write -P 1 1M 1M' disk.qcow2 > /dev/null

# --- Ranges

imageio () { "$VDISK" map --output=imageio "$@" disk.qcow2; }

[ "$(imageio --start=1536k --length=1M)" = \
  '[{"start": 1572864, "length": 524288, "zero": false, "hole": false}, {"start": 2097152, "length": 524288, "zero": true, "hole": true}]' ]
[ "$(imageio --start 9M)" = "$(imageio --start=9437184)" ]
[ "$(imageio --start=1 --length=1)" = \
  '[{"start": 1, "length": 1, "zero": true, "hole": true}]' ]
[ "$(imageio --start=10M)" = '[]' ]
[ "$(imageio --length=0)" = '[]' ]
[ "$(imageio --start=0M --length=10240K)" = "$(imageio)" ]
checked "ranges"
error '^vdisk: --start: offset 10485761 is beyond .* \(10485760 bytes\)' \
    map --start=10485761 disk.qcow2
error '^vdisk: --length: 2 bytes at offset 10485759 reach beyond' \
    map --start=10485759 --length=2 disk.qcow2
error 'beyond the end' map --length=8388608T disk.qcow2
error 'beyond the end' map --length=18446744073709551615 disk.qcow2
for n in '' x -1 ' 1' 1x 1kk 1.5M 0x10 16777216T 18446744073709551616; do
    usage "^vdisk map: --start: '$n' is not a number of bytes" \
        map --start="$n" disk.qcow2
done

# --- Wrong options

usage "'json' is not a dialect: there are human, qemu, intervals, clusters, nbdinfo, imageio, nbd-extents, svg, blocks, nbdinfo-dirty, imageio-dirty, csi, cbt, cbt-base64, bitmap$" \
    map --output=json disk.qcow2
usage 'not a power of two' map --output=clusters --cluster-size=65537 disk.qcow2
usage 'at least 512' map --output=clusters --cluster-size=256 disk.qcow2
usage 'at least 512' read_headers --cluster-size=0 disk.qcow2
usage 'goes with' map --cluster-size=64k disk.qcow2
usage 'neither 7.2 nor 10.0' map --output=qemu --qemu-version=8 disk.qcow2
usage 'goes with' map --qemu-version=7.2 disk.qcow2
usage 'goes with' map --totals --output=svg disk.qcow2
usage "--bit-order: 'big' is neither lsb nor msb" \
    map --output=bitmap --bit-order=big disk.qcow2
usage 'goes with' map --output=cbt --bit-order=msb disk.qcow2
usage 'goes with' map --output=cbt --cluster-size=4k disk.qcow2
usage 'image is missing' map
usage 'image is missing' read_headers
usage 'only one image' map disk.qcow2 disk.qcow2
usage '--nonsense' map --nonsense disk.qcow2
usage '--output' read_headers --output=qemu disk.qcow2
usage '--format=vmdk: ' map --format=vmdk disk.qcow2
error 'none.qcow2: No such file' map none.qcow2
error 'none.qcow2: No such file' read_headers_interval none.qcow2

# --- Help names the options that are taken, and no others

for command in map read_headers read_headers_interval; do
    "$VDISK" $command --help > help
    head -n 1 help | grep -q "^Usage: vdisk $command \[OPTION\]... IMAGE$"
    grep -o '^ *--[a-z-]*' help | tr -d ' ' | sort > named
    case $command in
        map) options='bit-order cluster-size help length output qemu-version
                      start totals' ;;
        *)   options='cluster-size help' ;;
    esac
    for option in $options backing-dir cache-size compare force-share format \
                           host-holes ignore-parent-id layer layer-format \
                           parent-case sector-bitmaps since since-format size \
                           timeout view; do
        echo "--$option"
    done | sort > expected
    diff -u expected named || die "the help of $command"
    for option in $(cat named); do
        "$VDISK" $command "$option" > /dev/null 2> said || true
        ! grep -q 'unrecognized' said || die "$command $option"
    done
    checked "help of $command"
done
for dialect in human qemu intervals clusters nbdinfo imageio nbd-extents \
               svg blocks nbdinfo-dirty imageio-dirty csi cbt cbt-base64 \
               bitmap; do
    "$VDISK" map --help | grep -q "^  $dialect " || die "help of $dialect"
done
for dialect in $("$VDISK" map --help | sed '1,/^Dialects/d' |
                     awk '{ print $1 }'); do
    "$VDISK" map --output="$dialect" disk.qcow2 > /dev/null
done

# --- Every JSON is JSON

for dialect in qemu intervals clusters nbdinfo imageio nbd-extents \
               nbdinfo-dirty imageio-dirty csi; do
    "$VDISK" map --output=$dialect disk.qcow2 | python3 -m json.tool \
        > /dev/null || die "$dialect"
done
checked "JSON"

# --- Output that goes nowhere

for options in --output=human --output=qemu --output=intervals --totals \
               --output=svg --output=blocks --output=nbdinfo; do
    status=0
    "$VDISK" map $options disk.qcow2 > /dev/full 2> said || status=$?
    [ $status -eq 1 ] || die "status $status of $options > /dev/full"
    grep -q '^vdisk: standard output: No space left on device$' said ||
        die "$options > /dev/full: $(cat said)"
    [ "$(wc -l < said)" -eq 1 ]
done
checked "/dev/full"
# More than fits in a pipe.
qemu-img create -q -f qcow2 -o cluster_size=512 many.qcow2 4M
python3 -c 'for n in range(0, 8192, 2): print("write -P 1 %d 512" % (n * 512))' |
    qemu-io many.qcow2 > /dev/null
for options in --output=human --output=qemu --output=intervals; do
    "$VDISK" map $options many.qcow2 2> said | head -c 1 > /dev/null
    [ "${PIPESTATUS[0]}" -eq 0 ] || die "$options | head"
    [ ! -s said ] || die "$options | head: $(cat said)"
done
checked "closed pipe"

# --- Damage: what comes before it is told, then the error

qemu-img create -q -f qcow2 -o cluster_size=64k bad.qcow2 2G
qemu-io -c 'write -P 1 0 64k' -c 'write -P 1 1G 64k' bad.qcow2 > /dev/null
python3 "$e2e/lib/qcow2_edit.py" bad.qcow2 l2 $((1 << 30)) 0x8000000000000100
error 'bad.qcow2: L2 table' map --output=qemu bad.qcow2
grep -q '"start": 0' failure.log
! "$VDISK" map --output=qemu bad.qcow2 2> /dev/null |
    python3 -m json.tool > /dev/null 2>&1 || die "half a map is JSON"
checked "damage"
