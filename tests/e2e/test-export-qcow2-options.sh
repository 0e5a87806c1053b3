#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export -O qcow2: cluster sizes, widths of refcounts, data files.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

python3 - <<'END'
from export_check import *
from export_images import *

CLUSTERS = [512, "1k", 2048, "4k", "8k", "16k", "32k", 65536, "128k", "256k",
            "512k", "1M", "2M"]
BITS = [1, 2, 4, 8, 16, 32, 64]

with Checker() as check:
    disk = everything("disk.qcow2", options=["cluster_size=4k"])
    for n, cluster in enumerate(CLUSTERS):
        check.exports(disk, Qcow2(cluster, BITS[n % 7]))
    for n, bits in enumerate(BITS):
        check.exports(disk, Qcow2(CLUSTERS[n * 5 % 4], bits), pipe=True)
    # Several refcount blocks, and a table of several clusters.
    full = raw("full.raw", 2 * MIB, (0, 2 * MIB))
    for bits in BITS:
        check.exports(full, Qcow2(512, bits))
    # The last refcount block is just full, or has one entry.
    for clusters in range(119, 129):
        check.exports(raw("block.raw", clusters * 512, (0, clusters * 512)),
                      Qcow2(512, 32))

    for cluster in 512, "4k", None, "2M":
        check.exports(disk, Qcow2(cluster, data_file="data.raw"))
        check.exports(disk, Qcow2(cluster, data_file="d", raw_data=True))
    check.exports(disk, Qcow2(data_file="data.raw"),
                  Qcow2(data_file="data.raw", raw_data=True, bits=64),
                  pipe=True)
    check.exports(raw("odd.raw", MIB + 1, (MIB, 1)),
                  Qcow2(data_file="x", raw_data=True),
                  Qcow2(data_file="x"))
    for size in 0, MIB:
        check.exports(raw("empty.raw", size),
                      Qcow2(data_file="y", raw_data=True),
                      Qcow2(data_file="y"))
END

wrong ()
{
    local regex=$1

    shift
    usage "$regex" -O qcow2 "$@" disk.qcow2 out
}

for size in 0 256 511 513 3k 4M 1G '' x -512; do
    wrong 'cluster-size' --cluster-size="$size"
done
for bits in 0 3 5 65 128 '' x -1; do
    wrong 'refcount-bits' --refcount-bits="$bits"
done
wrong 'data-file' --data-file=a --data-file-raw=b
wrong 'data-file' --data-file=
# It would have to read data to know what the tables are.
wrong 'data-file' --detect-zeroes --data-file=a

# The file that is named is not touched, and not needed.
rm -f data.raw
"$VDISK" export -O qcow2 --data-file=data.raw disk.qcow2 out.qcow2
[ ! -e data.raw ] || die "a data file was made"
echo keep > data.raw
"$VDISK" export -O qcow2 --data-file-raw=data.raw disk.qcow2 out.qcow2
[ "$(cat data.raw)" = keep ] || die "the data file was written"
checked "the data file is not touched"
# What is there says where the data is.
"$VDISK" info --output=json out.qcow2 | jq -e \
    '."format-specific".data."data-file" == "data.raw"' > /dev/null
checked "vdisk info knows the data file"

# A name that does not fit into the header.
long=$(printf '%0600d' 0)
error 'names? do(es)? not fit' -O qcow2 --cluster-size=512 \
    --data-file="$long" disk.qcow2 out
