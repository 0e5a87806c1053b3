#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export where there is no room for it: exit status 1, one message that
# says how far it got, and nothing left behind.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

qemu-img create -q -f qcow2 disk.qcow2 64M
qemu-io -f qcow2 -c 'write -q -P 1 1M 30M' -c 'write -q -P 2 40M 10M' \
    disk.qcow2
head -c 30000000 /dev/urandom > noise
qemu-img convert -f raw -O qcow2 noise noise.qcow2
rm noise

# A device that is always full.
for output in "${outputs[@]}"; do
    error "No space left on device.*$how_far" -O "$output" disk.qcow2 \
        /dev/full
    [ -c /dev/full ] || die "/dev/full is gone"
    status=0
    "$VDISK" export -O "$output" disk.qcow2 - > /dev/full 2> said ||
        status=$?
    told "-O $output > /dev/full" "No space left on device.*$how_far"
done

# A limit on the size of files, whatever the signal for it would do.
limited ()
{
    ( [ "$1" = default ] || trap '' XFSZ
      ulimit -f 20000
      "$VDISK" export "${@:2}" disk.qcow2 out 2> said )
}
for output in "${outputs[@]}"; do
    for signal in default ignored; do
        status=0
        limited $signal -O "$output" || status=$?
        told "-O $output, with files up to 20 MB" 'out: .*File too large'
        [ ! -e out ] || die "half a file is left"
    done
    status=0
    ( ulimit -f 20000
      "$VDISK" export -O "$output" disk.qcow2 - > large 2> said ) ||
        status=$?
    told "-O $output to standard output" 'standard output: .*File too large'
done
status=0
( ulimit -f 20000; "$VDISK" export --prealloc disk.qcow2 out 2> said ) ||
    status=$?
told "--prealloc, with files up to 20 MB" 'out: .*File too large'
[ ! -e out ] || die "half a file is left"

# A small file system.
requires test "$(id -u)" -eq 0
mkdir small
mount -t tmpfs -o size=16M none small 2> /dev/null ||
    skip "no file systems can be mounted"
on_exit umount "$tmp/small"
for options in '' --prealloc '-O qcow2' '-O qcow2 --compression=zlib' \
               '-O qcow2 --detect-zeroes' '-O vhd' '-O vhd --fixed' \
               '-O xva' '-O chunked' --detect-zeroes --threads=1; do
    status=0
    # shellcheck disable=SC2086
    "$VDISK" export $options noise.qcow2 small/out 2> said || status=$?
    told "16 MB for 30, $options" 'small/out: .*No space left on device'
    [ -z "$(ls -A small)" ] || die "something is left: $(ls small)"
done
