#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make the seed corpora of the fuzz targets: small images of each kind, by
qemu-img and by tests/e2e/vhd_image.py.

  seeds.py DIRECTORY

makes DIRECTORY/TARGET/SEED.  An input starts with 8 bytes of control (see
fuzz.h), which are zeros here.
"""

import os
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../e2e"))

import qemu
import vhd_image

CONTROL = bytes(8)
SPARSE = b"\x02" + bytes(7)

# Larger ones would only make everything slower.
SIZE_MAX = 96 << 10


def be(layout, *values):
    return struct.pack(">" + layout, *values)


# --- QCOW2 --------------------------------------------------------------

def qcow2_image(cluster_bits, l2, size=None, features=0, compression=0,
                data=b"", backing=False, extended=False):
    """An image as small as can be: header, L1 table, L2 table and data,
    each at the next multiple of the cluster size; the file ends after the
    data.  'l2' are the entries."""
    cluster = 1 << cluster_bits
    entry = 16 if extended else 8
    covered = cluster // entry * cluster
    header = be("4sIQIIQIIQQIIQQQQIIB7x", b"QFI\xfb", 3,
                cluster - 1 if backing else 0, int(backing), cluster_bits,
                size or covered, 0, 1, cluster, 0, 0, 0, 0,
                features | (16 if extended else 0), 0, 0, 4, 112,
                compression)
    image = header.ljust(cluster - 1, b"\0") + (b"b" if backing else b"\0")
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
    yield "backed", make("backed", writes[:1], cluster_size=512,
                         backing=(base, "raw")).replace(
                             base.encode(), b"b".ljust(len(base), b"/"))
    path = os.path.join(directory, "v3")
    qemu.img("snapshot", "-c", "one", path)
    qemu.img("snapshot", "-c", "two", path)
    with open(path, "rb") as file:
        yield "snapshots", file.read()
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
        extended=True)
    yield "hand-large", qcow2_image(13, [0, 1, 8192 | copied],
                                    size=1 << 20)
    stream = b"\x4b\x04\x00" * 3
    yield "hand-packed", qcow2_image(
        9, [1 << 62 | 3 * 512, 1 << 62 | 3 * 512 + 7],
        data=deflate(b"A" * 512) + deflate(b"B" * 512) + stream)


def deflate(data):
    import zlib
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
        with open(path, "rb") as file:
            yield "qemu", file.read()
        xen = vhd_image.Vhd(vhd_image.DYNAMIC, 4 << 20,
                            batmap=vhd_image.Batmap(bits=[0]))
        xen.fill(0, b"full" * 1000)
        data = written(xen, directory)
        yield "batmap", data[:8192] + data[-512:]


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


# --- Writing them -------------------------------------------------------

def write(directory, name, data):
    if len(data) > SIZE_MAX:
        print("left out: %s, %d bytes" % (name, len(data)))
        return
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "wb") as file:
        file.write(data)


def main():
    top = sys.argv[1]
    for target, seeds in (("qcow2", qcow2_seeds), ("vhd", vhd_seeds),
                          ("qed", qed_seeds)):
        for name, data in seeds():
            where = os.path.join(top, target)
            write(where, name, CONTROL + data)
            write(where, name + "-sparse", SPARSE + data)


if __name__ == "__main__":
    main()
