#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export -O chunked: XenServer's import protocol.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

python3 - <<'END'
from export_check import *
from export_images import *

with Checker() as check:
    disk = everything("disk.qcow2")
    check.exports(disk, Chunked(), Chunked(detect=True))
    check.exports(disk, Chunked(), Chunked(detect=True), pipe=True)
    # Data is rounded to 4 KiB, but not beyond the end of the disk.
    for size in 1, 511, 4095, 4096, 4097, MIB + 5, 5 * MIB + 4095:
        check.exports(raw("ends.raw", size, (0, 1), (size - 1, 1)),
                      Chunked(), Chunked(detect=True))
    for size in 0, 1, 8 * MIB:
        check.exports(raw("empty.raw", size), Chunked())
        check.exports(raw("empty.raw", size), Chunked(), pipe=True)
    check.exports(raw("full.raw", 5 * MIB + 1, (0, 5 * MIB + 1)), Chunked())
    check.exports(make("small.qcow2", "4M", count=60, cluster=512,
                       options=["cluster_size=512"]),
                  Chunked(), Chunked(detect=True))
    check.exports(make("far.qcow2", "5T", "write -P 1 700G 200k",
                       f"write -P 4 {5 * TIB - 512} 512",
                       options=["cluster_size=256k"]), Chunked())
    # Sectors that share 4 KiB, and some that do not.
    vhd("sectors.vhd", 4 * MIB, *((n * 2560, 512) for n in range(300)),
        (3 * MIB - 512, 1024))
    check.exports(Disk.by_reader("sectors.vhd"), Chunked())

    zeros = make("zeros.qcow2", "8M", "write -P 0 0 4M", "write -P 1 6M 1")
    check.exports(zeros, Chunked(), Chunked(detect=True))
    run("-O", "chunked", "--detect-zeroes", "zeros.qcow2", "zeros.chunked")
    check.equal("zeros are no data if they are looked for",
                chunked_reader.read("zeros.chunked", 8 * MIB)[0][0] >= 4 *
                MIB, True)
END

# The stream of nothing.
"$VDISK" export -O chunked --format=raw empty.raw nothing
head -c 12 /dev/zero | cmp - nothing
checked "12 zero bytes of an empty disk"
# What one sector is.
truncate -s 10000 one.raw
printf A | dd of=one.raw bs=1 seek=9000 conv=notrunc status=none
"$VDISK" export -O chunked --format=raw one.raw one.chunked
[ "$(od -An -tx1 -v -N 12 one.chunked)" = \
  ' 00 20 00 00 00 00 00 00 10 07 00 00' ] ||
    die "the first chunk: $(od -An -tx1 -v -N 12 one.chunked)"
checked "little-endian offset and length"

for threads in 1 2 8 64; do
    "$VDISK" export -O chunked --threads=$threads small.qcow2 $threads
    cmp 1 $threads
    checked "the same with $threads threads"
done
