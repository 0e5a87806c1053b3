#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export waits until what it has written is on the disk, and fails if
# it cannot be; --no-flush does not.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

# dlsym is in libc, or in a library of its own.
cc -O2 -shared -fPIC -o "$tmp/faults.so" "$e2e/faults.c" -ldl
preload="${NBDKIT_PRELOAD:-} $tmp/faults.so"
export VDISK_FAULTS=$tmp/faults

qemu-img create -q -f qcow2 disk.qcow2 8M
qemu-io -f qcow2 -c 'write -q -P 1 1M 3M' disk.qcow2
mkdir dir

# fault CALL ERRNO SKIP EVERY NAME
fault () { echo "$*" > faults; }
export_it () { LD_PRELOAD=$preload "$VDISK" export "$@" 2> said; }
# fails REGEX ARG...: and nothing is left in the directory "dir".
fails ()
{
    local regex=$1

    shift
    status=0
    export_it "$@" || status=$?
    told "$(cat faults): $*" "$regex"
    [ -z "$(ls -A dir)" ] || die "something is left: $(ls -A dir)"
}
succeeds ()
{
    export_it "$@" || die "$(cat faults): $*: $(cat said)"
    checked "$(cat faults): $*"
    rm -f dir/*
}

for options in '-O raw' '-O raw --prealloc' '-O raw --detect-zeroes' \
               '-O qcow2' '-O qcow2 -c' '-O vhd' '-O vhd --fixed' '-O xva' \
               '-O chunked'; do
    fault fdatasync 5 0 1 dir/out
    # shellcheck disable=SC2086
    fails "out: flushing: Input/output error, $how_far" $options disk.qcow2 \
        dir/out
    # Once, however often that would succeed.
    fault fdatasync 5 1 1 dir/out
    # shellcheck disable=SC2086
    succeeds $options disk.qcow2 dir/out
    fault fdatasync 5 0 1 dir/out
    # shellcheck disable=SC2086
    succeeds --no-flush $options disk.qcow2 dir/out
done
fault fdatasync 28 0 1 dir/out
fails 'out: flushing: No space left on device' disk.qcow2 dir/out
fault fdatasync 4 0 2 dir/out
succeeds disk.qcow2 dir/out

# The directory of a new file, where it really is.
fault fsync 5 0 1 /dir
fails 'out: flushing its directory: Input/output error' disk.qcow2 dir/out
ln -s dir/out link
fails 'link: flushing its directory: Input/output error' disk.qcow2 link
succeeds --no-flush disk.qcow2 dir/out
echo old > dir/out
succeeds disk.qcow2 dir/out
# Some file systems have nothing to flush there.
fault fsync 22 0 1 /dir
succeeds disk.qcow2 dir/out
# It may not be readable.
fault open 13 0 1 /dir/
succeeds disk.qcow2 dir/out

# Standard output.
export SOURCE_DATE_EPOCH=1700000000
uuid=01234567-89ab-cdef-0123-456789abcdef
for output in "${outputs[@]}"; do
    options=(-O "$output")
    [ "$output" != vhd ] || options+=("--uuid=$uuid")
    fault fdatasync 5 0 1 /stream
    status=0
    export_it "${options[@]}" disk.qcow2 - > stream || status=$?
    told "-O $output > stream" 'standard output: flushing: Input/output error'
    export_it --no-flush "${options[@]}" disk.qcow2 - > stream
    fault fdatasync 22 0 1 ']'
    export_it "${options[@]}" disk.qcow2 - | cat > piped
    cmp stream piped
    checked "-O $output to a pipe"
done
export_it disk.qcow2 /dev/null
checked "to /dev/null"

# Devices.
: > faults
if [ "$(id -u)" -eq 0 ] && truncate -s 16M disk.img &&
   device=$(losetup --find --show disk.img 2> /dev/null); then
    on_exit losetup --detach "$device"
    fault fdatasync 5 0 1 "$device"
    status=0
    export_it disk.qcow2 "$device" || status=$?
    told "to $device" "$device: flushing: Input/output error"
    export_it --no-flush disk.qcow2 "$device"
    checked "$device --no-flush"
else
    echo "note: no loop devices here"
fi
