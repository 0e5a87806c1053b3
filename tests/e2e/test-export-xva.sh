#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export -O xva: the blocks that are there, their checksums, several
# disks in one archive.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

# --- What xapi makes of a disk that is known

qemu-img create -q -f qcow2 known.qcow2 3584k
qemu-io -f qcow2 -c 'write -q -P 0x41 1572864 1' known.qcow2
"$VDISK" export -O xva --prefix=Ref:7 known.qcow2 known.xva
tar tf known.xva > members
diff -u - members << 'END' || die "the members of known.xva"
Ref:7/00000000
Ref:7/00000000.xxhash
Ref:7/00000001
Ref:7/00000001.xxhash
Ref:7/00000003
Ref:7/00000003.xxhash
END
# member NAME TEXT: this is what it has, without a newline.
member ()
{
    tar xOf known.xva "$1" > text
    printf '%s' "$2" | cmp - text || die "$1 is $(cat text)"
    checked "$1 is $2"
}
member Ref:7/00000000.xxhash 87D2A1B6E1163EF1
member Ref:7/00000001.xxhash 28F63E3B412A9D01
member Ref:7/00000003.xxhash 091AB0B4B605C552
[ "$(python3 "$e2e/xva_reader.py" known.xva)" = 'Ref:7 3670016 3 2-2' ]
checked "the reader agrees"
tar tvf known.xva > /dev/null
"$VDISK" export -O xva --prefix=Ref:7 --checksum=sha1 known.qcow2 known.xva
member Ref:7/00000001.checksum \
    "$(tar xOf known.xva Ref:7/00000001 | sha1sum | cut -d ' ' -f 1)"

python3 - <<'END'
from export_check import *
from export_images import *

with Checker() as check:
    disk = everything("disk.qcow2", "8M")
    with open("ova.xml", "w") as file:
        file.write("<value><struct/></value>\n" * 999)
    ways = [Xva(), Xva("Ref:12"), Xva(checksum="sha1"), Xva(detect=True),
            Xva(checksum="xxhash", ova_xml="ova.xml", prefix="Ref:3")]
    check.exports(disk, *ways)
    check.exports(disk, *ways, pipe=True)
    open("empty.xml", "w").close()
    check.exports(disk, Xva(ova_xml="empty.xml"))

    # First and last block, whatever is in them; the last is the rest.
    for size in (1, 511, 512, 513, MIB - 1, MIB, MIB + 1, 2 * MIB,
                 3 * MIB + 4096, 10 * MIB + 77):
        check.exports(raw("empty.raw", size), Xva(), Xva(checksum="sha1"))
        check.exports(raw("ends.raw", size, (0, 1), (size - 1, 1)), Xva(),
                      Xva(detect=True))
    check.exports(raw("full.raw", 3 * MIB + 1, (0, 3 * MIB + 1)), Xva())
    # Written zeros count as data, unless they are looked for.
    check.exports(make("zeros.qcow2", "8M", "write -P 0 2M 2M",
                       "write -P 1 5M 1"), Xva(), Xva(detect=True))
    # Data on both sides of a border, and far apart.
    check.exports(raw("edges.raw", 20 * MIB, (4 * MIB - 1, 2),
                      (9 * MIB, 4096), (13 * MIB - 4096, 4096)), Xva())
    check.exports(make("far.qcow2", "5T", "write -P 1 700G 200k",
                       f"write -P 4 {5 * TIB - 512} 512",
                       options=["cluster_size=256k"]), Xva())

    # Several disks: by repeated options, by their names, in any order.
    others = {"Ref:7": raw("a.raw", 3 * MIB, (MIB, 10)),
              "Ref:10": everything("b.qcow2"),
              "Ref:8": make("c.vhd", "5M", "write -P 3 3M 4k",
                            image_format="vpc")}

    def several(what, way, *args, path="several.xva", to=None):
        def one():
            if to:
                to_pipe("-O", "xva", *way.options(), *args, path=path)
            else:
                run("-O", "xva", *way.options(), *args, path)
            way.verify_all(others, path)
            size = measure("-O", "xva", *way.options(), *args, path)
            if size != os.path.getsize(path):
                raise Wrong(f"--measure says {size}")
        check.attempt(what, one)

    # The format is the same for all: so the raw one as a QCOW2.
    qemu.img("convert", "-f", "raw", "-O", "qcow2", "a.raw", "a.qcow2")
    others["Ref:7"] = Disk.by_qemu("a.qcow2")
    names = [f"{disk.path}={prefix}" for prefix, disk in others.items()]
    for way in Xva(), Xva(checksum="sha1", ova_xml="ova.xml"):
        several("three disks, named", way, *names)
        several("three disks, named the other way round", way, *names[::-1])
        several("three disks by options", way,
                *(f"--prefix={prefix}" for prefix in others),
                *(disk.path for disk in others.values()))
        several("three disks to a pipe", way, *names, to="pipe")
    # The same image twice.
    others = {"Ref:1": disk, "Ref:2": disk}
    several("a disk twice", Xva(), "disk.qcow2=Ref:2", "disk.qcow2=Ref:1")
    # A name that has the sign itself.
    os.link("disk.qcow2", "x=y.qcow2")
    others = {"Ref:5": disk}
    several("a name with =", Xva(), "x=y.qcow2=Ref:5")
END

# --- The same bytes, whenever and with any number of threads

for threads in 1 2 8 64; do
    "$VDISK" export -O xva --threads=$threads disk.qcow2 $threads.xva
    cmp 1.xva $threads.xva
    "$VDISK" export -O xva --threads=$threads disk.qcow2 - | cat > pipe.xva
    cmp 1.xva pipe.xva
    checked "the same with $threads threads"
done

# --- As many blocks as numbers have digits for

blocks=99999999
qemu-img create -q -f qcow2 -o cluster_size=2M most.qcow2 $((blocks << 20))
qemu-io -f qcow2 -c 'write -q -P 1 40T 1' most.qcow2
"$VDISK" export -O xva most.qcow2 most.xva
[ "$(tar tf most.xva | tail -n 2 | head -n 1)" = Ref:0/99999998 ]
checked "$blocks blocks"
qemu-img resize -q most.qcow2 $(((blocks << 20) + 512))
for options in '' --measure; do
    # shellcheck disable=SC2086
    error 'block' -O xva $options most.qcow2 out
done

# --- Wrong use

qemu-img create -q -f qcow2 empty.qcow2 0
error 'empty.qcow2' -O xva empty.qcow2 out
error 'none.xml: No such file' -O xva --ova-xml=none.xml disk.qcow2 out
usage 'checksum' -O xva --checksum=md5 disk.qcow2 out
usage 'prefix' -O xva --prefix=a/b disk.qcow2 out
usage 'prefix' -O xva --prefix= disk.qcow2 out
usage 'prefix' -O xva --prefix=Ref:1 --prefix=Ref:2 disk.qcow2 out
usage 'prefix|Ref:1' -O xva --prefix=Ref:1 --prefix=Ref:1 \
    disk.qcow2 known.qcow2 out
usage 'prefix|Ref:1' -O xva disk.qcow2=Ref:1 known.qcow2=Ref:1 out
usage 'prefix' -O xva disk.qcow2 known.qcow2 out
usage 'SOURCE|argument|one' -O qcow2 disk.qcow2 known.qcow2 out
for output in raw qcow2 vhd chunked; do
    usage 'prefix' -O "$output" --prefix=Ref:1 disk.qcow2 out
    usage 'checksum' -O "$output" --checksum=sha1 disk.qcow2 out
    usage 'ova-xml' -O "$output" --ova-xml=ova.xml disk.qcow2 out
done
