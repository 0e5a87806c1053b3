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
[ "$(python3 "$e2e/lib/xva_reader.py" known.xva)" = 'Ref:7 3670016 3 2-2' ]
checked "the reader agrees"
tar tvf known.xva > /dev/null
"$VDISK" export -O xva --prefix=Ref:7 --checksum=sha1 known.qcow2 known.xva
member Ref:7/00000001.checksum \
    "$(tar xOf known.xva Ref:7/00000001 | sha1sum | cut -d ' ' -f 1)"

python3 "$e2e/export_xva.py"

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
