#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export -O qcow2 with compression.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

requires_library libzstd

python3 - <<'END'
from export_check import *
from export_images import *
import random

with Checker() as check:
    disk = everything("disk.qcow2")
    for compression in "zlib", "zstd":
        check.exports(disk, Qcow2(compression=compression))
        for cluster in 512, "4k", "2M":
            check.exports(disk, Qcow2(cluster, compression=compression))
        for level in 1, 9:
            check.exports(disk, Qcow2(compression=compression, level=level))
        check.exports(disk, Qcow2(compression=compression, bits=64))
    # What does not compress, what does, and what compresses to almost
    # nothing, so that hundreds of clusters share one of the file.
    rng = random.Random(1)
    with open("mixed.raw", "wb") as file:
        for n in range(40):
            file.write(rng.choice([rng.randbytes(65536), b"a" * 65536,
                                   bytes(65536), b"%07d\n" % n * 8192,
                                   rng.randbytes(40000).ljust(65536, b"x")]))
        file.write(rng.randbytes(100))
    mixed = raw_disk("mixed.raw")
    check.exports(mixed, *(Qcow2(cluster, compression=compression)
                           for cluster in (None, "4k", "1M")
                           for compression in ("zlib", "zstd")))
    with open("letters.raw", "wb") as file:
        for n in range(160):
            file.write(bytes([n + 1]) * 65536)
    letters = raw_disk("letters.raw")
    check.exports(letters, Qcow2(compression="zlib"),
                  Qcow2(compression="zstd"))
    # Many more than 255 in one cluster.
    with open("more.raw", "wb") as file:
        for n in range(9000):
            file.write(b"%c" % (n % 250 + 1) * 2048)
    check.exports(raw_disk("more.raw"),
                  Qcow2(2048, compression="zlib"),
                  Qcow2(2048, compression="zstd"))
    for size in 0, MIB:
        check.exports(raw("empty.raw", size), Qcow2(compression="zlib"))
    for size in 1, 512, 65537, 3 * MIB + 77:
        check.exports(raw("odd.raw", size, (0, 1), (size - 1, 1)),
                      Qcow2(compression="zlib"), Qcow2(compression="zstd"))
    # Of what is compressed already.
    qemu.img("convert", "-c", "-f", "raw", "-O", "qcow2", "mixed.raw",
             "packed.qcow2")
    packed = Disk.by_qemu("packed.qcow2")
    check.exports(packed, Raw(), Qcow2(), Vhd(), Xva(), Chunked(),
                  Qcow2(compression="zlib"), Qcow2(compression="zstd"))

    # It is worth it.
    run("-O", "qcow2", "--compression=zlib", "--format=raw", "letters.raw",
        "small.qcow2")
    check.equal("10 MiB of letters take little", os.path.getsize(
        "small.qcow2") < MIB, True)
    run("-O", "qcow2", "-c", "--format=raw", "mixed.raw", "c.qcow2")
    layout = qcow2_layout.Layout("c.qcow2", compression="zlib")
    noise = [n for n in range(40) if len(set(mixed.bytes_at(
        n * 65536 + 50000, (n + 1) * 65536))) > 200]
    check.equal("noise is stored as it is", layout.data, noise)
END

# --- The same bytes with any number of threads

for compression in zlib zstd; do
    for threads in 1 2 8 64; do
        "$VDISK" export -O qcow2 --compression=$compression \
            --threads=$threads --format=raw more.raw $threads.qcow2
        cmp 1.qcow2 $threads.qcow2
        checked "the same with $threads threads, $compression"
    done
done

# -c is zlib.
"$VDISK" export -O qcow2 -c --format=raw more.raw c.qcow2
"$VDISK" export -O qcow2 --compression=zlib --format=raw more.raw zlib.qcow2
cmp c.qcow2 zlib.qcow2
checked "-c"

# --- What does not go together

usage 'compression' -O qcow2 --compression=lzma disk.qcow2 out
usage 'compression' -O qcow2 --compression= disk.qcow2 out
usage 'compression-level' -O qcow2 --compression-level=5 disk.qcow2 out
usage 'level' -O qcow2 -c --compression-level=99 disk.qcow2 out
usage 'level' -O qcow2 -c --compression-level=x disk.qcow2 out
usage 'refcount-bits' -O qcow2 -c --refcount-bits=8 disk.qcow2 out
usage 'data-file' -O qcow2 -c --data-file=x disk.qcow2 out
usage 'data-file' -O qcow2 -c --data-file-raw=x disk.qcow2 out
for output in raw vhd xva chunked; do
    usage "compression|-c" -O "$output" -c disk.qcow2 out
done
for options in -c --compression=zstd --detect-zeroes; do
    usage "measure" --measure -O qcow2 $options disk.qcow2
done

# A pipe cannot seek.
for options in '-O qcow2 -c' '-O qcow2 --compression=zstd' \
               '-O qcow2 --detect-zeroes' '-O vhd --detect-zeroes'; do
    status=0
    # shellcheck disable=SC2086
    "$VDISK" export $options disk.qcow2 - 2> said | cat > got ||
        status=${PIPESTATUS[0]}
    [ "$status" -eq 2 ] || die "status $status of $options to a pipe"
    grep -Eq 'seek|stream' said || die "$options to a pipe: $(cat said)"
    [ ! -s got ] || die "$options wrote something to a pipe"
    checked "$options to a pipe: $(head -n 1 said)"
    mkfifo fifo
    cat fifo > got &
    status=0
    # shellcheck disable=SC2086
    timeout 60 "$VDISK" export $options disk.qcow2 fifo 2> said || status=$?
    [ "$status" -eq 2 ] || die "status $status of $options to a FIFO"
    # In case nobody has opened it for writing.
    : <> fifo
    wait $!
    if [ -s got ] || [ ! -p fifo ]; then
        die "$options wrote to a FIFO"
    fi
    rm fifo
done
