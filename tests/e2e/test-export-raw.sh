#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export to raw: a sparse file, one that is allocated, a pipe, and
# what else can be named as DEST.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

python3 "$e2e/export_raw.py"

qemu-img convert -f qcow2 -O raw disk.qcow2 expected.raw

# same FILE [WHAT]: it is the disk.
same ()
{
    cmp expected.raw "$1" || die "${2:-$1} is not the disk"
    checked "${2:-$1}"
}

# --- Raw is the default; ways to say so

"$VDISK" export disk.qcow2 default.raw
same default.raw
"$VDISK" export -O raw disk.qcow2 - > o.raw
same o.raw "-O raw, standard output"
"$VDISK" export --output=raw disk.qcow2 output.raw
same output.raw
"$VDISK" export disk.qcow2 after.raw --output raw
same after.raw "options at the end"

# --- What was there before is replaced

yes junk | head -c 12000000 > longer.raw || true
"$VDISK" export disk.qcow2 longer.raw
same longer.raw "over a longer file"
yes junk | head -c 3000000 > shorter.raw || true
"$VDISK" export disk.qcow2 shorter.raw
same shorter.raw "over a shorter file"
echo junk > target
ln -s target link.raw
"$VDISK" export disk.qcow2 link.raw
same link.raw "over a symbolic link"

# --- What is not a file is a stream

mkfifo fifo
cat fifo > from-fifo.raw &
"$VDISK" export disk.qcow2 fifo
wait $!
same from-fifo.raw "through a FIFO"
[ -p fifo ] || die "the FIFO is gone"
"$VDISK" export disk.qcow2 /dev/null
[ -c /dev/null ] || die "no /dev/null any more"
checked "/dev/null"
"$VDISK" export disk.qcow2 /dev/stdout | cat > stdout.raw
same stdout.raw "/dev/stdout"

# To a file that standard output is, from where it stands.
{ echo before; "$VDISK" export disk.qcow2 -; } > behind.raw
[ "$(head -n 1 behind.raw)" = before ] || die "what was before is gone"
tail -c +8 behind.raw > rest.raw
same rest.raw "behind something in the file"
