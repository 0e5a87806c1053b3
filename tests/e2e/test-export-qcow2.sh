#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export -O qcow2: layout and content, the same bytes to a file and to
# a pipe and with any number of threads; disks of all sizes.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

python3 - <<'END'
from export_check import *
from export_images import *

with Checker() as check:
    disk = everything("disk.qcow2")
    check.exports(disk, Qcow2(), Qcow2(detect=True))
    check.exports(disk, Qcow2(), pipe=True)
    check.exports(make("zeros.qcow2", "8M", "write -P 0 0 2M",
                       "write -P 1 3M 1", "write -P 0 7M 1M"),
                  Qcow2(), Qcow2(detect=True))

    # Disks that are not whole clusters, and those around the borders of
    # clusters and tables.
    for size in (512, 4096, 65536 - 512, 65536, 65536 + 512,
                 (512 << 20) - 512, 512 << 20, (512 << 20) + 512):
        check.exports(raw("size.raw", size, (0, 1), (size - 1, 1)), Qcow2())
    for size in 1, 511, 513, 65535, 65537, 3 * MIB + 1:
        check.exports(raw("odd.raw", size, (size - 1, 1)), Qcow2())
    # Without data there are no L2 tables, and of no disk no L1.
    for size in 0, 512, 10 * MIB, 5 * TIB:
        check.exports(raw("empty.raw", size), Qcow2())
        check.exports(raw("empty.raw", size), Qcow2(), pipe=True)
    # All of it is data.
    check.exports(raw("full.raw", 3 * MIB, (0, 3 * MIB)), Qcow2(),
                  Qcow2(cluster=512))
    # Far apart, and more than a cluster of L1; this takes several refcount
    # blocks with the smallest clusters.
    far = make("far.qcow2", "5T", "write -P 1 0 1", "write -P 2 700G 200k",
               "write -P 3 4397509640192 300k", "write -P 4 5497558138368 512",
               options=["cluster_size=256k"])
    check.exports(far, Qcow2())
    check.exports(far, Qcow2(cluster="2M"))
    check.exports(make("wide.qcow2", "300M", count=40, cluster=512,
                       longest=3 * MIB),
                  Qcow2(cluster=512), Qcow2(cluster=512, detect=True))

    # Data that begins and ends anywhere in a cluster, and from one to
    # another.
    check.exports(raw("edges.raw", 8 * MIB, (65535, 2), (262144 - 4096, 4096),
                      (327680, 4096), (5 * MIB + 4096, 3 * 65536)),
                  Qcow2(), Qcow2(cluster=4096), Qcow2(cluster="2M"))
END

# --- The same bytes in any way

"$VDISK" export -O qcow2 disk.qcow2 file.qcow2
"$VDISK" export -O qcow2 disk.qcow2 - | cat > pipe.qcow2
cmp file.qcow2 pipe.qcow2
checked "a pipe gets the same bytes"
mkfifo fifo
cat fifo > fifo.qcow2 &
"$VDISK" export -O qcow2 disk.qcow2 fifo
wait $!
cmp file.qcow2 fifo.qcow2
checked "so does a FIFO"
for threads in 1 2 3 8 64; do
    "$VDISK" export -O qcow2 --threads=$threads wide.qcow2 - |
        cat > $threads.qcow2
    "$VDISK" export -O qcow2 --threads=$threads wide.qcow2 again.qcow2
    cmp 1.qcow2 $threads.qcow2
    cmp 1.qcow2 again.qcow2
    checked "the same with $threads threads"
done

# --- As the manual's examples have it

qemu-img create -q -f vpc -o force_size=on disk.vhd 20M
qemu-io -f vpc -c 'write -q -P 1 5M 3M' disk.vhd
"$VDISK" export -O qcow2 disk.vhd - | cat > d.qcow2
qemu-img check -q d.qcow2
assert_same_content vpc disk.vhd qcow2 d.qcow2
# Of what was made an export makes itself.
"$VDISK" export -O qcow2 file.qcow2 again.qcow2
cmp file.qcow2 again.qcow2
checked "an export of an export"
"$VDISK" check file.qcow2 > /dev/null
checked "vdisk check"
