#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make the seed corpora of the fuzz targets: small images of each kind, by
qemu-img and by tests/e2e/lib/vhd_image.py.

  seeds.py DIRECTORY

makes DIRECTORY/TARGET/SEED.  An input starts with 8 bytes of control (see
fuzz.h), which are zeros here.
"""

import os
import struct
import sys
import tempfile
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../e2e/lib"))
sys.dont_write_bytecode = True

import qemu
import vhd_image

EXTENDED_L2 = 1 << 4

CONTROL = bytes(8)
SPARSE = b"\x02" + bytes(7)

# Larger ones would only make everything slower.
SIZE_MAX = 96 << 10


def be(layout, *values):
    return struct.pack(">" + layout, *values)


# --- QCOW2 --------------------------------------------------------------

def extension(kind, data):
    return be("II", kind, len(data)) + data + bytes(-len(data) % 8)


def qcow2_image(cluster_bits, l2, size=None, features=0, data=b"",
                backing=False, formats=b"", data_file=b""):
    """An image as small as can be: header, L1 table, L2 table and data,
    each at the next multiple of the cluster size; the file ends after the
    data.  'l2' are the entries; the backing file is called b."""
    cluster = 1 << cluster_bits
    entry = 16 if features & EXTENDED_L2 else 8
    covered = cluster // entry * cluster
    image = be("4sIQIIQIIQQIIQQQQIIB7x", b"QFI\xfb", 3,
               cluster - 2 if backing else 0, int(backing), cluster_bits,
               size or covered, 0, 1, cluster, 0, 0, 0, 0, features, 0, 0,
               4, 112, 0)
    if formats:
        image += extension(0xe2792aca, formats)
    if data_file:
        image += extension(0x44415441, data_file)
    image = image.ljust(cluster - 2, b"\0") + (b"b\0" if backing else b"\0\0")
    image += be("Q", 2 * cluster | 1 << 63).ljust(cluster, b"\0")
    image += b"".join(be("Q", e) for e in l2)
    if data:
        image = image.ljust(3 * cluster, b"\0") + data
    return image


def qemu_qcow2(path, commands, size=70000, backing=None, **options):
    qemu.create(path, "qcow2", size, ["%s=%s" % (name, value)
                                      for name, value in options.items()],
                backing)
    if commands:
        qemu.io(path, "qcow2", commands)


def with_backing_name(image, old, new):
    """The image with another name in the place of its backing file's, which
    depends on where temporary files are."""
    at = image.index(old)
    data = bytearray(image)
    data[16:20] = struct.pack(">I", len(new))
    data[at:at + len(old)] = bytes(len(old))
    data[at:at + len(new)] = new
    return bytes(data)


def timeless_snapshots(path):
    """The image, as if its snapshots had been taken at no time, so that it is
    the same whenever it is made."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    count, at = struct.unpack(">IQ", data[60:72])
    for _ in range(count):
        id_size, name_size = struct.unpack(">HH", data[at + 12:at + 16])
        extra_size, = struct.unpack(">I", data[at + 36:at + 40])
        data[at + 16:at + 32] = bytes(16)
        at += (40 + extra_size + id_size + name_size + 7) // 8 * 8
    return bytes(data)


