#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export -O qcow2: cluster sizes, widths of refcounts, data files.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

python3 "$e2e/export_qcow2_options.py"

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
