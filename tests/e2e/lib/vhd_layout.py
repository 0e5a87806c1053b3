#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Demand the layout of a streamed VHD, to the byte.

  vhd_layout.py [--fixed] [--size N] [--block-size N] [--uuid UUID]
                [--time SECONDS] [--parent BASE.vhd] [--geometry C,H,S]
                IMAGE

Dynamic: a copy of the footer, the header at 512, a sector at 1536 that is
zeros, the BAT at 2048, filled up to a sector, then block by block in the
order of the disk a sector bitmap and its data, and the footer; nothing
else.  Differencing: the same with parent locators from 1536 on, and the
BAT behind them; the parent's UUID, time and name are those of BASE.vhd,
and each locator leads to it from where the image is.  Fixed: data and
footer.  What the bitmaps say is not there is zeros, and bits and bytes
beyond the end of the disk are clear.

The creator is "vdsk", and the geometry gives exactly the size, so that
those who go by it and those who do not see the same disk; it is that of the
source if that is a VHD whose geometry does (--geometry), or that of the
specification, or else any that does.  Where none does it is the largest.

In a differencing disk sectors that are not there may have the bytes of the
disk as well, which is for the caller to look at: they are in 'absent'.

Prints the numbers of the blocks, and "OFFSET LENGTH" of each run of
sectors that are there.
"""

import argparse
import math
import os
import struct
import sys
import uuid

from vhd_reader import Chain, VhdError, VhdLayer, sums_up, u32, u64

SECTOR = 512
UNUSED = 0xffffffff
NOWHERE = 0xffffffffffffffff
MAX_CHS = (65535, 16, 255)
EPOCH = 946684800               # 2000-01-01 in Unix time
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4


class LayoutError(Exception):
    pass


def brief(value):
    """How a value is told: of many bytes the first."""
    if isinstance(value, bytes) and len(value) > 64:
        return f"{value[:64]!r}..."
    return repr(value)


def demand(what, found, wanted):
    if found != wanted:
        raise LayoutError(f"{what} is {brief(found)}, "
                          f"expected {brief(wanted)}")


def ceil(a, b):
    return -(-a // b)


def geometry(sectors):
    """Cylinders, heads and sectors per track by the specification's
    appendix, "CHS Calculation"."""
    sectors = min(sectors, 65535 * 16 * 255)
    if sectors >= 65535 * 16 * 63:
        per_track, heads = 255, 16
        return sectors // per_track // heads, heads, per_track
    per_track = 17
    by_heads = sectors // per_track
    heads = max(ceil(by_heads, 1024), 4)
    if by_heads >= heads * 1024 or heads > 16:
        per_track, heads = 31, 16
        by_heads = sectors // per_track
    if by_heads >= heads * 1024:
        per_track, heads = 63, 16
        by_heads = sectors // per_track
    return by_heads // heads, heads, per_track


def fewest_cylinders(total, most):
    """How many cylinders at least give exactly so many sectors, with up to
    16 heads and 'most' sectors to a track; None if it cannot be."""
    ways = (total // (heads * sectors)
            for heads in range(1, 17) for sectors in range(1, most + 1)
            if total % (heads * sectors) == 0)
    return min((n for n in ways if n <= 65535), default=None)


def time_of(layer):
    """The time stamp of an image, whichever of its footers is sound."""
    end = layer.file.length
    for offset, count in (end - 512, 512), (end - 511, 511), (0, 512):
        if offset >= 0:
            footer = layer.file.read(offset, count).ljust(512, b"\0")
            if footer[:8] == b"conectix" and sums_up(footer, 64):
                return u32(footer, 24)
    raise LayoutError(f"{layer.file.path}: no footer")


class Layout:
    """An image, read and found to be laid out as it should be.  'blocks'
    are the numbers of those that are allocated, 'present' the runs (start,
    end) of sectors that are there, 'absent' (start, end, offset in the
    file) of those of a differencing disk that are not all zeros though
    they are not there."""

    def __init__(self, path, *, fixed=False, size=None,
                 block_size=2 << 20, disk_uuid=None, time=None, parent=None,
                 source_geometry=None):
        self.path = path
        self.kind = (FIXED if fixed else DIFFERENCING if parent
                     else DYNAMIC)
        self.wanted_size = size
        self.source_geometry = source_geometry
        self.block_size = block_size
        self.parent = parent
        self.blocks, self.present, self.absent = [], [], []
        with open(path, "rb") as self.file:
            self.length = os.fstat(self.file.fileno()).st_size
            self.read_footer(disk_uuid, time)
            if self.kind == FIXED:
                demand("length of the file", self.length, self.size + SECTOR)
                self.present = [(0, self.size)] if self.size else []
                return
            demand("copy of the footer", self.read(0, SECTOR), self.footer)
            self.read_header()
            self.read_locators()
            self.read_blocks()

    def read(self, offset, count):
        self.file.seek(offset)
        data = self.file.read(count)
        if len(data) != count:
            raise LayoutError(f"{count} bytes at {offset} reach beyond the "
                              f"end of the file at {self.length}")
        return data

    # --- Footer and header -----------------------------------------------

    def read_footer(self, disk_uuid, time):
        if self.length % SECTOR:
            raise LayoutError(f"{self.length} bytes are not whole sectors")
        footer = self.footer = self.read(self.length - SECTOR, SECTOR)
        if not sums_up(footer, 64):
            raise LayoutError("footer: checksum")
        self.size = u64(footer, 48)
        if self.wanted_size is not None:
            demand("footer: current size", self.size,
                   ceil(self.wanted_size, SECTOR) * SECTOR)
        demand("footer: cookie", footer[:8], b"conectix")
        demand("footer: type", u32(footer, 60), self.kind)
        demand("footer: features", u32(footer, 8), 2)
        demand("footer: version", u32(footer, 12), 0x00010000)
        demand("footer: data offset", u64(footer, 16),
               NOWHERE if self.kind == FIXED else 512)
        demand("footer: creator", footer[28:32], b"vdsk")
        demand("footer: size % 512", self.size % SECTOR, 0)
        demand("footer: original size", u64(footer, 40), self.size)
        demand("footer: saved state and the rest", footer[84:], bytes(428))
        self.check_geometry(footer)
        self.uuid = uuid.UUID(bytes=footer[68:84])
        if self.uuid.int == 0:
            raise LayoutError("footer: no UUID")
        if disk_uuid:
            demand("footer: UUID", self.uuid, uuid.UUID(disk_uuid))
        self.time = u32(footer, 24)
        if time is not None:
            demand("footer: time stamp", self.time, time - EPOCH)

    def check_geometry(self, footer):
        found = (int.from_bytes(footer[56:58], "big"), footer[58],
                 footer[59])
        sectors = self.size // SECTOR
        for wanted in self.source_geometry, geometry(sectors):
            if wanted and math.prod(wanted) == sectors:
                demand("footer: geometry", found, tuple(wanted))
                return
        wanted = fewest_cylinders(sectors, 63) or \
            fewest_cylinders(sectors, 255)
        if wanted is None:
            demand("footer: geometry", found, MAX_CHS)
            return
        if math.prod(found) != sectors or found[1] > 16:
            raise LayoutError(f"footer: geometry {found} does not give "
                              f"{sectors} sectors")
        demand("footer: cylinders", found[0], wanted)

    def read_header(self):
        header = self.header = self.read(512, 1024)
        if not sums_up(header, 36):
            raise LayoutError("header: checksum")
        demand("header: cookie", header[:8], b"cxsparse")
        demand("header: data offset", u64(header, 8), NOWHERE)
        demand("header: version", u32(header, 24), 0x00010000)
        self.entries = ceil(self.size, self.block_size)
        demand("header: block size", u32(header, 32), self.block_size)
        demand("header: table entries", u32(header, 28), self.entries)
        demand("header: reserved", (u32(header, 60), header[768:]),
               (0, bytes(256)))
        self.bat_at = u64(header, 16)

    # --- The parent ------------------------------------------------------

    def read_locators(self):
        """The sectors between the header and the BAT."""
        if not self.parent:
            demand("header: parent", self.header[40:60] + self.header[64:768],
                   bytes(20 + 704))
            demand("the sector at 1536", self.read(1536, SECTOR),
                   bytes(SECTOR))
            demand("header: table offset", self.bat_at, 2048)
            return
        base = VhdLayer(self.parent)
        base_time = time_of(base)
        base.file.close()
        demand("header: parent UUID", self.header[40:56], base.uuid)
        demand("header: parent time stamp", u32(self.header, 56), base_time)
        name = os.path.basename(self.parent).encode("utf-16-be")
        demand("header: parent name", self.header[64:576],
               name.ljust(512, b"\0"))
        end = self.check_locators()
        demand("header: table offset", self.bat_at,
               max(ceil(end, SECTOR) * SECTOR, 2048))

    def check_locators(self):
        """Each leads to the parent; where the last one's room ends."""
        codes, places = [], []
        for at in range(576, 768, 24):
            entry = self.header[at:at + 24]
            if not any(entry):
                continue
            codes.append(entry[:4])
            length, offset = u32(entry, 8), u64(entry, 16)
            space = u32(entry, 4)
            space *= SECTOR if space < 512 else 1
            demand(f"{entry[:4]}: reserved", u32(entry, 12), 0)
            demand(f"{entry[:4]}: offset % 512", offset % SECTOR, 0)
            if not 0 < length <= space:
                raise LayoutError(f"{entry[:4]}: {length} bytes in {space}")
            self.check_locator(entry[:4], self.read(offset, length))
            demand(f"{entry[:4]}: padding",
                   self.read(offset + length, space - length),
                   bytes(space - length))
            places.append((offset, offset + space))
        demand("parent locators", sorted(codes), [b"MacX", b"W2ku", b"W2ru"])
        cursor = 1536
        for start, end in sorted(places):
            demand("the place of a parent locator", start, cursor)
            cursor = end
        return cursor

    def check_locator(self, code, data):
        """A path, relative to the directory of the image, to the parent."""
        if code == b"MacX":
            if not data.startswith(b"file://"):
                raise LayoutError(f"MacX: {data!r}")
            path = data[7:].decode()
        else:
            path = data.decode("utf-16-le")
            if "/" in path:
                raise LayoutError(f"{code}: {path!r} has slashes")
            path = path.replace("\\", "/")
        if os.path.isabs(path) or "\0" in path:
            raise LayoutError(f"{code}: {path!r} is not a relative path")
        found = os.path.join(os.path.dirname(os.path.abspath(self.path)),
                             path)
        demand(f"{code}: {path!r}", os.path.realpath(found),
               os.path.realpath(self.parent))

    # --- The blocks ------------------------------------------------------

    def read_blocks(self):
        room = ceil(self.entries * 4, SECTOR) * SECTOR
        bat = self.read(self.bat_at, room)
        padding = bat[self.entries * 4:]
        if padding.strip(b"\xff") and padding.strip(b"\0"):
            raise LayoutError("the BAT is filled up with something")
        sectors = self.block_size // SECTOR
        bitmap_size = ceil(sectors, SECTOR * 8) * SECTOR
        cursor = self.bat_at + room
        entries = struct.unpack_from(f">{self.entries}I", bat)
        for number, place in enumerate(entries):
            if place == UNUSED:
                continue
            demand(f"block {number}: offset", place * SECTOR, cursor)
            self.blocks.append(number)
            self.read_block(number, self.read(cursor, bitmap_size),
                            cursor + bitmap_size)
            cursor += bitmap_size + self.block_size
        demand("length of the file", self.length, cursor + SECTOR)

    def read_block(self, number, bitmap, data_at):
        """Note the sectors that are there; the others are zeros."""
        base = number * self.block_size
        sectors = self.block_size // SECTOR
        bits = "".join(f"{byte:08b}" for byte in bitmap)
        if "1" in bits[sectors:]:
            raise LayoutError(f"block {number}: bits beyond its end")
        if "1" not in bits:
            raise LayoutError(f"block {number}: no sector is there")
        first = 0
        while first < sectors:
            bit = bits[first]
            end = bits.find("0" if bit == "1" else "1", first, sectors)
            end = sectors if end == -1 else end
            start = base + first * SECTOR
            stop = base + end * SECTOR
            if bit == "1":
                if stop > self.size:
                    raise LayoutError(f"block {number}: sectors beyond the "
                                      f"disk")
                self.note(start, stop)
            elif any(self.read(data_at + first * SECTOR, stop - start)):
                if not self.parent:
                    raise LayoutError(f"block {number}: bytes where no "
                                      f"sector is, from {start} on")
                self.absent.append((start, stop, data_at + first * SECTOR))
            first = end

    def note(self, start, end):
        if self.present and self.present[-1][1] == start:
            self.present[-1] = (self.present[-1][0], end)
        else:
            self.present.append((start, end))


def main():
    parser = argparse.ArgumentParser(
        description="demand the layout of a streamed VHD")
    parser.add_argument("--fixed", action="store_true")
    parser.add_argument("--size", type=int)
    parser.add_argument("--block-size", type=int, default=2 << 20)
    parser.add_argument("--uuid", dest="disk_uuid")
    parser.add_argument("--time", type=int)
    parser.add_argument("--parent")
    parser.add_argument("--geometry", dest="source_geometry",
                        type=lambda text: tuple(map(int, text.split(","))))
    parser.add_argument("image")
    args = vars(parser.parse_args())
    try:
        layout = Layout(args.pop("image"), **args)
        Chain(layout.path).close()
    except (LayoutError, VhdError) as error:
        sys.exit(f"vhd_layout: {error}")
    print("blocks", *layout.blocks)
    for start, end in layout.present:
        print(start, end - start)


if __name__ == "__main__":
    main()
