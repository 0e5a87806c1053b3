#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export -O vhd --parent: differencing disks.  QEMU does not read
# them, so they are read by vhd_reader.py.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

python3 "$e2e/export_vhd_parent.py"

# --- vdisk reads them, and asks before it goes elsewhere

qemu-img convert -f qcow2 -O raw changed.qcow2 expected.raw
"$VDISK" export -O vhd --parent=base.vhd changed.qcow2 delta.vhd
"$VDISK" export delta.vhd back.raw
cmp expected.raw back.raw
checked "exported again"
"$VDISK" check delta.vhd > /dev/null
checked "vdisk check"
with_delta () { qemu-img compare -q -f raw -F raw "$uri" expected.raw; }
with_vdisk delta.vhd -- with_delta
checked "served with nbdkit"
"$VDISK" export -O vhd --parent=base.vhd changed.qcow2 sub/delta.vhd
error 'backing-dir' sub/delta.vhd out
"$VDISK" export --backing-dir=. sub/delta.vhd back.raw
cmp expected.raw back.raw
checked "from a directory below"

# Also where the name is a link into it, new or not.
for name in linked.vhd again.vhd; do
    ln -s sub/deeper/there.vhd $name
    size=$("$VDISK" export -O vhd --measure --parent=base.vhd changed.qcow2 \
        $name)
    "$VDISK" export -O vhd --parent=base.vhd changed.qcow2 $name
    [ "$(stat -c %s sub/deeper/there.vhd)" -eq "$size" ] ||
        die "$name was measured with $size bytes"
    "$VDISK" export --backing-dir=. sub/deeper/there.vhd back.raw
    cmp expected.raw back.raw
    checked "$name is a link into another directory"
done
"$VDISK" info sub/deeper/there.vhd | grep -q '\.\./\.\./base\.vhd' ||
    die "$("$VDISK" info sub/deeper/there.vhd)"

# The same bytes with any number of threads.
export SOURCE_DATE_EPOCH=1700000000
uuid=--uuid=01234567-89ab-cdef-0123-456789abcdef
for threads in 1 2 8; do
    "$VDISK" export -O vhd --parent=base.vhd $uuid --threads=$threads \
        changed.qcow2 $threads.vhd
    cmp 1.vhd $threads.vhd
    "$VDISK" export -O vhd --parent=base.vhd $uuid --threads=$threads \
        changed.qcow2 - | cat > pipe.vhd
    cmp 1.vhd pipe.vhd
    checked "the same with $threads threads"
done

# --- What is no parent

qemu-img convert -f vpc -O raw base.vhd base.raw
error 'none.vhd: No such file' -O vhd --parent=none.vhd changed.qcow2 out
error 'changed.qcow2: footer' -O vhd --parent=changed.qcow2 changed.qcow2 out
error 'base.raw: footer' -O vhd --parent=base.raw changed.qcow2 out
# It would be its own parent.
cp base.vhd before.vhd
error 'base.vhd' -O vhd --parent=base.vhd changed.qcow2 base.vhd
cmp base.vhd before.vhd
checked "the parent is not overwritten"
rm sectors.vhd
error 'sectors.vhd' -O vhd --parent=middle.vhd changed.qcow2 out
