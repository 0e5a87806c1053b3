#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export -O chunked: XenServer's import protocol.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

python3 "$e2e/export_chunked.py"

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
