#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export -O vhd: dynamic and fixed disks, whose size every reader
# agrees on, and whose sector bitmaps are exact.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

python3 - <<'END'
from export_check import *
from export_images import *
import uuid
import vhd_image

with Checker() as check:
    disk = everything("disk.qcow2")
    one = str(uuid.uuid4())
    check.exports(disk, Vhd(), Vhd(detect=True), Vhd(fixed=True),
                  Vhd(uuid=one, time=946684800 + 77),
                  Vhd(uuid=one.upper(), time=1700000000))
    check.exports(disk, Vhd(), Vhd(fixed=True),
                  Vhd(uuid=one, time=1700000000), pipe=True)
    for block in 4096, "64k", "256k", "1M", "16M":
        check.exports(disk, Vhd(block), Vhd(block, detect=True))
    check.exports(make("zeros.qcow2", "8M", "write -P 0 0 2M",
                       "write -P 1 3M 1", "write -P 0 7M 1M"),
                  Vhd(), Vhd(detect=True), Vhd("64k", detect=True))

    # Sizes that the geometry gives, and those it does not: of each range
    # of the computation, with and without a rest.
    for size in (512, 17 * 4 * 512, 17 * 4 * 512 * 100, 17 * 4 * 512 + 512,
                 MIB, 10 * MIB, 17 * 16 * 1023 * 512, 504 * MIB,
                 31 * 16 * 512 * 999, 31 * 16 * 1024 * 512, 4 * GIB,
                 63 * 16 * 512 * 65534, 63 * 16 * 512 * 65535,
                 127 * GIB, 255 * 16 * 65535 * 512,
                 255 * 16 * 65535 * 512 + 512, 1 * TIB):
        sized = raw("size.raw", size, (0, 1), (size - 1, 1))
        check.exports(sized, Vhd())
        if size < 20 * MIB:
            check.exports(sized, Vhd(fixed=True))
    for size in 1, 511, 513, 2 * MIB - 1, 2 * MIB + 1, 5 * MIB + 300:
        check.exports(raw("odd.raw", size, (size - 1, 1)), Vhd(),
                      Vhd(fixed=True), Vhd(4096))
    # Whole MiB, as Azure wants them, and other units.
    for size in 1, 5 * MIB + 300, 10 * MIB, 3 * GIB - 512:
        sized = raw("round.raw", size, (0, 1), (size - 1, 1))
        check.exports(sized, Vhd(rounded="1M"), Vhd(rounded="512"),
                      Vhd("64k", rounded="4M", detect=True))
        check.exports(sized, Vhd(rounded="1M"), pipe=True)
    check.exports(raw("round.raw", 5 * MIB + 300, (0, 4096)),
                  Vhd(fixed=True, rounded="1M"),
                  Vhd(fixed=True, rounded="1G"))

    # The geometry of a source that gives its size is kept: of one with the
    # specification's, of one by Virtual PC, which shows no more than that,
    # and of some other.  One that gives another size is not.
    for creator, size, chs in ((b"win ", 17 * 4 * 512 * 100, (100, 4, 17)),
                               (b"vpc ", 10 * MIB, (301, 4, 17)),
                               (b"win ", 10 * MIB, (20, 16, 64)),
                               (b"win ", 10 * MIB, (301, 4, 17)),
                               (b"d2v ", 10 * MIB, vhd_image.MAX_CHS)):
        vhd("geometry.vhd", size, (512, 4096), creator=creator, chs=chs,
            stale=False)
        check.exports(Disk.by_reader("geometry.vhd"), Vhd(),
                      Vhd(fixed=True), Vhd(rounded="1M"))

    for size in 512, 10 * MIB, 600 * GIB:
        check.exports(raw("empty.raw", size), Vhd())
        check.exports(raw("empty.raw", size), Vhd(), pipe=True)
    check.exports(raw("full.raw", 5 * MIB, (0, 5 * MIB)), Vhd(), Vhd(4096),
                  Vhd(fixed=True))

    # The largest there are.
    largest = make("largest.qcow2", 2040 * GIB, "write -P 1 0 1",
                   "write -P 2 1T 3M", f"write -P 3 {2040 * GIB - 1} 1")
    check.exports(largest, Vhd(), Vhd("16M"))

    # Single sectors, as a VHD has them.
    sectors = vhd("sectors.vhd", 6 * MIB + 512, (512, 512), (4096, 1024),
                  (2 * MIB - 512, 1024), (6 * MIB, 512), (5 * MIB, 512))
    check.exports(Disk.by_reader("sectors.vhd"), Vhd(), Vhd(4096), Vhd("1M"),
                  Vhd(fixed=True), Qcow2(), Raw(), Chunked())
    check.exports(Disk.by_reader("sectors.vhd"), Vhd(), pipe=True)
    # From block sizes to others, with holes and chains.
    rng = random.Random(SEED)
    ranges = [(rng.randrange(12000) * 512, rng.randrange(1, 40) * 512)
              for _ in range(60)]
    base = vhd("small.vhd", 7 * MIB, *ranges, block_size=8192)
    vhd("child.vhd", 8 * MIB, (0, 512), (7 * MIB, 4096), *ranges[::7],
        kind=vhd_image.DIFFERENCING, parent_uuid=base.uuid,
        parent_time=base.time, locators=vhd_image.libvhd_locators(
            "small.vhd"))
    for path in "small.vhd", "child.vhd":
        check.exports(Disk.by_reader(path), Vhd(), Vhd(4096), Qcow2("4k"))
