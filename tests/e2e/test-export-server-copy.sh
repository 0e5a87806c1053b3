#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export to raw on a file system with a server, which copies what is
# stored as it is, or does not, or a part of it.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

cc -O2 -shared -fPIC -o "$tmp/server-copy.so" "$e2e/server-copy.c" -ldl
export VDISK_SERVER_COPY_LOG=$tmp/log

# export_there HOW OPTION...: with a server that copies so.  Then $calls and
# $bytes tell of its copying.
export_there ()
{
    : > log
    LD_PRELOAD="${NBDKIT_PRELOAD:-} $tmp/server-copy.so" \
        VDISK_SERVER_COPY=$1 "$VDISK" export "${@:2}" exported.raw
    calls=$(wc -l < log)
    bytes=$(awk '{ n += $1 } END { print n + 0 }' log)
}

# 30 MiB in runs of at least 64 KiB; below that reading is better; zeros and
# what is compressed cannot be copied.
qemu-img create -q -f qcow2 disk.qcow2 1G
qemu-io -f qcow2 -c 'write -q -P 1 1M 20M' -c 'write -q -P 2 900M 10M' \
    -c 'write -q -z 5M 64k' -c 'write -q -c -P 3 512M 64k' disk.qcow2
data=$((30 << 20))
data=$((data - (64 << 10)))

for how in all short end 5 18 22 28 38 95; do
    export_there "$how" disk.qcow2
    assert_same_content qcow2 disk.qcow2 raw exported.raw
    case $how in
        all)    [ "$bytes" -eq "$data" ] ;;
        # Halves, of which each call leaves one.
        short)  [ "$bytes" -eq "$data" ] && [ "$calls" -gt 500 ] ;;
        end)    [ "$bytes" -eq 0 ] && [ "$calls" -ge 30 ] ;;
        # No such call, another device, not supported: not asked again, but
        # for what threads have under way.
        18 | 38 | 95) [ "$bytes" -gt 0 ] && [ "$calls" -le 16 ] ;;
        *)      [ "$bytes" -gt 0 ] && [ "$calls" -ge 20 ] ;;
    esac || die "server copies '$how': $bytes bytes in $calls calls"
    checked "server copies '$how': $bytes bytes in $calls calls"
done

# A chain, whose files are both the server's.
qemu-img create -q -f qcow2 -b disk.qcow2 -F qcow2 over.qcow2
qemu-io -f qcow2 -c 'write -q -P 3 30M 30M' over.qcow2
export_there all over.qcow2
assert_same_content qcow2 over.qcow2 raw exported.raw
[ "$bytes" -eq $((data + (30 << 20))) ] || die "chain: $bytes bytes"
checked "chain: $bytes bytes"

# What is looked at for zeros has to be read.
export_there all --detect-zeroes disk.qcow2
assert_same_content qcow2 disk.qcow2 raw exported.raw
[ "$calls" -eq 0 ] || die "--detect-zeroes: $calls calls"
checked "--detect-zeroes: $calls calls"
