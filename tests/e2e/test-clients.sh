#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The clients people use: nbdinfo, nbdcopy, qemu-img, nbdfuse.

. "$(dirname "$0")/functions.sh"

requires nbdcopy --version

qemu-img create -q -f qcow2 -o cluster_size=256k base.qcow2 300M
qemu-io -t unsafe -c 'write -P 1 0 5M' -c 'write -P 2 100M 20M' \
    -c 'write -P 3 299M 1M' base.qcow2 > /dev/null
qemu-img create -q -f qcow2 -o cluster_size=128k -b base.qcow2 -F qcow2 \
    disk.qcow2 310M
qemu-io -t unsafe -c 'write -P 4 90M 15M' -c 'write -z 110M 2M' \
    -c 'write -P 5 309M 1M' disk.qcow2 > /dev/null
qemu-img convert -f qcow2 -O raw disk.qcow2 disk.raw

information ()
{
    nbdinfo --can multi-conn "$uri"
    nbdinfo --can cache "$uri"
    nbdinfo --can df "$uri"
    # As qemu-nbd -r and nbdkit's file plugin have it: nothing to do.
    nbdinfo --can flush "$uri"
    probe ok flush
    nbdinfo --is read-only "$uri"
    [ "$(nbdinfo --size "$uri")" = $((310 << 20)) ]
    checked "nbdinfo --can, --is, --size"
    nbdinfo --json "$uri" > info.json
    jq -e '.exports[0] |
        ."is_read_only" and ."can_multi_conn" and
        .contexts == ["base:allocation"] and
        ."block_size_minimum" == 1 and ."block_size_preferred" == 131072 and
        .description == "qcow2 disk image, 2 layers"' info.json > /dev/null ||
        die "nbdinfo --json: $(cat info.json)"
    checked "nbdinfo --json"
    nbdinfo --map --totals "$uri" > totals
    # 5 + 15 + 20 - 5 - 2 + 1 + 1 MiB of data; 2 MiB are said to be zeros.
    for line in "$((35 << 20)) +[0-9.]+% +0 data" \
                "$((275 << 20)) +[0-9.]+% +3 hole,zero"; do
        grep -Eq "^ *$line\$" totals || die "totals: $(cat totals)"
    done
    checked "nbdinfo --map --totals"
    probe ok cache 0 $((310 << 20))
    probe ok cache $((309 << 20)) $((1 << 20))
}
with_vdisk disk.qcow2 -- information

copies ()
{
    nbdcopy "$uri" copy.raw
    cmp disk.raw copy.raw
    checked "nbdcopy to a file"
    # As sparse as the image: nothing but data was copied.
    [ "$(du -k copy.raw | cut -f 1)" -le $((36 << 10)) ] ||
        die "the copy takes $(du -k copy.raw)"
    checked "nbdcopy leaves holes"
    nbdcopy "$uri" null:
    checked "nbdcopy to null:"
    nbdcopy --connections=4 --threads=4 --requests=32 "$uri" copy2.raw
    cmp disk.raw copy2.raw
    checked "nbdcopy over four connections"
    nbdcopy --synchronous "$uri" - > copy3.raw
    cmp disk.raw copy3.raw
    checked "nbdcopy to a pipe"
    nbdcopy --allocated "$uri" copy4.raw
    cmp disk.raw copy4.raw
    checked "nbdcopy --allocated"
    assert_same_content qcow2 disk.qcow2 raw "$uri"
    assert_same_content raw disk.raw raw "$uri"
    rm -f copy*.raw
}
with_vdisk disk.qcow2 -- copies
with_vdisk disk.qcow2 cache-size=64k -- copies

# Mounted as a file.
as_file ()
{
    local fuse

    mkdir mnt
    nbdfuse mnt/disk "$uri" &
    fuse=$!
    server_pids+=("$fuse")
    mounted () { [ -e mnt/disk ] || has_ended "$fuse"; }
    wait_until mounted
    cmp mnt/disk disk.raw
    checked "nbdfuse"
    umount mnt 2>/dev/null || fusermount3 -u mnt || fusermount -u mnt
    wait "$fuse" || true
}
if { : <> /dev/fuse; } 2> /dev/null && nbdfuse --version > /dev/null 2>&1; then
    with_vdisk disk.qcow2 -- as_file
else
    echo "note: no nbdfuse here"
fi
