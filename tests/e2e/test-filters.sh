#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nbdkit's filters on top: cow makes the disk writable, partition shows
# one partition, others change nothing of what is read.

. "$(dirname "$0")/functions.sh"

requires sfdisk --version

# Writing goes to the cow filter's file, never to the image.
qemu-img create -q -f qcow2 disk.qcow2 64M
qemu-io -c 'write -P 1 1M 1M' -c 'write -P 2 40M 100k' disk.qcow2 > /dev/null
before=$(sha256sum < disk.qcow2)
writes ()
{
    qemu-io -f raw -c 'read -P 1 1M 1M' -c 'write -P 9 1500k 1M' \
        -c 'write -z 40M 4k' -c 'write -P 8 0 70000' \
        -c 'read -P 1 1M 476k' -c 'read -P 9 1500k 1M' \
        -c 'read -P 0 40M 4k' -c 'read -P 2 40964k 96k' \
        -c 'read -P 8 0 70000' -c 'read -P 0 70000 978576' \
        "$uri" > qemu-io.log || die "$(cat qemu-io.log)"
    ! grep -q 'failed' qemu-io.log || die "$(cat qemu-io.log)"
    qemu-io -r -f raw -c 'read -P 9 1500k 1M' "$uri" > qemu-io.log
    ! grep -q 'failed' qemu-io.log || die "$(cat qemu-io.log)"
}
with_vdisk disk.qcow2 --filter=cow -- writes
[ "$before" = "$(sha256sum < disk.qcow2)" ] || die "the image has changed"
checked "cow"

# Without it, no write gets through.
no_writes ()
{
    fails_with 'Permission denied|read-only' \
        qemu-io -f raw -c 'write 0 512' "$uri"
}
with_vdisk disk.qcow2 -- no_writes

# A partition.
truncate -s 32M parts.raw
sfdisk -q parts.raw <<'END'
label: gpt
start=2048, size=8192
start=20480, size=16384
END
qemu-io -f raw -c 'write -P 3 1M 4M' -c 'write -P 4 11M 3M' parts.raw \
    > /dev/null
qemu-img convert -f raw -O qcow2 parts.raw parts.qcow2
dd if=parts.raw of=second.raw bs=1M skip=10 count=8 status=none
partition ()
{
    [ "$(nbdinfo --size "$uri")" = $((8 << 20)) ]
    assert_same_content raw second.raw raw "$uri"
    assert_map "$uri" '0 1048576 3' '1048576 3145728 0' '4194304 4194304 3'
}
with_vdisk parts.qcow2 --filter=partition partition=2 -- partition

# It wants to flush what it lets several connections write.
for mode in auto emulate plugin; do
    several ()
    {
        nbdinfo --can multi-conn "$uri" || die "$mode: one connection only"
        nbdcopy --connections=4 "$uri" copy.raw
        assert_same_content qcow2 disk.qcow2 raw copy.raw
    }
    with_vdisk disk.qcow2 --filter=multi-conn multi-conn-mode=$mode -- several
    checked "multi-conn-mode=$mode"
done

# Others.
same () { assert_same_content qcow2 disk.qcow2 raw "$uri"; }
for filter in readahead cache noextents nozero blocksize log; do
    params=()
    [ $filter != log ] || params=("logfile=$tmp/nbdkit.log")
    with_vdisk disk.qcow2 "--filter=$filter" "${params[@]}" -- same
    checked "$filter"
done
copy ()
{
    nbdcopy "$uri" copy.raw
    assert_same_content qcow2 disk.qcow2 raw copy.raw
}
with_vdisk disk.qcow2 --filter=readahead -- copy