END

# --- What is in a footer

"$VDISK" export -O vhd disk.qcow2 one.vhd
"$VDISK" export -O vhd disk.qcow2 two.vhd
identity () { "$VDISK" info --output=json "$1" |
    jq -r '."format-specific".data.uuid'; }
[ "$(identity one.vhd)" != "$(identity two.vhd)" ]
checked "a UUID of its own for each"
jq_of () { "$VDISK" info --output=json one.vhd |
    jq -e ".\"format-specific\".data | $1" > /dev/null || die "$1"; }
jq_of '.creator == "vdsk"'
jq_of '."original-size" == 8388608 and ."current-size" == 8388608'
jq_of '."size-seen-by" | .[] | . == 8388608'
checked "all see the same size"
made=$(date -u -d "$("$VDISK" info --output=json one.vhd |
    jq -r '."format-specific".data."time-stamp"')" +%s)
now=$(date +%s)
if [ "$made" -gt "$now" ] || [ "$made" -lt $((now - 120)) ]; then
    die "the time stamp is $made, it is $now"
fi
checked "the time stamp is now"
"$VDISK" check one.vhd > /dev/null
"$VDISK" export -O vhd --fixed disk.qcow2 fixed.vhd
"$VDISK" check fixed.vhd > /dev/null
checked "vdisk check"
[ "$(stat -c '%b' fixed.vhd)" -lt 4000 ] || die "fixed.vhd is not sparse"
checked "a fixed disk is a sparse file"

# --- The same bytes in any way

export SOURCE_DATE_EPOCH=1700000000
uuid=--uuid=01234567-89ab-cdef-0123-456789abcdef
for options in '' '--block-size=4k' --fixed; do
    # shellcheck disable=SC2086
    for threads in 1 2 8 64; do
        "$VDISK" export -O vhd $options $uuid --threads=$threads \
            child.vhd $threads.vhd
        cmp 1.vhd $threads.vhd
        "$VDISK" export -O vhd $options $uuid --threads=$threads \
            child.vhd - | cat > pipe.vhd
        cmp 1.vhd pipe.vhd
    done
    checked "the same with all numbers of threads, to files and pipes"
done
unset SOURCE_DATE_EPOCH

# --- Too large, and wrong use

truncate -s $((2040 << 30)) limit.raw
"$VDISK" export -O vhd --format=raw limit.raw limit.vhd
[ "$("$VDISK" info --output=json limit.vhd | jq '."virtual-size"')" = \
  $((2040 << 30)) ]
checked "2040 GiB"
truncate -s $(((2040 << 30) + 1)) limit.raw
for options in '' --fixed --measure --block-size=16M; do
    # shellcheck disable=SC2086
    error '2040 GiB' -O vhd --format=raw $options limit.raw out
done

wrong ()
{
    local regex=$1

    shift
    usage "$regex" -O vhd "$@" disk.qcow2 out
}
for size in 0 512 2048 3M 4G '' x; do
    wrong 'block-size' --block-size="$size"
done
for text in '' x 01234567-89ab-cdef-0123-456789abcde \
            01234567-89ab-cdef-0123-456789abcdefg; do
    wrong 'uuid' --uuid="$text"
done
wrong 'parent|fixed' --fixed --parent=sectors.vhd
for size in 0 511 1000 3M 2G '' x; do
    wrong 'round' --round="$size"
done
wrong 'round.*parent' --round=1M --parent=sectors.vhd
usage 'round goes with -O vhd' -O raw --round=1M disk.qcow2 out
