#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export of every kind of source to every output.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

python3 "$e2e/export_sources.py"

# --- How the source is opened

error 'raw is never guessed' disk.raw out
mkdir sub
qemu-img create -q -f qcow2 -b "$tmp/disk0.qcow2" -F qcow2 sub/over.qcow2
error 'backing-dir' -O qcow2 sub/over.qcow2 out
"$VDISK" export -O qcow2 --backing-dir="$tmp" sub/over.qcow2 out
assert_same_content qcow2 disk0.qcow2 qcow2 out
# What is a QCOW2 inside is a raw disk if told so.
"$VDISK" export --format=raw disk0.qcow2 out
cmp disk0.qcow2 out
checked "--format=raw"
"$VDISK" export -O qcow2 --cache-size=64k --host-holes=off disk0.qcow2 out
assert_same_content qcow2 disk0.qcow2 qcow2 out

rm out

# Somebody writes it.
start_writer disk0.qcow2 qcow2
error 'disk0.qcow2: another program' disk0.qcow2 out
"$VDISK" export -O qcow2 --force-share disk0.qcow2 busy
checked "--force-share"
stop_server

# An image that ends before its data does: what is not there is not zeros.
cp disk0.qcow2 short.qcow2
truncate -s -65536 short.qcow2
for output in "${outputs[@]}"; do
    error 'short.qcow2: ' -O "$output" short.qcow2 out
done
