#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Failing disks: errors, short reads, interrupted calls, stale handles,
# files that are cut short, deleted or replaced, while opened and while
# served.  Requests fail with EIO and a message, or give the right bytes;
# the server lives, and the next good request works.

. "$(dirname "$0")/functions.sh"

export VDISK=${VDISK:-$top/tools/vdisk}
# dlsym is in libc, or in a library of its own.
cc -O2 -shared -fPIC -o "$tmp/faults.so" "$e2e/faults.c" -ldl
tool_preload="${NBDKIT_PRELOAD:-} $tmp/faults.so"
export NBDKIT_PRELOAD="${NBDKIT_PRELOAD:-} $tmp/faults.so"

faults () { python3 "$e2e/faults.py" "$@" || die "faults $*"; }

# A raw base with holes, a compressed layer, and one on top.
qemu-img create -q -f raw base.raw 4M
for (( i = 0; i < 16; i++ )); do
    echo "write -P $((i + 1)) $((i * 256))k $((i * 8 + 8))k"
done > commands
qemu-io -f raw base.raw < commands > /dev/null
qemu-img create -q -f qcow2 -o cluster_size=4k -b base.raw -F raw \
    middle.qcow2
for (( i = 0; i < 100; i++ )); do
    echo "write -c -P $((i + 50)) $((i * 40))k 4k"
done | qemu-io -f qcow2 middle.qcow2 > /dev/null
qemu-img create -q -f qcow2 -o cluster_size=4k -b middle.qcow2 -F qcow2 \
    top.qcow2
for (( i = 0; i < 50; i++ )); do
    echo "write -P $((i + 150)) $((i * 80 + 8))k 5000"
done | qemu-io -f qcow2 top.qcow2 > /dev/null
faults qcow2 top.qcow2 top.qcow2 middle.qcow2 base.raw

qemu-img convert -f qcow2 -O raw top.qcow2 disk.raw
faults raw disk.raw disk.raw
qemu-img convert -f qcow2 -O qed -o cluster_size=4k top.qcow2 disk.qed
faults qed disk.qed disk.qed
qemu-img convert -f qcow2 -O vpc -o subformat=dynamic,force_size=on \
    top.qcow2 disk.vhd
faults vpc disk.vhd disk.vhd
qemu-img convert -f qcow2 -O qcow2 -o data_file=data.raw top.qcow2 data.qcow2
faults qcow2 data.qcow2 data.raw

# The tool: what it prints is right, or it says that something failed.
tool ()
{
    VDISK_FAULTS=$tmp/faults LD_PRELOAD=$tool_preload "$VDISK" "$@"
}
: > faults
compare_tool ()
{
    local file=$1 fault=$2 failed=0 done=0 every=1 skip status wanted=0

    shift 2
    # Interrupted for ever is not what is meant.
    [ "$fault" != 'pread 4' ] || every=2
    : > faults
    tool "$@" > wanted 2> said || wanted=$?
    [ "$wanted" -lt 2 ] || die "status $wanted: vdisk $*: $(cat said)"
    for skip in 0 1 3 6 12 30; do
        echo "${fault% *} ${fault#* } $skip $every $file" > faults
        status=0
        tool "$@" > got 2> said || status=$?
        done=$((done + 1))
        if [ "$status" -eq "$wanted" ] && cmp -s wanted got; then
            continue
        fi
        [ "$status" -eq 1 ] || die "$fault $skip: status $status: $*"
        grep -q "$file" said || die "$fault $skip: $*: $(cat said)"
        failed=$((failed + 1))
    done
    : > faults
    checked "$fault of $file: $failed of $done failed: vdisk $*"
}
for fault in 'pread 5' 'pread 116' 'pread end' 'pread short' 'pread 4' \
             'lseek 5' 'fstat 5' 'open 5'; do
    for file in top.qcow2 middle.qcow2; do
        compare_tool $file "$fault" map top.qcow2
        compare_tool $file "$fault" info --chain top.qcow2
    done
    for file in top.qcow2 disk.qed disk.vhd; do
        compare_tool $file "$fault" check $file
        compare_tool $file "$fault" map --output=svg $file
    done
done

echo "faults: $(stat -c %s faults.count)"
