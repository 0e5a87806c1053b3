#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A host file in many pieces costs nothing when the image is read: its holes
# are read as zeros, and looked for only when block status is asked for.

. "$(dirname "$0")/functions.sh"

python3 "$e2e/lib/fragmented.py" make many.qcow2 $((128 << 20))
python3 "$e2e/lib/fragmented.py" read many.qcow2
checked "1000 reads, and $((128 << 20 >> 12)) extents"

# A server that tells extents of 512 bytes is not asked when somebody reads.
origin_start python3 "$e2e/lib/nbd_server.py" SOCKET --size $((64 << 20)) \
    --map 512:0,512:3 --log "$tmp/log"
first_bytes () { probe '1:88' read 4096 1; }
with_vdisk "$origin" -- first_bytes
! grep status log || die "block status was asked for"
origin_stop
