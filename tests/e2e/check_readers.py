#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prove the readers of exported streams: xva_reader, chunked_reader,
qcow2_layout and vhd_layout read what is made by hand here, and refuse it
with one thing wrong.

  check_readers.py xva|chunked|qcow2|vhd
"""

import hashlib
import io
import re
import struct
import subprocess
import sys
import tarfile
import uuid

import chunked_reader
import qcow2_layout
import vhd_image
import vhd_layout
import vhd_reader
import xva_reader
from verify import count_check
from xxh64 import xxh64

KIB, MIB = 1 << 10, 1 << 20
COPIED = 1 << 63


def right(what, found, wanted=True):
    if found != wanted:
        raise SystemExit(f"{what}: {found}, expected {wanted}")
    print("ok:", what)
    count_check()


def wrong(pattern, error, read, *args, **options):
    """Reading has to fail with a message like this."""
    try:
        result = read(*args, **options)
    except error as told:
        right(str(told), bool(re.search(pattern, str(told))))
        return
    raise SystemExit(f"was read, expected '{pattern}': {result}")


def content(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)
    return path


# --- XVA -----------------------------------------------------------------

ZEROS, HALF = bytes(MIB), bytes(MIB // 2)
LETTER = HALF + b"A" + bytes(MIB // 2 - 1)
# From XVAs that xapi made, and from xxhsum.
KNOWN = {b"": 0xEF46DB3751D8E999, ZEROS: 0x87D2A1B6E1163EF1,
         HALF: 0x091AB0B4B605C552, LETTER: 0x28F63E3B412A9D01,
         b"a": 0xD24EC4F1A98C6E5B, b"abc": 0x44BC2CF5AD770999,
         bytes(range(32)): 0xCBF59C5116FF32B4,
         bytes(range(101)): 0xE99038495F85381E,
         bytes(range(256)): 0x1FACBE8406CD904B}


def archive(*members, dialect=tarfile.USTAR_FORMAT):
    with tarfile.open("made.xva", "w", format=dialect) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return "made.xva"


def block(name, data):
    return [(name, data), (name + ".xxhash", b"%016X" % KNOWN[data])]


def block_sha1(name, data):
    return [(name, data), (name + ".checksum",
                           hashlib.sha1(data).hexdigest().encode())]


def check_xva():
    for data, wanted in KNOWN.items():
        right(f"XXH64 of {len(data)} bytes", xxh64(data), wanted)
    first = block("Ref:7/00000000", ZEROS)
    second = block("Ref:7/00000001", LETTER)
    last = block("Ref:7/00000003", HALF)
    disk = first + second + last
    xml = [("ova.xml", b"<value/>")]

    found, = xva_reader.read(archive(*disk), raws={"Ref:7": "made.raw"})
    right("an XVA", (found.prefix, found.size, found.numbers,
                     found.omitted()),
          ("Ref:7", 3 * MIB + MIB // 2, [0, 1, 3], [(2, 2)]))
    right("its disk", content("made.raw") == ZEROS + LETTER + ZEROS + HALF)
    sha1 = (block_sha1("Ref:7/00000000", ZEROS) +
            block_sha1("Ref:7/00000001", HALF))
    right("SHA-1", xva_reader.read(archive(*sha1), "sha1")[0].numbers,
          [0, 1])
    two = archive(*xml, *block("Ref:10/00000000", HALF), *disk)
    right("two disks", [found.prefix for found in
                        xva_reader.read(two, ova_xml=b"<value/>")],
          ["Ref:10", "Ref:7"])

    def bad(pattern, *members, **options):
        wrong(pattern, xva_reader.XvaError, xva_reader.read,
              archive(*members), **options)

    for text in b"0" * 16, b"87d2a1b6e1163ef1", b"87D2A1B6E1163EF1\n", b"":
        bad("expected b'87D2", first[0], ("Ref:7/00000000.xxhash", text))
    bad("not its checksum", first[0], *second)
    bad("not its checksum", *sha1)
    bad("not its checksum", *disk, checksum="sha1")
    bad("followed by nothing", first[0])
    bad("first block", *second, *last)
    bad("has 524288", *first, *block("Ref:7/00000001", HALF),
        *block("Ref:7/00000002", ZEROS))
    bad("comes after 00000001", *first, *second, *first)
    bad("comes after 00000001", *first, *second, *second)
    bad("comes after Ref:7", *disk, *block("Ref:10/00000000", HALF))
    bad("not ova.xml", *disk, ova_xml=b"")
    bad("should be", *xml, *disk, ova_xml=b"<value></value>")
    bad("unexpected member", *xml, *disk)
    bad("unexpected member", *disk, *xml)
    bad("no disk", *xml, ova_xml=b"<value/>")
    bad("2097152 bytes", ("Ref:7/00000000", bytes(2 * MIB)))
    bad("0 bytes", ("Ref:7/00000000", b""))
    bad("no disk Ref:8", *disk, raws={"Ref:8": "made.raw"})

    whole = content(archive(*disk))

    def bytewise(pattern, data):
        wrong(pattern, xva_reader.XvaError, xva_reader.read,
              write("made.xva", data))

    bytewise("zeros", whole + b"x")
    bytewise("bytes of zeros", whole + bytes(511))
    bytewise("ends in the middle", whole[:2 * MIB])
    bytewise("middle of the archive", whole[:MIB + 512])
    bytewise("checksum is not", whole[:104] + b"7" + whole[105:])
    bytewise("magic", content(archive(*disk, dialect=tarfile.GNU_FORMAT)))
    bytewise("not padded", whole[:MIB + 512 + 512 + 20] + b"x" +
             whole[MIB + 512 + 512 + 21:])


# --- chunked -------------------------------------------------------------

def stream(*chunks, end=bytes(12)):
    return write("made.chunked", b"".join(
        struct.pack("<QI", offset, len(data)) + data
        for offset, data in chunks) + end)


def check_chunked():
    def read(*chunks, **options):
        found = chunked_reader.read(stream(*chunks, **options), 10000,
                                    "made.raw")
        return found, content("made.raw")

    right("chunks", read((0, b"ab"), (2, b"c"), (9999, b"d")),
          ([(0, 3), (9999, 10000)], b"abc" + bytes(9996) + b"d"))
    right("none", read(), ([], bytes(10000)))

    def bad(pattern, *chunks, **options):
        wrong(pattern, chunked_reader.ChunkedError, read, *chunks,
              **options)

    bad("ended at 3", (0, b"abc"), (2, b"d"))
    bad("ended at 6", (5, b"a"), (0, b"b"))
    bad("has 10000 bytes", (9999, b"ab"))
    bad("has 10000 bytes", (1 << 63, b"a"))
    bad("head: ends after 0", (0, b"a"), end=b"")
    bad("head: ends after 11", (0, b"a"), end=bytes(11))
    bad("empty chunk at 1", (1, b""))
    bad("something follows", (0, b"a"), end=bytes(13))
    bad("something follows", (0, b""), (1, b"a"))
    bad("ends after 0 of 999", end=struct.pack("<QI", 0, 999))


# --- QCOW2 ---------------------------------------------------------------

def ceil(a, b):
    return -(-a // b)


def words(values, room):
    return struct.pack(f">{len(values)}Q", *values).ljust(room, b"\0")


def word(at, value):
    return at, struct.pack(">Q", value)


def all_ones(count, bits, room):
    """Refcounts of 1; narrow ones start at the low end of each byte."""
    if bits >= 8:
        return (1).to_bytes(bits // 8, "big") * count
    per_byte = 8 // bits
    full = sum(1 << n * bits for n in range(per_byte))
    rest = sum(1 << n * bits for n in range(count % per_byte))
    return (bytes([full]) * (count // per_byte) + bytes([rest])).ljust(
        room, b"\0")[:room]


def refcount_room(others, unit, bits):
    """How many clusters refcount blocks and their table take, if there are
    so many others."""
    blocks = table = 0
    while True:
        total = others + blocks + table
        needed = ceil(total * bits, unit * 8)
        if (blocks, table) == (needed, ceil(needed * 8, unit)):
            return blocks, table
        blocks, table = needed, ceil(needed * 8, unit)


def streamed_qcow2(size, clusters, *changes, unit=512, bits=16, more=b""):
    """An image that has these clusters of the guest, as it should be
    streamed; then with bytes changed: (offset, new bytes)."""
    per = unit // 8
    l1_size = ceil(ceil(size, unit), per)
    l1_clusters = ceil(l1_size, per)
    tables = sorted({n // per for n in clusters})
    others = 1 + l1_clusters + len(tables) + len(clusters)
    blocks, table = refcount_room(others, unit, bits)
    l1_at = (1 + table + blocks) * unit
    l2_at = l1_at + l1_clusters * unit
    data_at = l2_at + len(tables) * unit

    header = struct.pack(
        ">4sIQIIQIIQQIIQQQQIIQ", b"QFI\xfb", 3, 0, 0, unit.bit_length() - 1,
        size, 0, l1_size, l1_at if l1_size else 0, unit, table, 0, 0, 0, 0,
        0, bits.bit_length() - 1, 112, 0)
    header += struct.pack(">IIBB46sII", 0x6803f857, 48, 0, 0, b"dirty bit",
                          0, 0)
    image = bytearray(header.ljust(unit, b"\0"))
    image += words([(1 + table + n) * unit for n in range(blocks)],
                   table * unit)
    image += all_ones(others + table + blocks, bits,
                      blocks * unit).ljust(blocks * unit, b"\0")
    l1 = [0] * l1_size
    l2 = {number: [0] * per for number in tables}
    for n, number in enumerate(tables):
        l1[number] = l2_at + n * unit | COPIED
    for n, guest in enumerate(sorted(clusters)):
        l2[guest // per][guest % per] = data_at + n * unit | COPIED
    image += words(l1, l1_clusters * unit)
    for number in tables:
        image += words(l2[number], unit)
    for guest in sorted(clusters):
        data = b"%8d" % guest * per
        image += data[:size - guest * unit].ljust(unit, b"\0")
    for at, data in changes:
        image[at:at + len(data)] = data
    return write("made.qcow2", image + more)


SOME = [0, 1, 63, 64, 1000]
SIZE = 1002 * 512


def check_qcow2():
    def layout(path, unit=512, bits=16, **options):
        found = qcow2_layout.Layout(path, cluster_size=unit,
                                    refcount_bits=bits, **options)
        return found.data, found.zero, found.compressed

    shapes = [(SIZE, SOME, 512, 16), (0, [], 512, 16),
              (1 << 30, [], 512, 16), (1 << 30, [0, (1 << 21) - 1], 512, 16),
              (99 * 512, [24, 3], 2 * KIB, 16), (10 * MIB, [0, 159],
                                                 64 * KIB, 16)]
    shapes += [(MIB // 2, range(1024 - n), 512, bits)
               for bits in (1, 2, 4, 8, 16, 32, 64) for n in (0, 1, 5)]
    for size, clusters, unit, bits in shapes:
        path = streamed_qcow2(size, clusters, unit=unit, bits=bits)
        subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", path],
                       check=True)
        right(f"QCOW2 of {size} bytes, {unit}, {bits}",
              layout(path, unit, bits, size=size),
              (sorted(clusters), [], []))
    path = streamed_qcow2(SIZE, SOME)
    right("the same without order", layout(path, loose=True),
          (SOME, [], []))
    right("the size rounded up", layout(path, size=SIZE - 511),
          (SOME, [], []))
    right("ranges", qcow2_layout.ranges([0, 1, 2, 5, 7, 8]), "0-2,5,7-8")
    right("no ranges", qcow2_layout.ranges([]), "-")

    def bad(pattern, *changes, more=b"", **options):
        wrong(pattern, qcow2_layout.LayoutError, layout,
              streamed_qcow2(SIZE, SOME, *changes, more=more), **options)

    # Clusters of the file: 0 header, 1 refcount table, 2 refcount block,
    # 3 L1, 4 to 6 L2, 7 to 11 data.
    bad("magic", (0, b"QFI\0"))
    bad("version is 2", (4, b"\0\0\0\2"))
    bad("cluster_bits", unit=1024)
    bad("refcount_order", bits=8)
    bad("header: size is", size=SIZE + 1)
    bad("header: size %", word(24, SIZE - 1))
    bad("l1_size", word(24, SIZE + 512 * 64))
    bad("snapshots", (60, b"\0\0\0\1"))
    bad("incompatible is 1 ", word(72, 1))
    bad("compatible is 1 ", word(80, 1))
    bad("autoclear is 2 ", word(88, 2))
    bad("header_length is 104 ", (100, b"\0\0\0\x68"))
    bad("compression_type", (104, b"\1"))
    bad("padding", (111, b"\1"))
    bad("no end", (112 + 56, struct.pack(">II", 1, 336)))
    bad("too long", (112 + 56, struct.pack(">II", 1, 337)))
    bad("unknown extensions", (112, b"\1\1\1\1"))
    bad("% 48", (112 + 7, b"\x2f"))
    bad("feature name 0", (112 + 8, b"\3"))
    bad("name of incompatible feature 0", (112 + 10, b"corrupt"))
    bad("something follows the header", (400, b"\1"))
    bad("backing file", word(8, 400), (16, b"\0\0\0\2"))
    bad("refcount table offset", word(48, 1024), word(1024, 1024))
    bad("refcount table clusters", (56, b"\0\0\0\2"))
    bad("gaps", word(512, 0), word(520, 1024))
    bad("refcount of cluster 3 is 2", (1024 + 7, b"\2"))
    bad("refcount of cluster 11 is 0", (1024 + 23, b"\0"))
    bad("refcount of cluster 12 is 1", (1024 + 25, b"\1"))
    bad("l1_offset", word(40, 2048))
    bad("L1 is not padded", word(1536 + 8 * 16, 2048 | COPIED))
    bad("flags of L1 entry 0", word(1536, 2048))
    bad("L1 entry 0 is 2560", word(1536, 2560 | COPIED))
    bad("L1 entry 15 is 3072", word(1536 + 8, 0))
    bad("cluster 0 of the guest", word(2048, 4096 | COPIED))
    for flags in 0, COPIED | 1, COPIED | 1 << 62, 1 << 62, COPIED | 1 << 58:
        bad("flags", word(2048, 3584 | flags))
    bad("L2 table 0 has no entries", (2048, bytes(512)))
    bad("cluster 63 of the guest", word(2048 + 8, 0))
    bad("beyond the disk", word(3072 + 8 * 42, 3584 | COPIED))
    bad("cluster 1 of the guest", word(2048 + 8, 3584 | COPIED))
    bad("length of the file", more=bytes(512))
    bad("length of the file", more=b"x")
    bad("unused", more=bytes(512), loose=True)
    bad("guest order", word(2048, 4096 | COPIED), word(2056, 3584 | COPIED),
        loose=True)
    bad("unused", word(2056, 3584 | COPIED), loose=True)
    bad("incompatible is 0", data_file="data.raw")
    bad("data file", word(72, 4), data_file="data.raw")
    bad("backing format", backing_format="qcow2")
    bad("backing file name", backing="base")
    path = streamed_qcow2(512, [0], unit=2048)
    write(path, content(path)[:-1] + b"x")
    wrong("not padded with zeros", qcow2_layout.LayoutError, layout, path,
          2048)
    compressed()


def compressed():
    """What QEMU compresses is sound, but in no order."""
    for compression in "zlib", "zstd":
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-o",
             f"compression_type={compression}", "made.qcow2", "3M"],
            check=True)
        for command in "write -c -P 1 0 1M", "write -c -P 2 2M 64k", \
                "write -P 3 1M 64k":
            subprocess.run(["qemu-io", "-f", "qcow2", "-c", command,
                            "made.qcow2"], check=True,
                           stdout=subprocess.DEVNULL)
        image = content("made.qcow2")
        layout = qcow2_layout.Layout(write("made.qcow2", image),
                                     compression=compression)
        right(compression, (layout.data, layout.compressed, layout.zero),
              ([16], [*range(16), 32], []))
        refcounts = struct.unpack(">Q", image[65536:65544])[0]
        for n, byte in enumerate(image[refcounts:refcounts + 64]):
            if n % 2 and byte > 1:
                image = bytearray(image)
                image[refcounts + n] -= 1
                break
        wrong("refcount of cluster", qcow2_layout.LayoutError,
              qcow2_layout.Layout, write("made.qcow2", image),
              compression=compression)


# --- VHD -----------------------------------------------------------------

UUID = "01234567-89ab-cdef-0123-456789abcdef"


def exact_geometry(sectors):
    """One with as few cylinders as can be that gives just so many sectors."""
    for most in 63, 255:
        ways = [(sectors // (heads * per_track), heads, per_track)
                for heads in range(1, 17) for per_track in range(1, most + 1)
                if sectors % (heads * per_track) == 0]
        if ways and min(ways)[0] <= 65535:
            return min(ways)
    return vhd_image.MAX_CHS


def streamed_vhd(size, *fills, block_size=64 * KIB, path="made.vhd",
                 **options):
    """An image as it should be streamed but for 'options', and its bytes:
    runs of sectors at these offsets."""
    chs = vhd_image.geometry(size)
    if vhd_image.chs_size(chs) != size:
        chs = exact_geometry(size // 512)
    vhd = vhd_image.Vhd(**{
        "kind": vhd_image.DYNAMIC, "size": size, "chs": chs,
        "creator": b"vdsk", "uuid": uuid.UUID(UUID).bytes, "time": 1000,
        "block_size": block_size, "stale": False,
        "bat_offset": None if "locators" in options else 2048, **options})
    for offset, length in fills:
        vhd.fill_random(offset, length)
    vhd.write(path)
    return vhd, bytearray(content(path))


def check_vhd():
    def layout(path, block_size=64 * KIB, **options):
        found = vhd_layout.Layout(path, block_size=block_size, **options)
        return found.blocks, found.present

    fills = [(512, 1024), (128 * KIB, 64 * KIB), (192 * KIB, 512)]
    wanted = ([0, 2, 3], [(512, 1536), (128 * KIB, 192 * KIB + 512)])
    size = MIB + 512
    vhd, image = streamed_vhd(size, *fills)
    right("a VHD", layout("made.vhd", size=size, disk_uuid=UUID,
                          time=946684800 + 1000), wanted)
    right("the size rounded up", layout("made.vhd", size=size - 511),
          wanted)
    bat = 2048
    blocks = [vhd.placement[n] for n in (0, 2, 3)]
    for exact in 17 * 4 * 512 * 77, 127 * vhd_image.GIB, 40 * MIB:
        streamed_vhd(exact)
        right(f"{exact} bytes", layout("made.vhd", size=exact), ([], []))
        right(f"geometry of {exact}", vhd_layout.geometry(exact // 512),
              vhd_image.geometry(exact))
    for block_size in 4096, 2 * MIB:
        streamed_vhd(3 * MIB, (0, 512), block_size=block_size)
        right(f"blocks of {block_size}",
              layout("made.vhd", block_size), ([0], [(0, 512)]))

    def bad(pattern, change=lambda image: image, **options):
        wrong(pattern, (vhd_layout.LayoutError, vhd_reader.VhdError),
              layout, write("made.vhd", change(bytearray(image))),
              **options)

    def put(at, data, checksum=None):
        """Change bytes of the file, and sum its footer and copy (64), or
        header (36), up again."""
        def change(image):
            if checksum == 64:
                for base in 0, len(image) - 512:
                    image[base + at:base + at + len(data)] = data
                    image[base:base + 512] = vhd_image.set_checksum(
                        bytes(image[base:base + 512]), 64)
                return image
            image[at:at + len(data)] = data
            if checksum == 36:
                image[512:1536] = vhd_image.set_checksum(
                    bytes(image[512:1536]), 36)
            return image
        return change

    bad("current size", size=size + 1)
    bad("UUID", disk_uuid=str(uuid.uuid4()))
    bad("time stamp", time=946684800)
    bad("type is 3", fixed=True)
    bad("block size", block_size=4096)
    bad("checksum", lambda image: image[:-1] + b"\1")
    bad("copy of the footer", put(84, b"\1"))
    bad("whole sectors", lambda image: image + b"\0")
    bad("features", put(11, b"\0", 64))
    bad("data offset", put(16, bytes(8), 64))
    bad("creator", put(28, b"qemu", 64))
    bad("original size", put(47, b"\1", 64))
    bad("size % 512|current size", put(55, b"\1", 64))
    bad("geometry", put(56, bytes([0, 1, 2, 3]), 64))
    bad("type is 4", put(63, b"\4", 64))
    bad("no UUID", put(68, bytes(16), 64))
    bad("saved state", put(84, b"\1", 64))
    bad("header: checksum", put(512 + 900, b"\1"))
    bad("header: cookie", put(512, b"C", 36))
    bad("table offset", put(512 + 16, bytes(8), 36))
    bad("table entries", put(512 + 31, b"\x12", 36))
    bad("reserved", put(512 + 900, b"\1", 36))
    bad("header: parent", put(512 + 40, b"\1", 36))
    bad("sector at 1536", put(1536, b"\1"))
    bad("filled up", put(2048 + 17 * 4, b"\1\xff"))
    bad("block 1: offset", put(bat + 4, struct.pack(">I", 99)))
    bad("length of the file", put(bat + 12, b"\xff" * 4))
    bad("bits beyond its end", put(blocks[0] + 16, b"\1"))
    bad("no sector is there", put(blocks[2], bytes(1)))
    bad("bytes where no sector is", put(blocks[0] + 512, b"\1"))
    bad("bytes where no sector is", put(blocks[0], b"\x20"))
    vhd, image = streamed_vhd(size, (MIB, 512))
    bad("beyond the disk", put(vhd.placement[16], b"\xc0"))
    check_fixed_vhd(layout)
    check_differencing(layout)


def check_fixed_vhd(layout):
    streamed_vhd(17 * 512, (512, 512), kind=vhd_image.FIXED)
    right("a fixed VHD", layout("made.vhd", fixed=True),
          ([], [(0, 17 * 512)]))
    image = content("made.vhd")
    wrong("length", vhd_layout.LayoutError, layout,
          write("made.vhd", bytes(512) + image), fixed=True)


def check_differencing(layout):
    base, _ = streamed_vhd(MIB, (0, 512), path="base.vhd",
                           uuid=uuid.uuid4().bytes, time=77)

    def child(locators, **options):
        streamed_vhd(MIB, (512, 512), **{
            "kind": vhd_image.DIFFERENCING, "parent_uuid": base.uuid,
            "parent_time": base.time, "parent_name": "base.vhd",
            "locators": locators, "locators_first": True, **options})
        return "made.vhd"

    good = vhd_image.libvhd_locators
    right("a differencing VHD", layout(child(good("base.vhd")),
                                       parent="base.vhd"),
          ([0], [(512, 1024)]))

    def bad(pattern, *args, **options):
        wrong(pattern, vhd_layout.LayoutError, layout,
              child(*args, **options), parent="base.vhd")

    bad("parent UUID", good("base.vhd"), parent_uuid=bytes(16))
    bad("parent time", good("base.vhd"), parent_time=78)
    bad("parent name", good("base.vhd"), parent_name="Base.vhd")
    bad("MacX.: './other.vhd'", good("other.vhd"))
    bad("parent locators", good("base.vhd")[:2])
    bad("place of a parent locator", good("base.vhd"), locators_first=False)
    bad("not a relative path", good("base.vhd")[:2] + [
        vhd_image.w2ru(".\\base.vhd", terminator="\0")])
    bad("not a relative path", good("base.vhd")[:2] + [
        vhd_image.w2ru("\\base.vhd")])
    bad("slashes", good("base.vhd")[:2] + [vhd_image.w2ru("./base.vhd")])
    bad("bytes in", good("base.vhd")[:2] + [
        vhd_image.Locator(b"W2ru", b".\0", length=9999)])


def main():
    {"xva": check_xva, "chunked": check_chunked, "qcow2": check_qcow2,
     "vhd": check_vhd}[sys.argv[1]]()


if __name__ == "__main__":
    main()
