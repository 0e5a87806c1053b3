#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Every parameter: what is accepted, what is refused and how that is
# explained; files that are no images; relative paths and daemons.

. "$(dirname "$0")/functions.sh"

qemu-img create -q -f qcow2 disk.qcow2 1M
qemu-io -c 'write -P 1 64k 64k' disk.qcow2 > /dev/null

serves ()
{
    try_to_serve "$@" || die "should be served: $*"
    checked "served: $*"
}

# Accepted.
serves disk.qcow2
serves file=disk.qcow2
serves "file=$tmp/disk.qcow2"
serves disk.qcow2 format=auto
serves disk.qcow2 format=qcow2
serves disk.qcow2 format=raw
serves disk.qcow2 backing-dir="$tmp" backing-dir=/
serves disk.qcow2 size=auto
serves disk.qcow2 size=current
serves disk.qcow2 size=chs
serves disk.qcow2 sector-bitmaps=honour
serves disk.qcow2 sector-bitmaps=ignore
serves disk.qcow2 host-holes=auto
serves disk.qcow2 host-holes=off
serves disk.qcow2 cache-size=64k
serves disk.qcow2 cache-size=1M
serves disk.qcow2 cache-size=100000
serves disk.qcow2 cache-size=1G
serves disk.qcow2 force-share=true
serves disk.qcow2 force-share=false
serves disk.qcow2 timeout=5

# Refused, and what would have been accepted.
refused 'format=vmdk: .*auto.*vhd.*vpc.*qcow2.*qed.*raw' disk.qcow2 format=vmdk
refused 'format=: .*qcow2' disk.qcow2 format=
refused 'format=QCOW2: .*qcow2' disk.qcow2 format=QCOW2
refused 'size=big: .*auto, current or chs' disk.qcow2 size=big
refused 'sector-bitmaps=no: .*honour or ignore' disk.qcow2 sector-bitmaps=no
refused 'host-holes=on: .*auto or off' disk.qcow2 host-holes=on
refused 'timeout=5d: .*seconds.*24h' disk.qcow2 timeout=5d
refused 'force-share=maybe: .*true or false' disk.qcow2 force-share=maybe
for value in '' lots 0 1 63k -1M 1X 1MM 1.5M 99999999999999999999 \
             16777216T 0x100000; do
    refused "cache-size=$value: .*bytes.*64k.*k, M or G" disk.qcow2 \
        "cache-size=$value"
done
refused 'backing-dir=/no/such: No such file' disk.qcow2 backing-dir=/no/such
refused 'backing-dir=: .*directory' disk.qcow2 backing-dir=
refused "unknown parameter 'colour'.*force-share" disk.qcow2 colour=red
refused 'only one file' disk.qcow2 file=disk.qcow2
fails_with 'image.*missing.*\[file=\]PATH|file.*required' try_to_serve
fails_with 'must be|missing|empty|No such' try_to_serve file=

# No image.
refused 'none\.qcow2: No such file' none.qcow2
refused "$tmp: this is a directory" "$tmp"
mkfifo fifo
refused 'fifo: .*regular file' fifo
refused '/dev/zero: .*regular file' /dev/zero
: > empty
refused 'empty: this is an empty file' empty
echo hello > text
refused 'text: not recognized as VHD, QCOW2 or QED' text
refused 'text: .*' text format=qcow2
refused 'text: .*' text format=qed
refused 'text: .*' text format=vhd
head -c 60 disk.qcow2 > cut.qcow2
refused 'cut\.qcow2: header' cut.qcow2
if [ "$(id -u)" -ne 0 ]; then
    cp disk.qcow2 secret.qcow2
    chmod 0 secret.qcow2
    refused 'secret\.qcow2: Permission denied' secret.qcow2
fi

# What the plugin says of itself.
run_nbdkit --dump-plugin "$PLUGIN" > dump
for line in name=vdisk magic_config_key=file vdisk_format_vhd=yes \
            vdisk_format_qcow2=yes vdisk_format_qed=yes \
            vdisk_format_raw=yes thread_model=parallel; do
    grep -qx "$line" dump || die "--dump-plugin lacks $line"
done
for line in 'vdisk_version=[0-9.]+' 'vdisk_libdeflate=yes' \
            'vdisk_libzstd=yes' 'vdisk_nbd=yes'; do
    grep -Eqx "$line" dump || die "--dump-plugin lacks $line"
done
checked "--dump-plugin"
run_nbdkit "$PLUGIN" --help > help
for parameter in file format backing-dir size sector-bitmaps host-holes \
                 cache-size force-share timeout layer layer-format \
                 ignore-parent-id parent-case; do
    grep -Eq "^ *\[?$parameter=" help || die "--help lacks $parameter"
done
checked "--help"

# A daemon works in another directory than the one it was started in.
mkdir -p deep/er
qemu-img create -q -f qcow2 -b ../base.qcow2 -u -F qcow2 \
    deep/er/over.qcow2 1M
cp disk.qcow2 deep/base.qcow2
(
    cd deep
    run_nbdkit -U "$tmp/daemon" -P "$tmp/daemon.pid" "$PLUGIN" \
        er/over.qcow2 backing-dir=.
)
# nbdkit ends before its daemon writes that.
wait_until test -s daemon.pid
daemon=$(cat daemon.pid)
assert_map 'nbd+unix:///?socket=daemon' '0 65536 3' '65536 65536 0' \
    '131072 917504 3'
kill "$daemon"
wait_until has_ended "$daemon"
