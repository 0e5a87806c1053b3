#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# QEMU's image locks: what is being written is not served, what is served
# is not written, readers share.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

qemu-img create -q -f qcow2 disk.qcow2 4M
qemu-img create -q -f qcow2 -b disk.qcow2 -F qcow2 over.qcow2
qemu-img create -q -f qcow2 -o data_file=data.raw data.qcow2 4M
qemu-img create -q -f vpc disk.vhd 4M
qemu-img create -q -f raw disk.raw 4M

# while_writing IMAGE FORMAT COMMAND...: run it while qemu-nbd has the
# image open for writing.
while_writing ()
{
    local image=$1 format=$2

    shift 2
    qemu-nbd -t -f "$format" -k "$tmp/writer" "$image" &
    writer=$!
    server_pids+=("$writer")
    # Its socket is there before it has opened the image.
    wait_until nbdinfo --size "nbd+unix:///?socket=$tmp/writer" \
        > /dev/null 2>&1
    "$@"
    kill "$writer"
    wait "$writer" || true
    rm -f writer
}

serves ()
{
    try_to_serve "$@" || die "should be served: $*"
    checked "served: $*"
}

# The message says who: the writer's process, its name, and which lock.
in_use='another program .*: process [0-9]+, [a-z-]+, has locked byte 10[13] .*force-share=true'
while_writing disk.qcow2 qcow2 refused "disk\.qcow2: $in_use" disk.qcow2
while_writing disk.qcow2 qcow2 serves disk.qcow2 force-share=true
while_writing disk.vhd vpc refused "disk\.vhd: $in_use" disk.vhd
while_writing disk.raw raw refused "disk\.raw: $in_use" disk.raw format=raw
# The same for what is below, and for a data file.
while_writing disk.qcow2 qcow2 refused "disk\.qcow2: $in_use" over.qcow2
while_writing disk.qcow2 qcow2 serves over.qcow2 force-share=true
while_writing data.qcow2 qcow2 refused "data\.(qcow2|raw): $in_use" data.qcow2
while_writing data.raw raw refused "data\.raw: $in_use" data.qcow2
# A program that reads is no hindrance, nor is one that has finished.
serves disk.qcow2

# A writer that does nothing yet: qemu-io waiting for commands.
mkfifo commands
qemu-io -f qcow2 disk.qcow2 < commands > qemu-io.log 2>&1 &
qemu_io=$!
server_pids+=("$qemu_io")
exec 8> commands
echo 'write -P 1 0 64k' >&8
wait_until grep -q wrote qemu-io.log
refused "disk\.qcow2: $in_use" disk.qcow2
echo quit >&8
exec 8>&-
wait "$qemu_io"
serves disk.qcow2

# And just that writer.  Another user is not told whose it is.
named ()
{
    refused "disk\.qcow2: .*: process $writer, qemu-nbd, has locked byte 101" \
        disk.qcow2
}
while_writing disk.qcow2 qcow2 named
fails_with_nothing_left ()
{
    fails_with "disk\.qcow2: .*: process $writer, qemu-nbd, has locked" \
        "$VDISK" map disk.qcow2
    fails_with "disk\.qcow2: .*: process $writer, qemu-nbd, has locked .*\(--force-share opens it" \
        "$VDISK" check disk.qcow2
    "$VDISK" info --force-share disk.qcow2 > /dev/null
    checked "vdisk info --force-share"
}
while_writing disk.qcow2 qcow2 fails_with_nothing_left
if [ "$(id -u)" -eq 0 ] && setpriv --version > /dev/null; then
    as_nobody ()
    {
        cp "$VDISK" vdisk
        chmod 755 . vdisk
        chmod 644 disk.qcow2
        fails_with 'disk\.qcow2: another program is writing this image: byte 101 is locked \(--force' \
            setpriv --reuid=65534 --regid=65534 --clear-groups \
            ./vdisk map disk.qcow2
    }
    while_writing disk.qcow2 qcow2 as_nobody
fi

# Served: nobody writes, everybody reads.
while_served ()
{
    fails_with 'lock' qemu-io -f qcow2 -c 'write 0 512' disk.qcow2
    qemu-io -r -f qcow2 -c 'read -P 1 0 512' disk.qcow2 > /dev/null
    checked "qemu-io reads while we do"
    fails_with 'lock' qemu-img resize -q -f qcow2 disk.qcow2 8M
    serves disk.qcow2
    vdisk_size 4194304 over.qcow2
    "$VDISK" check disk.qcow2 > /dev/null
    checked "vdisk check while we serve"
    # Nor may qemu-nbd have it to itself, unless it is told to share.
    fails_with 'lock' timeout 60 qemu-nbd -f qcow2 -k "$tmp/other" disk.qcow2
}

with_vdisk disk.qcow2 -- while_served
below_served ()
{
    fails_with 'lock' qemu-io -f qcow2 -c 'write 0 512' disk.qcow2
}
with_vdisk over.qcow2 -- below_served
qemu-io -f qcow2 -c 'write 0 512' disk.qcow2 > /dev/null
checked "afterwards it can be written"

# Sharing by force takes no locks.
forced ()
{
    qemu-io -f qcow2 -c 'write 1M 512' disk.qcow2 > /dev/null
    checked "written while served with force-share=true"
}
with_vdisk disk.qcow2 force-share=true -- forced
