# SPDX-License-Identifier: BSD-3-Clause
"""Images for differential.py: good ones of each format, and what becomes of
them when some bytes of their metadata are changed.
"""

import os
import struct
import tempfile

import qemu
import vhd_image

QEMU_FORMAT = {"qcow2": "qcow2", "vhd": "vpc", "qed": "qed"}


# --- Subjects: images before they are damaged ---------------------------

class Subject:
    """A good image, and where its metadata is: (offset, size) pairs."""

    def __init__(self, name, kind, data, places, others=()):
        self.name = name
        self.kind = kind
        self.data = data
        self.places = places
        self.others = others    # (name, bytes) of files it refers to


def number(data, layout, at):
    return struct.unpack_from(layout, data, at)[0]


def qcow2_places(data):
    """Header, L1, L2 and refcount tables, snapshots."""
    cluster = 1 << number(data, ">I", 20)
    l1 = number(data, ">Q", 40)
    l1_size = number(data, ">I", 36) * 8
    table = number(data, ">Q", 48)
    places = [(0, 112), (0, 112), (112, 64), (l1, l1_size), (table, 16),
              (number(data, ">Q", table), 64)]
    if number(data, ">I", 60):
        places.append((number(data, ">Q", 64), 120))
    for at in range(l1, l1 + l1_size, 8):
        l2 = number(data, ">Q", at) & 0x00fffffffffffe00
        if l2:
            places += [(l2, 128), (l2, min(cluster, 1024))] * 2
    return places


def vhd_places(data):
    footer = len(data) - 512
    places = [(footer, 85), (0, 85)]
    if number(data, ">I", footer + 60) == vhd_image.FIXED:
        return places
    header = number(data, ">Q", footer + 16)
    bat = number(data, ">Q", header + 16)
    entries = number(data, ">I", header + 28)
    places += [(header, 60)] * 2 + [(bat, min(entries * 4, 256))] * 4
    return places


def qed_places(data):
    l1 = number(data, "<Q", 40)
    places = [(0, 64), (0, 64), (l1, 64)]
    table = number(data, "<I", 4) * number(data, "<I", 8)
    for at in range(l1, l1 + table, 8):
        l2 = number(data, "<Q", at)
        if l2:
            places += [(l2, 128), (l2, 1024)] * 2
    return places


PLACES = {"qcow2": qcow2_places, "vhd": vhd_places, "qed": qed_places}


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def make_qemu(path, kind, size, writes, backing=None, **options):
    qemu.create(path, QEMU_FORMAT[kind], size,
                ["%s=%s" % option for option in options.items()], backing)
    if writes:
        qemu.io(path, QEMU_FORMAT[kind], writes)
    return read_file(path)


WRITES = ["write -P 1 0 70k", "write -P 2 200k 3k", "write -z 100k 64k",
          "write -P 3 600k 100k"]
PACKED = ["write -c -P 4 0 64k", "write -c -P 5 128k 64k",
          "write -P 6 300k 64k"]


def qcow2_images(directory):
    path = os.path.join(directory, "image")
    base = os.path.join(directory, "base")
    with open(base, "wb") as file:
        file.write(b"base image" * 60000)
    base = ("base", "raw")

    def make(writes, size="1M", backing=None, **options):
        return make_qemu(path, "qcow2", size, writes, backing, **options)

    yield "v2", make(WRITES[:2] + WRITES[3:], compat="0.10",
                     cluster_size=4096)
    yield "v3", make(WRITES)
    yield "v3-512", make(WRITES, cluster_size=512)
    yield "v3-4k", make(WRITES, cluster_size=4096, refcount_bits=1)
    yield "odd", make(WRITES, size=1000500, cluster_size=4096)
    yield "zlib", make(PACKED)
    yield "zlib-4k", make(["write -c -P 4 0 4k", "write -c -P 5 8k 4k"],
                          cluster_size=4096)
    yield "zstd", make(PACKED, compression_type="zstd")
    yield "extended", make(WRITES, extended_l2="on")
    yield "extended-16k", make(WRITES, extended_l2="on", cluster_size=16384)
    yield "backed", make(WRITES, backing=base, cluster_size=4096)
    yield "data-file", make(WRITES, data_file="data")
    yield "raw-data-file", make(WRITES, data_file="data",
                                data_file_raw="on")
    make(WRITES)
    qemu.img("snapshot", "-c", "one", path)
    yield "snapshot", read_file(path)