def timeless_vhd(path):
    """The image, as if it had been made at no time and had no UUID."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    for at in 0, len(data) - 512:
        footer = data[at:at + 512]
        footer[24:28] = bytes(4)
        footer[68:84] = bytes(16)
        data[at:at + 512] = vhd_image.set_checksum(bytes(footer), 64)
    return bytes(data)


def qcow2_by_qemu(directory):
    writes = ["write -P 65 0 3k", "write -P 66 20k 512", "write -z 8k 4k",
              "write -P 67 67k 600"]
    base = os.path.join(directory, "b")
    with open(base, "wb") as file:
        file.write(b"base" * 10000)

    def make(name, *args, **options):
        path = os.path.join(directory, name)
        qemu_qcow2(path, *args, **options)
        with open(path, "rb") as file:
            return file.read()

    yield "empty", make("e", [], cluster_size=512)
    yield "v2", make("v2", writes[:2], cluster_size=512, compat="0.10")
    yield "v3", make("v3", writes, cluster_size=512)
    yield "v3-1k", make("v3-1k", writes, cluster_size=1024,
                        refcount_bits=1)
    yield "v3-4k", make("v3-4k", writes[:2], cluster_size=4096,
                        refcount_bits=64)
    yield "lazy", make("lazy", writes[:1], cluster_size=512,
                       lazy_refcounts="on")
    yield "extended", make("extended", ["write -P 1 0 1k"],
                           cluster_size=16384, extended_l2="on")
    for kind in "zlib", "zstd":
        yield kind, make(
            kind, ["write -c -P 65 0 4k", "write -c -P 66 8k 4k"],
            cluster_size=4096, size=40960, compression_type=kind)
    yield "backed", with_backing_name(
        make("backed", writes[:1], cluster_size=512, backing=(base, "raw")),
        base.encode(), b"b".ljust(40, b"/"))
    path = os.path.join(directory, "v3")
    qemu.img("snapshot", "-c", "one", path)
    qemu.img("snapshot", "-c", "two", path)
    yield "snapshots", timeless_snapshots(path)
    path = os.path.join(directory, "v3-4k")
    qemu.img("bitmap", "--add", "-g", "512", path, "dirty")
    with open(path, "rb") as file:
        yield "bitmaps", file.read()


def qcow2_by_hand():
    """Those that qemu-img cannot make, or not small."""
    copied = 1 << 63
    yield "hand-512", qcow2_image(
        9, [3 * 512 | copied, 4 * 512 | copied, 1, 0, 3 * 512 | 1],
        data=b"data" * 256)
    yield "hand-backed", qcow2_image(
        9, [3 * 512 | copied, 0, 0, 1], data=b"over" * 128, backing=True)
    yield "hand-extended", qcow2_image(
        14, [16384 | copied, 0x0000ffff0000aaaa & ~0xaaaa << 32,
             16384 | copied, 1 << 32 | 2, 0, 0xff << 32],
        features=EXTENDED_L2)
    yield "hand-large", qcow2_image(13, [0, 1, 8192 | copied],
                                    size=1 << 20)
    stream = b"\x4b\x04\x00" * 3
    yield "hand-packed", qcow2_image(
        9, [1 << 62 | 3 * 512, 1 << 62 | 3 * 512 + 7],
        data=deflate(b"A" * 512) + deflate(b"B" * 512) + stream)


def deflate(data):
    compressor = zlib.compressobj(9, zlib.DEFLATED, -12)
    return compressor.compress(data) + compressor.flush()


def qcow2_seeds():
    with tempfile.TemporaryDirectory() as directory:
        yield from qcow2_by_qemu(directory)
    yield from qcow2_by_hand()


# --- VHD ----------------------------------------------------------------

def written(vhd, directory):
    path = os.path.join(directory, "vhd")
    vhd.write(path)
    with open(path, "rb") as file:
        return file.read()


def small_vhd(kind=vhd_image.DYNAMIC, size=20000 // 512 * 512, **options):
    vhd = vhd_image.Vhd(kind, size, block_size=4096, **options)
    vhd.fill(0, b"zero" * 300)
    vhd.fill(9000 // 512 * 512, b"nine" * 900)
    return vhd


def large_bitmaps(directory):
    """Blocks whose bitmaps have two sectors, in which others start."""
    vhd = vhd_image.Vhd(vhd_image.DYNAMIC, 16 << 20, block_size=4 << 20)
    data = bytearray(written(vhd, directory))
    bat, = struct.unpack_from(">Q", data, 512 + 16)
    first = len(data) // 512 - 1
    struct.pack_into(">4I", data, bat, first, first + 1, first + 5,
                     0xffffffff)
    bits = (b"\x80" + bytes(511)) * 16
    return bytes(data[:-512]) + bits + bytes(data[-512:])


def vhd_seeds():
    with tempfile.TemporaryDirectory() as directory:
        yield "dynamic", written(small_vhd(), directory)
        yield "fixed", written(small_vhd(vhd_image.FIXED, 4096), directory)
        child = small_vhd(vhd_image.DIFFERENCING)
        child.locators = [vhd_image.w2ru(".\\b"), vhd_image.macx("./b")]
        child.parent_name = "b"
        yield "child", written(child, directory)
        path = os.path.join(directory, "vpc")
        qemu.create(path, "vpc", 4 << 20, ["force_size=on"])
        yield "qemu", timeless_vhd(path)
        xen = vhd_image.Vhd(vhd_image.DYNAMIC, 4 << 20,
                            batmap=vhd_image.Batmap(bits=[0]))
        xen.fill(0, b"full" * 1000)
        data = written(xen, directory)
        yield "batmap", data[:8192] + data[-512:]
        yield "large-bitmaps", large_bitmaps(directory)


# --- QED ----------------------------------------------------------------

def qed_image(l1, l2, features=0, size=1 << 20, data=b""):
    header = struct.pack("<4sIIIQQQQQII", b"QED\0", 4096, 1, 1, features, 0,
                         0, 4096, size, 64, 1)
    image = (header + b"b").ljust(4096, b"\0")
    image += b"".join(struct.pack("<Q", e) for e in l1).ljust(4096, b"\0")
    image += b"".join(struct.pack("<Q", e) for e in l2).ljust(4096, b"\0")
    return image + data


def qed_seeds():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "qed")
        qemu.create(path, "qed", 60000 // 512 * 512,
                    ["cluster_size=4096", "table_size=2"])
        qemu.io(path, "qed", ["write -P 65 0 5k"])
        with open(path, "rb") as file:
            yield "qemu", file.read()
    yield "hand", qed_image([8192], [12288, 1, 0, 12288],
                            data=b"data" * 1024)
    yield "backed", qed_image([8192], [12288], 5, data=b"over" * 256)
    yield "check", qed_image([8192, 8192], [1, 12288], 2, 4 << 20, b"x")


# --- Chains, all formats, text ------------------------------------------

def join(*files):
    """Several files in one input: see parts.h."""
    return (bytes([len(files) - 1]) +
            b"".join(be("I", len(f)) for f in files[:-1]) + b"".join(files))


def vhd_chain():
    """A child and its parent, which the child knows by its UUID."""
    with tempfile.TemporaryDirectory() as directory:
        base = small_vhd(seed=2)
        child = vhd_image.Vhd(vhd_image.DIFFERENCING, 20480, block_size=4096,
                              locators=[vhd_image.w2ru(".\\b")],
                              parent_uuid=base.uuid, parent_time=base.time)
        child.fill(512, b"child" * 500)
        return written(child, directory), written(base, directory)


def chain_seeds():
    copied = 1 << 63
    raw = b"base" * 4000
    over = qcow2_image(9, [3 * 512 | copied, 0, 0, 1], data=b"over" * 128,
                       backing=True, formats=b"raw")
    small = qcow2_image(9, [0, 3 * 512 | copied, 0, 1], data=b"more" * 128,
                        size=20000, backing=True)
    coarse = qcow2_image(12, [0, 3 * 4096 | copied], data=b"base" * 512)
    yield "qcow2-raw", join(over, raw)
    yield "qcow2-qcow2", join(small, coarse)
    yield "qcow2-qcow2-raw", join(small, over.replace(b"b\0", b"c\0"), raw)
    yield "loop", join(small)
    yield "data-file", join(qcow2_image(
        9, [copied, 0, 1024 | copied, 1536 | copied | 1], features=4,
        data_file=b"b"), raw)
    yield "vhd-vhd", join(*vhd_chain())
    yield "vhd-raw", join(dict(vhd_seeds())["child"], raw)
    yield "qed-raw", join(dict(qed_seeds())["backed"], raw)
    yield "qed-qcow2", join(qed_image([8192], [0, 1], 1), coarse)


def check_seeds():
    for name, seeds in (("qcow2", qcow2_seeds), ("vhd", vhd_seeds),
                        ("qed", qed_seeds)):
        for kind, data in seeds():
            yield "%s-%s" % (name, kind), data


def views_by_qemu(directory):
    """Snapshots of different sizes, with clusters of each kind that differ,
    and bitmaps."""
    for cluster, extended in (512, "off"), (4096, "off"), (16384, "on"):
        path = os.path.join(directory, "views-%d" % cluster)
        packed = ["write -c -P 9 %d %d" % (2 * cluster, cluster)]
        size = 2 * cluster + 1024 if extended == "on" else 16 * cluster
        qemu_qcow2(path, [] if extended == "on" else packed, size=size,
                   cluster_size=cluster, extended_l2=extended)
        qemu.io(path, "qcow2", ["write -P 1 0 1k"])
        qemu.img("snapshot", "-c", "one", path)
        qemu.io(path, "qcow2", ["write -P 2 512 512", "write -z 1k 512"])
        qemu.img("resize", "-q", path, "+1k")
        qemu.img("snapshot", "-c", "t..wo", path)
        qemu.img("bitmap", "--add", "-g", "512", path, "b")
        qemu.img("bitmap", "--add", "-g", "1024", path, "c+b")
        qemu.io(path, "qcow2", ["write -P 3 %d 512" % (size - 512)])
        yield os.path.basename(path), timeless_snapshots(path)


def views_seeds():
    with tempfile.TemporaryDirectory() as directory:
        yield from views_by_qemu(directory)
    yield from qcow2_seeds()


def options_seeds():
    for number, text in enumerate((
            "format=qcow2", "size=chs", "cache-size=128k",
            "cache-size=99999999999999999999G", "backing-dir=.",
            "sector-bitmaps=ignore", "host-holes=off", "force-share=yes")):
        yield "option-%d" % number, b"\0" + text.encode()
    for number, text in enumerate((
            "--output=qemu\n--qemu-version=7.2\ndisk",
            "--start=1M\n--length=2k\n--totals\ndisk",
            "--output=intervals\n--cluster-size=64k\n--format=raw\ndisk")):
        yield "arguments-%d" % number, b"\3" + text.encode()
    for number, text in enumerate((
            "-Oqcow2\n--cluster-size=64k\n--diff=base\ndisk\nout",
            "-Oxva\na=Ref:1\nb=Ref:2\nout", "--measure\ndisk",
            "-Ovhd\n--uuid=00112233-4455-6677-8899-aabbccddeeff\na\nb")):
        yield "export-%d" % number, b"\2" + text.encode()
    for number, text in enumerate(("name", "n\u00e4me \U0001f4be", "a\0b")):
        yield "json-%d" % number, b"\5" + text.encode()
        yield "utf16-le-%d" % number, b"\6" + text.encode("utf-16-le")
        yield "utf16-be-%d" % number, b"\7" + text.encode("utf-16-be")


# --- Writing them -------------------------------------------------------

def write(directory, name, data):
    if len(data) > SIZE_MAX:
        print("left out: %s, %d bytes" % (name, len(data)))
        return
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "wb") as file:
        file.write(data)


TARGETS = {"qcow2": qcow2_seeds, "vhd": vhd_seeds, "qed": qed_seeds,
           "chain": chain_seeds, "check": check_seeds, "views": views_seeds}


def main():
    top = sys.argv[1]
    for target, seeds in TARGETS.items():
        where = os.path.join(top, target)
        for name, data in seeds():
            write(where, name, CONTROL + data)
            write(where, name + "-sparse", SPARSE + data)
    for name, data in options_seeds():
        write(os.path.join(top, "options"), name, data)


if __name__ == "__main__":
    main()
