#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export -O vhd --parent: differencing disks.  QEMU does not read
# them, so they are read by vhd_reader.py.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

python3 - <<'END'
from export_check import *
from export_images import *
import vhd_image

BASE = ["write -P 1 0 1M", "write -P 2 2M 512k", "write -P 3 5M 1000k",
        "write -P 0 7M 128k"]
CHANGES = ["write -P 9 100k 1", "write -P 1 512k 128k", "write -P 9 1200k 90k",
           "write -z 2M 64k", "write -P 0 2176k 128k",
           "write -z 2304k 10k", "write -P 0 5M 3k", "write -P 9 7M 4k",
           "discard 5300k 64k", "write -z 7400k 64k", "write -P 0 7500k 64k"]

with Checker() as check:
    base = make("base.vhd", "8M", *BASE, image_format="vpc")
    changed = make("changed.qcow2", "8M", *BASE, *CHANGES)
    check.exports(changed, Vhd(parent=base), Vhd("4k", parent=base),
                  Vhd(parent=base, detect=True),
                  Vhd(parent=base, time=1700000000,
                      uuid="01234567-89ab-cdef-0123-456789abcdef"))
    check.exports(changed, Vhd(parent=base), Vhd("64k", parent=base),
                  pipe=True)
    # Nothing has changed.
    check.exports(base, Vhd(parent=base))
    # Everything has.
    check.exports(raw("other.raw", 8 * MIB, (0, 8 * MIB)), Vhd(parent=base))
    check.exports(raw("nothing.raw", 8 * MIB), Vhd(parent=base),
                  Vhd("4k", parent=base))

    # Single sectors: data over holes, the same data again, zeros.
    image = vhd("sectors.vhd", 4 * MIB, (0, 4096), (MIB, 64 * KIB))
    sectors = Disk.by_reader("sectors.vhd")
    data = bytearray(sectors.bytes_at(0, 4 * MIB))
    data[512:1024] = bytes(512)
    data[1500] ^= 1
    data[MIB + 65535] ^= 1
    data[3 * MIB] = 1
    with open("altered.raw", "wb") as file:
        file.write(data)
    check.exports(raw_disk("altered.raw"), Vhd(parent=sectors),
                  Vhd(4096, parent=sectors))

    # Larger and smaller than the parent, and of odd size.
    for size in 512, 3 * MIB + 512, 8 * MIB + 512, 20 * MIB, 8 * MIB + 1:
        check.exports(raw("size.raw", size, (0, 1), (size - 1, 1)),
                      Vhd(parent=base), Vhd("64k", parent=sectors))

    # The parent is fixed, or has parents of its own.
    fixed = make("fixed.vhd", "8M", *BASE, image_format="vpc",
                 options=["subformat=fixed"])
    check.exports(changed, Vhd(parent=fixed))
    vhd("middle.vhd", 4 * MIB, (512, 512), (3 * MIB, 4096),
        kind=vhd_image.DIFFERENCING, parent_uuid=image.uuid,
        parent_time=image.time,
        locators=vhd_image.libvhd_locators("sectors.vhd"))
    middle = Disk.by_reader("middle.vhd")
    check.exports(raw_disk("altered.raw"), Vhd(parent=middle))
    check.exports(sectors, Vhd(parent=middle))
    check.exports(middle, Vhd(parent=sectors))
    # Onto a disk whose geometry cuts its end off, for those who go by that:
    # it is compared up to its current size.
    for creator, chs in (b"vpc ", (100, 4, 17)), (b"win ", (100, 4, 17)):
        tail = vhd("tail.vhd", 4 * MIB, (0, 4096), (4 * MIB - 8192, 8192),
                   creator=creator, chs=chs, stale=False)
        tail_disk = Disk.by_reader("tail.vhd")
        tail_disk.warning = MAYBE
        data = bytearray(tail_disk.bytes_at(0, 4 * MIB))
        # The end is the same, is something else, and zeros.
        for n, end in enumerate([data[-512:], b"1" * 512, bytes(512)]):
            data[-512:] = end
            with open("ends.raw", "wb") as file:
                file.write(data)
            check.exports(raw_disk("ends.raw"), Vhd("64k", parent=tail_disk))
            run("-O", "vhd", "--parent=tail.vhd", "--size=chs",
                "--format=raw", "ends.raw", f"ends-{n}.vhd", warning=MAYBE)
            ends = Disk.by_reader(f"ends-{n}.vhd")
            check.equal("the end", ends.bytes_at(0, ends.size), bytes(data))

    # Chains of what was exported.
    run("-O", "vhd", "--parent=base.vhd", "changed.qcow2", "one.vhd")
    one = Disk.by_reader("one.vhd")
    check.equal("a chain has the content", one.bytes_at(0, one.size),
                changed.bytes_at(0, changed.size))
    two = make("two.qcow2", "8M", *BASE, *CHANGES, "write -P 7 6M 100k",
               "write -z 0 100k")
    check.exports(two, Vhd(parent=one))
    check.exports(two, Vhd("4k", parent=one))

    # Where the parent is, and what it is called.
    for folder in "sub", "sub/deeper", "sub dir":
        os.makedirs(folder, exist_ok=True)
    for name in ("up.vhd", "sub/down.vhd", "sub dir/a b.vhd", "100%.vhd",
                 "a%20b.vhd", "b\u00e4se.vhd", "\u2603.vhd",
                 "\U0001d6d2.vhd", "x" * 200 + ".vhd"):
        os.link("base.vhd", name)
        parent = base.same(name)
        parent.path = name
        for path in "here.vhd", "sub/there.vhd", "sub/deeper/far.vhd":
            check.attempt(f"{path} on {name}", export, changed,
                          Vhd(parent=parent), path)
        os.unlink(name)
END

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