def vhd_images(directory):
    path = os.path.join(directory, "image")

    def make(writes, size="1M", **options):
        return make_qemu(path, "vhd", size, writes, **options)

    yield "dynamic", make(WRITES[:2] + WRITES[3:], force_size="on")
    yield "dynamic-chs", make(WRITES[:2], size="5M")
    yield "fixed", make(WRITES[:2], subformat="fixed", force_size="on")
    yield "fixed-chs", make(WRITES[:2], subformat="fixed")
    for creator in b"win ", b"tap\0", b"vpc ", b"caml":
        vhd = vhd_image.Vhd(vhd_image.DYNAMIC, 512 << 10, block_size=65536,
                            creator=creator, order="shuffled")
        vhd.fill(0, b"zero" * 5000)
        vhd.fill(100 << 10, b"more" * 20000)
        yield creator.decode().strip("\0 "), read_file(vhd.write(path).path)


def qed_images(directory):
    path = os.path.join(directory, "image")
    base = os.path.join(directory, "base")
    with open(base, "wb") as file:
        file.write(b"base image" * 60000)

    def make(writes, size="1M", backing=None, **options):
        return make_qemu(path, "qed", size, writes, backing, **options)

    yield "4k", make(WRITES, cluster_size=4096, table_size=2)
    yield "64k", make(WRITES[:2])
    yield "backed", make(WRITES, backing=("base", "raw"),
                         cluster_size=4096, table_size=2)


IMAGES = {"qcow2": qcow2_images, "vhd": vhd_images, "qed": qed_images}


def subjects(kind):
    """All subjects of a format."""
    with tempfile.TemporaryDirectory() as directory:
        here = os.getcwd()
        os.chdir(directory)
        try:
            for name, data in IMAGES[kind](directory):
                others = [(other, read_file(other))
                          for other in ("base", "data")
                          if os.path.exists(other)]
                yield Subject(name, kind, data, PLACES[kind](data), others)
                if os.path.exists("data"):
                    os.unlink("data")
        finally:
            os.chdir(here)


# --- Damage -------------------------------------------------------------

def damage_byte(data, at, rng):
    data[at] = rng.choice([data[at] ^ 1 << rng.randrange(8), 0, 0xff,
                           rng.randrange(256), (data[at] + 1) & 0xff])


def damage_word(data, at, rng, order):
    """Change a number of 4 or 8 bytes, or put an offset there."""
    width, layout = rng.choice([(8, "Q"), (8, "Q"), (4, "I")])
    at -= at % width
    layout = order + layout
    old = number(data, layout, at)
    unit = rng.choice([512, 4096, 65536])
    place = rng.randrange(len(data) // unit + 2) * unit
    new = rng.choice([0, 1, place, place, place | old & (0xff << 56),
                      place // 512, old + unit, old - unit, old ^ 1,
                      old ^ 1 << rng.randrange(width * 8),
                      rng.getrandbits(width * 8)])
    struct.pack_into(layout, data, at, new % (1 << width * 8))


def settle_vhd(data):
    """Make the checksums of a damaged VHD right."""
    def settle(start, size, at):
        if 0 <= start <= len(data) - size:
            data[at:at + 4] = bytes(4)
            total = vhd_image.complement_sum(data[start:start + size])
            data[at:at + 4] = struct.pack(">I", total)

    footer = len(data) - 512
    header = number(data, ">Q", footer + 16)
    if header <= len(data) - 1024:
        settle(header, 1024, header + 36)
    settle(footer, 512, footer + 64)
    if data[:8] == b"conectix":
        settle(0, 512, 64)


def sync_footers(data, rng):
    """Make one footer of a dynamic VHD a copy of the other: QEMU goes by
    the one at the start, we by the one at the end."""
    if data[-512:-504] != b"conectix" or rng.random() < 0.5:
        data[-512:] = data[:512]
    else:
        data[:512] = data[-512:]


def damage(subject, rng):
    """A damaged copy of the image."""
    data = bytearray(subject.data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        start, size = rng.choice(subject.places)
        at = start + rng.randrange(max(size, 1))
        if at + 8 > len(data):
            continue
        if rng.random() < 0.5:
            damage_byte(data, at, rng)
        else:
            damage_word(data, at, rng,
                        "<" if subject.kind == "qed" else ">")
    if rng.random() < 0.05:
        del data[rng.randrange(len(data) - 1024, len(data)):]
    if subject.kind == "vhd":
        if not subject.name.startswith("fixed"):
            sync_footers(data, rng)
        if rng.random() < 0.9:
            settle_vhd(data)
    return bytes(data)


def disk_sizes(kind, data):
    """All that some program may take for the size of the disk."""
    if kind == "qcow2" and len(data) >= 32:
        yield number(data, ">Q", 24)
    if kind == "qed" and len(data) >= 56:
        yield number(data, "<Q", 48)
    if kind == "vhd":
        for at in 0, len(data) - 512, len(data) - 511:
            if at >= 0 and data[at:at + 8] == b"conectix":
                yield number(data, ">Q", at + 48)
                cylinders, heads, sectors = struct.unpack_from(
                    ">HBB", data, at + 56)
                yield cylinders * heads * sectors * 512
