# SPDX-License-Identifier: BSD-3-Clause
"""The images of the benchmark: what each holds, and how it is made.

Everything is made here, from a seed; QEMU converts what it can read, so
that the layout is one that users have.  An image is made when it is first
asked for, under another name until it is whole, and kept for the next run.
Of the largest disks there is only metadata: their data is a hole of the
file.  'scale' makes all disks smaller or larger.
"""

import array
import hashlib
import itertools
import os
import random
import shutil
import struct
import subprocess
import sys

import fragmented
import vhd_image

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB

CLUSTER = 64 * KIB
BLOCK = 2 * MIB                 # of VHDs
LAYERS = 30
WRITES = 40                     # in each layer
POOL = 8 * MIB                  # of text, in which runs of data begin


def source_digest():
    """Changes when images may have to be made anew."""
    return hashlib.sha256(b"".join(
        open(path, "rb").read()
        for path in (__file__, vhd_image.__file__))).hexdigest()


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def qemu_convert(source, source_format, dest, dest_format, *options):
    run("qemu-img", "convert", "-m", "8", "-f", source_format,
        "-O", dest_format, *options, source, dest)


# --- Disks with data -----------------------------------------------------

def text_pool(rng):
    """Bytes that deflate to about a third."""
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9)))
             for _ in range(400)]
    text = " ".join(rng.choices(words, k=POOL // 4)).encode()
    return text[:POOL]


def lengths(rng, total, longest):
    """Lengths of 64 KiB to 'longest', as many short as long ones, that add
    up to 'total'."""
    while total > 0:
        length = int(CLUSTER * (longest / CLUSTER) ** rng.random())
        length = min(length // CLUSTER * CLUSTER, total)
        yield length
        total -= length


def write_disk(path, size, data, compressible, seed):
    """A raw disk with 'data' bytes in runs; of so large a part of them
    text, of the rest random bytes."""
    rng = random.Random(seed)
    pool = text_pool(rng)
    longest = max(min(16 * MIB, size // 64), CLUSTER)
    runs = lengths(rng, data, longest)
    holes = lengths(rng, size - data, longest)
    offset = 0
    with open(path, "wb") as file:
        for count, hole in itertools.zip_longest(runs, holes, fillvalue=0):
            file.seek(offset)
            if rng.random() < compressible:
                start = rng.randrange(POOL // 2)
                text = pool[start:start + count]
                file.write((text * (count // len(text) + 1))[:count]
                           if text and count else b"")
            else:
                file.write(rng.randbytes(count))
            offset += count + hole
        file.truncate(size)


# --- Metadata alone ------------------------------------------------------

def write_qcow2_map(path, size, every):
    """A QCOW2 of which every 'every'th cluster is allocated, in order.

    All its reference counts are 0: with others QEMU would notice that the
    file has holes where its data should be, and look each of them up.
    """
    entries = CLUSTER // 8
    tables = -(-size // (CLUSTER * entries))
    l1_clusters = -(-tables * 8 // CLUSTER)
    l1_offset = 2 * CLUSTER
    l2_offset = l1_offset + l1_clusters * CLUSTER
    data = l2_offset + tables * CLUSTER
    copied = 1 << 63
    header = struct.pack(">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, 0, 0, 16,
                         size, 0, tables, l1_offset, CLUSTER, 1, 0, 0, 0, 0,
                         0, 4, 104)
    with open(path, "wb") as file:
        file.write(header)
        file.seek(l1_offset)
        l1 = array.array("Q", (l2_offset + n * CLUSTER | copied
                               for n in range(tables)))
        l1.byteswap()
        file.write(l1)
        file.seek(l2_offset)
        for number in range(tables):
            table = array.array("Q", bytes(CLUSTER))
            end = min(entries, size // CLUSTER - number * entries)
            count = len(range(0, end, every))
            table[:end:every] = array.array("Q", (
                data + n * CLUSTER | copied for n in range(count)))
            data += count * CLUSTER
            table.byteswap()
            file.write(table)
        file.truncate(data)


def write_vhd_map(path, size, with_batmap):
    """A dynamic VHD with all blocks allocated, in order, and complete: as
    XenServer's batmap says, or else the bitmap of each block."""
    vhd = vhd_image.Vhd(vhd_image.DYNAMIC, size)
    vhd.bat_offset = 3 * 512
    vhd.bat_entries = size // BLOCK
    end = vhd.bat_offset + vhd_image.round_up(vhd.bat_entries * 4, 512)
    batmap = b""
    if with_batmap:
        vhd.batmap = vhd_image.Batmap(bits=range(vhd.bat_entries),
                                      offset=end + 512)
        batmap = b"".join(vhd.batmap_bytes())
    first = end + len(batmap)
    step = 512 + BLOCK
    bat = array.array("I", ((first + n * step) // 512
                            for n in range(vhd.bat_entries)))
    bat.byteswap()
    with open(path, "wb") as file:
        file.write(vhd.footer() + vhd.header())
        file.seek(vhd.bat_offset)
        file.write(bat)
        file.seek(end)
        file.write(batmap)
        for n in range(vhd.bat_entries if not with_batmap else 0):
            file.seek(first + n * step)
            file.write(b"\xff" * 512)
        file.seek(first + vhd.bat_entries * step)
        file.write(vhd.footer())


# --- Chains --------------------------------------------------------------

def layer_writes(layer, size):
    """(offset, length) of the writes in a layer, the same in chains of
    every format.  The layer's number is the byte that is written."""
    rng = random.Random(layer)
    length = max(256 * KIB * size // (8 * GIB) // 4096 * 4096, 4096)
    for _ in range(WRITES):
        yield rng.randrange((size - length) // 4096) * 4096, length


class Images:
    """Paths of the images, by name, with what makes them beside it.

    directory     where they are kept
    scale         of their sizes
    vdisk         the tool: nothing else reads the chain of VHDs
    """

    def __init__(self, directory, scale, vdisk):
        self.vdisk = vdisk
        self.directory = os.path.join(directory, "images-%g" % scale)
        self.size = self.scaled(8 * GIB, scale)
        self.huge_size = self.scaled(TIB, scale)
        self.vhd_size = self.scaled(2040 * GIB, scale)
        self.sparse_size = self.scaled(64 * TIB, scale)
        stamp = os.path.join(self.directory, "made-by-" + source_digest())
        if not os.path.exists(stamp):
            shutil.rmtree(self.directory, ignore_errors=True)
            os.makedirs(self.directory)
            open(stamp, "wb").close()

    @staticmethod
    def scaled(size, scale):
        return max(int(size * scale) // (16 * MIB), 1) * 16 * MIB

    def path(self, name):
        return os.path.join(self.directory, name)

    def get(self, name):
        """The path of the image, which is there then."""
        path = self.path(name)
        if not os.path.exists(path):
            print("making", name, file=sys.stderr, flush=True)
            self.makers()[name](path + ".part")
            os.rename(path + ".part", path)
        return path

    def makers(self):
        makers = {
            "disk.raw": self.make_disk,
            "packed.raw": self.make_packed,
            "disk.qcow2": self.converted("disk.raw", "qcow2"),
            "disk.vhd": self.converted("disk.raw", "vpc", "-o",
                                       "subformat=dynamic,force_size=on"),
            "disk.qed": self.converted("disk.raw", "qed"),
            "flat.raw": self.make_flat,
            "flat.qcow2": self.converted("flat.raw", "qcow2"),
            "flat.vhd": lambda path: run(
                self.vdisk, "export", "-O", "vhd",
                self.get("chain-%d.vhd" % LAYERS), path),
            "contiguous.qcow2": lambda path: write_qcow2_map(
                path, self.huge_size, 1),
            "alternating.qcow2": lambda path: write_qcow2_map(
                path, self.huge_size, 2),
            "batmap.vhd": lambda path: write_vhd_map(
                path, self.vhd_size, True),
            "bitmaps.vhd": lambda path: write_vhd_map(
                path, self.vhd_size // 10 // BLOCK * BLOCK, False),
            "sparse.qcow2": self.make_sparse,
            "pieces.qcow2": lambda path: fragmented.make(
                path, self.size // 8),
        }
        for disk in "disk", "packed":
            for kind in "zlib", "zstd":
                makers["%s-%s.qcow2" % (disk, kind)] = self.converted(
                    disk + ".raw", "qcow2", "-c", "-o",
                    "compression_type=" + kind)
        for layer in range(1, LAYERS + 1):
            makers["chain-%d.qcow2" % layer] = self.layer_maker(
                layer, "qcow2", self.make_qcow2_layer)
            makers["chain-%d.vhd" % layer] = self.layer_maker(
                layer, "vhd", self.make_vhd_layer)
        return makers

    def converted(self, source, dest_format, *options):
        return lambda path: qemu_convert(self.get(source), "raw", path,
                                         dest_format, *options)

    def make_disk(self, path):
        write_disk(path, self.size, self.size // 2, 0.5, seed=1)

    def make_packed(self, path):
        write_disk(path, self.size // 2, self.size // 4, 1, seed=2)

    def make_flat(self, path):
        """What the chains hold."""
        run("cp", "--sparse=always", self.get("disk.raw"), path)
        with open(path, "r+b") as file:
            for layer in range(1, LAYERS + 1):
                for offset, length in layer_writes(layer, self.size):
                    file.seek(offset)
                    file.write(bytes([layer]) * length)

    def make_sparse(self, path):
        """A disk with a little data at its start, middle and end."""
        run("qemu-img", "create", "-q", "-f", "qcow2", path,
            str(self.sparse_size))
        run("qemu-io", "-t", "unsafe", "-f", "qcow2", *itertools.chain(
            *(("-c", "write -q -P %d %d 1M" % (n, offset))
              for n, offset in enumerate(self.sparse_offsets(), 1))), path)

    def sparse_offsets(self):
        return 0, self.sparse_size // 2, self.sparse_size - MIB

    def layer_maker(self, layer, extension, make):
        """The one below is named as it stands in the file."""
        below = ("chain-%d.%s" % (layer - 1, extension) if layer > 1
                 else "disk." + extension)
        return lambda path: make(path, layer, self.get(below))

    def make_qcow2_layer(self, path, layer, below):
        run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2",
            "-b", os.path.basename(below), path)
        run("qemu-io", "-t", "unsafe", "-f", "qcow2", *itertools.chain(
            *(("-c", "write -q -P %d %d %d" % (layer, *write))
              for write in layer_writes(layer, self.size))), path)

    def make_vhd_layer(self, path, layer, below):
        with open(below, "rb") as file:
            footer = file.read(512)
        name = os.path.basename(below)
        vhd = vhd_image.Vhd(
            vhd_image.DIFFERENCING, self.size, stale=False, seed=layer,
            parent_uuid=footer[68:84], parent_name=name,
            parent_time=struct.unpack(">I", footer[24:28])[0],
            locators=vhd_image.libvhd_locators(name))
        for offset, length in layer_writes(layer, self.size):
            vhd.fill(offset, bytes([layer]) * length)
        vhd.write(path)
