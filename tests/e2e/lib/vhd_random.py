#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make random VHDs and chains of them, each with what must be read.

  vhd_random.py KIND SEED NUMBER DIRECTORY

KIND is fixed, dynamic or chain; plain-fixed and plain-dynamic are such
that QEMU reads them rightly.  DIRECTORY is made, and gets the image files,
the disk's content in expected.raw, and in expected.json

  image    the top of the chain
  raw      expected.raw
  size     of the disk
  map      [[offset, length, type], ...] as 'nbdinfo --map' must have it
  layers   [[offset, length, depth or null], ...]
  files    the layers' files, top first

The same seed and number make the same files, if the host's file system has
the same idea of holes.
"""

import json
import os
import random
import sys

import vhd_image as vi
from vhd_image import KIB, MIB, SECTOR

CREATORS = [b"caml", b"tap\0", b"win ", b"qem2", b"d2v ", b"CTXS", b"vbox",
            b"vs  ", b"wa\0\0", b"\0\0\0\0", b"vpc ", b"qemu"]
BLOCK_SIZES = [512, 1 * KIB, 2 * KIB, 4 * KIB, 8 * KIB, 16 * KIB, 32 * KIB,
               64 * KIB, 128 * KIB, 256 * KIB, 512 * KIB, 2 * MIB]
NAMES = ["base", "parent disk", "100%", "a%20b", "b\u00e4se", "\u2603",
         "\U0001d6d2", "it's", "x=y", "a+b", "semi;colon", "c,d", "0"]


def choose_size(rng, most=4 * MIB):
    """Mostly small, and now and then not a multiple of anything."""
    kind = rng.random()
    if kind < 0.15:
        return rng.randrange(1, 64) * SECTOR
    if kind < 0.3 and most > 16 * MIB:
        # A batmap's checksum covers nothing of disks below 16 MiB.
        return rng.randrange(16 * MIB, most, SECTOR)
    size = int(rng.triangular(64 * KIB, 4 * MIB, 512 * KIB))
    return vi.round_up(size, rng.choice([SECTOR, SECTOR, 4096, 64 * KIB]))


def choose_sizes(rng, creator, fixed=False):
    """(size, chs) for the footer; either may be the one that counts."""
    most = 4 * MIB if fixed else 64 * MIB
    size = choose_size(rng, most)
    if creator not in (b"vpc ", b"qemu"):
        chs = vi.geometry(size)
        if rng.random() < 0.3:
            chs = (rng.randrange(100), rng.randrange(17), rng.randrange(64))
        return size, chs
    if rng.random() < 0.25:
        return size, vi.MAX_CHS
    heads, sectors = rng.randrange(1, 17), rng.randrange(1, 64)
    cylinders = max(size // SECTOR // heads // sectors, 1)
    chs = (cylinders, heads, sectors)
    if fixed:
        return vi.chs_size(chs) + rng.randrange(64) * SECTOR, chs
    return choose_size(rng, most), chs


def random_bytes(rng, length):
    """What could be on a disk: noise, zeros, a repeated byte."""
    kind = rng.random()
    if kind < 0.6:
        return rng.randbytes(length)
    if kind < 0.8:
        return bytes(length)
    return bytes([rng.randrange(256)]) * length


def fill_at_random(rng, vhd, room):
    """Writes anywhere in 'room' bytes: a few sectors, or many blocks."""
    sectors = room // SECTOR
    for _ in range(rng.choice([0, 1, 3, 10, 30])):
        first = rng.randrange(sectors)
        most = rng.choice([1, 1, 8, 64, 512])
        count = min(rng.randrange(1, most + 1), sectors - first)
        if rng.random() < 0.3:
            unit = vhd.block_size // SECTOR
            first -= first % unit
            count = min(vi.round_up(count, unit), sectors - first)
        vhd.fill(first * SECTOR, random_bytes(rng, count * SECTOR))


def random_footers(rng, vhd):
    """Damage, but never to both footers."""
    kind = rng.random()
    if kind < 0.5:
        return
    if kind < 0.65:
        vhd.end_footer = rng.choice([vi.missing, vi.bad_cookie,
                                     vi.bad_checksum, vi.bad_reserved,
                                     vi.zeroes])
        return
    if kind < 0.8:
        vhd.footer_copy = rng.choice([vi.missing, vi.zeroes, vi.garbage,
                                      vi.bad_checksum])
        return
    if kind < 0.9:
        vhd.end_footer = vi.cut_511
        vhd.footer_copy = rng.choice([vi.whole, vi.zeroes])
        return
    vhd.padding = bytes(rng.randrange(1, 64) * SECTOR)


def random_layout(rng, vhd):
    vhd.order = rng.choice(["ascending", "descending", "shuffled"])
    vhd.gaps = rng.choice([0, 0, 1, 9])
    vhd.align = rng.choice([SECTOR, SECTOR, 4096])
    vhd.stale = rng.random() < 0.7
    vhd.header_offset = rng.choice([512, 512, 512, 1024, 1536, 4096])
    vhd.locators_first = rng.random() < 0.5
    needed = vi.round_up(max(vhd.size, vhd.virtual_size), vhd.block_size)
    vhd.bat_entries = needed // vhd.block_size
    if rng.random() < 0.3:
        vhd.bat_entries += rng.choice([1, 100, 1000])


def random_batmap(rng, vhd):
    """One whose bits are true, or one that must not be believed."""
    if rng.random() < 0.6:
        return
    if rng.random() < 0.7:
        full = [n for n, block in vhd.blocks.items() if all(block.present)]
        vhd.batmap = vi.Batmap([n for n in full if rng.random() < 0.8])
        return
    lies = rng.sample(range(vhd.bat_entries), (vhd.bat_entries + 1) // 2)
    vhd.batmap = rng.choice([
        vi.Batmap(lies, checksum=rng.randrange(1 << 31)),
        vi.Batmap(lies, cookie=b"tdbatmaq"),
    ])


def punch_at_random(rng, vhd):
    """Sparse host files: holes under zeros, and under what is not there.
    Large ones, so that the file has fewer blocks than its size needs."""
    if vhd.block_size < 64 * KIB or not vhd.blocks or rng.random() < 0.5:
        return []
    holes = []
    for number in rng.sample(sorted(vhd.blocks),
                             min(len(vhd.blocks), rng.randrange(1, 4))):
        start = number * vhd.block_size
        length = vhd.block_size
        block = vhd.blocks[number]
        block.data[:] = bytes(len(block.data))
        holes.append((start, length))
    return holes


def random_vhd(rng, kind, plain=False):
    creator = rng.choice(CREATORS)
    if plain:
        creator = rng.choice([b"win ", b"qem2", b"d2v ", b"tap\0", b"vpc ",
                              b"qemu"])
    size, chs = choose_sizes(rng, creator, kind == vi.FIXED)
    vhd = vi.Vhd(kind, size, creator=creator, chs=chs,
                 block_size=rng.choice(BLOCK_SIZES[3 if plain else 0:]),
                 original_size=rng.choice([size, 2 * size, 0]),
                 time=rng.randrange(1 << 32), seed=rng.random())
    room = size
    if kind != vi.FIXED:
        room = vi.round_up(vhd.virtual_size, vhd.block_size)
    if plain and vhd.virtual_size < size:
        # QEMU does not look for what lies beyond.
        room = vhd.virtual_size
    fill_at_random(rng, vhd, room)
    if kind == vi.FIXED:
        return vhd
    for _ in range(rng.choice([0, 0, 1, 3])):
        vhd.allocate(rng.randrange(-(-room // vhd.block_size)))
    random_layout(rng, vhd)
    if plain:
        vhd.stale = False
        if vhd.virtual_size < size:
            last, within = divmod(vhd.virtual_size, vhd.block_size)
            if last in vhd.blocks:
                # The fill by whole blocks may have gone beyond.
                gone = (vhd.block_size - within) // vi.SECTOR
                vhd.blocks[last].present[within // vi.SECTOR:] = bytes(gone)
        return vhd
    random_footers(rng, vhd)
    random_batmap(rng, vhd)
    return vhd


def random_raw(rng):
    """A raw parent with some holes."""
    data = bytearray(choose_size(rng))
    for start in range(0, len(data), 64 * KIB):
        if rng.random() < 0.7:
            part = data[start:start + 64 * KIB]
            data[start:start + 64 * KIB] = random_bytes(rng, len(part))
    return vi.Raw(bytes(data))


def refer_to(rng, child, parent, directory):
    """Let the child say, in one of many ways, where its parent is."""
    path = os.path.relpath(parent.path, directory)
    windows = path.replace("/", "\\")
    absolute = vi.w2ku("C:\\disks\\" + windows)
    name = os.path.basename(path)
    ways = [
        vi.libvhd_locators(path),
        [vi.w2ru(".\\" + windows)],
        [vi.w2ru(windows), absolute],
        [absolute.in_bytes(), vi.w2ru(".\\" + windows).in_bytes()],
        [vi.w2ru(".\\" + windows, terminator="\0")],
        [vi.w2ku(".\\" + windows)],
        [vi.macx("./" + path)],
        [vi.macx_quoted("./" + path)],
        [vi.macx_quoted(os.path.abspath(parent.path))],
        [vi.wi2r("no such.vhd"), absolute, vi.w2ru(windows)],
        [vi.w2ru(".\\missing.vhd"), vi.macx("./" + path)],
    ]
    if name == path:
        ways += [[], [absolute], [vi.w2ru(".\\gone\\" + name)]] * 2
        child.parent_name = name
    child.locators = rng.choice(ways)
    if child.locators and rng.random() < 0.5:
        child.parent_name = rng.choice([name, "C:\\disks\\" + name, ""])
        if name == path and child.locators in ([absolute], ways[-1]):
            child.parent_name = name
    child.parent_uuid = parent.uuid
    child.parent_time = parent.time


def write_layer(rng, layer, path):
    holes = []
    if isinstance(layer, vi.Raw):
        layer.write(path)
        for start in range(0, len(layer.data), 64 * KIB):
            if not any(layer.data[start:start + 64 * KIB]):
                if rng.random() < 0.8:
                    vi.punch_hole(path, start, 64 * KIB)
        return
    if layer.kind != vi.FIXED:
        holes = punch_at_random(rng, layer)
    layer.write(path)
    for start, length in holes:
        layer.punch(start, length)


def random_chain(rng, kind, directory):
    """The layers of a random chain, top first, all written."""
    os.makedirs(directory)
    if kind != "chain":
        vhd = random_vhd(rng, vi.FIXED if kind.endswith("fixed")
                         else vi.DYNAMIC, kind.startswith("plain"))
        write_layer(rng, vhd, os.path.join(directory, "disk.vhd"))
        return [vhd]
    depth = rng.randrange(1, 9)
    base = rng.choice(["raw", "fixed", "dynamic", "dynamic"])
    if base == "raw":
        layers = [random_raw(rng)]
    else:
        layers = [random_vhd(rng, vi.FIXED if base == "fixed"
                             else vi.DYNAMIC)]
    # Parents lie beside their children or deeper.
    folders = [directory]
    for _ in range(depth):
        folder = folders[-1]
        if rng.random() < 0.2:
            folder = os.path.join(folder, rng.choice(["sub", "sub dir"]))
        os.makedirs(folder, exist_ok=True)
        folders.append(folder)
    names = [f"{name}-{n}.vhd" for n, name in
             enumerate(rng.choices(NAMES, k=depth + 1))]
    write_layer(rng, layers[0], os.path.join(folders[-1], names[-1]))
    for n in reversed(range(depth)):
        child = random_vhd(rng, vi.DIFFERENCING)
        refer_to(rng, child, layers[0], folders[n])
        write_layer(rng, child, os.path.join(folders[n], names[n]))
        layers.insert(0, child)
    return layers


def host_type(file, offset, length):
    """(length, type) of allocated bytes of a file of the host: 0, or 2
    where the file has a hole.  Devices have none."""
    end = offset + length
    if not os.path.isfile(file.name):
        yield length, 0
        return
    while offset < end:
        try:
            data = os.lseek(file.fileno(), offset, os.SEEK_DATA)
        except OSError:
            data = end
        if data > offset:
            stop, kind = min(data, end), 2
        else:
            stop = min(os.lseek(file.fileno(), offset, os.SEEK_HOLE), end)
            kind = 0
        yield stop - offset, kind
        offset = stop


def expected_map(layers, disk):
    """[[offset, length, type], ...] with holes of host files seen."""
    files = [open(layer.path, "rb") for layer in layers]
    rows = []

    def add(offset, length, kind):
        if rows and rows[-1][2] == kind:
            rows[-1][1] += length
        else:
            rows.append([offset, length, kind])

    for start, end, depth in disk.map:
        if depth is None:
            add(start, end - start, 3)
        elif isinstance(layers[depth], vi.Raw):
            add(start, end - start, 0)
        else:
            layer = layers[depth]
            while start < end:
                # Blocks may lie anywhere, so one at a time.
                stop = min(end, (start // layer.block_size + 1) *
                           layer.block_size)
                host = layer.host_offset(start)
                for length, kind in host_type(files[depth], host,
                                              stop - start):
                    add(start, length, kind)
                    start += length
    for file in files:
        file.close()
    return rows


def describe(layers, directory):
    """Flatten a chain that has been written, and write the files that say
    what must be read: a case."""
    raw = os.path.join(directory, "expected.raw")
    disk = vi.flatten(layers, raw)
    case = {
        "image": layers[0].path,
        "raw": raw,
        "size": disk.size,
        "map": expected_map(layers, disk),
        "layers": [[start, end - start, depth]
                   for start, end, depth in disk.map],
        "files": [layer.path for layer in layers],
    }
    with open(os.path.join(directory, "expected.json"), "w") as file:
        json.dump(case, file)
    return case


def make_case(kind, seed, number, directory):
    rng = random.Random(f"{kind} {seed} {number}")
    layers = random_chain(rng, kind, directory)
    case = describe(layers, directory)
    if kind.startswith("plain"):
        # Whole blocks, as QEMU sees them.
        vhd = layers[0]
        case["block_size"] = vhd.block_size
        case["blocks"] = {
            n * vhd.block_size: vhd.host_offset(n * vhd.block_size)
            for n in all_blocks(vhd)}
    return case


def all_blocks(vhd):
    """The numbers of the blocks on the disk that have a place."""
    blocks = vi.round_up(vhd.virtual_size, vhd.block_size) // vhd.block_size
    if vhd.kind == vi.FIXED:
        return range(blocks)
    return [n for n in vhd.blocks if n < blocks]


def main():
    kind, seed, number, directory = sys.argv[1:]
    make_case(kind, seed, int(number), directory)


if __name__ == "__main__":
    main()
