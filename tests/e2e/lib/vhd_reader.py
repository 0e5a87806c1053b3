#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Read VHD images and chains of them: slow, simple and to the letter.

The oracle for what the plugin serves.  It shares no code with
vhd_image.py, which writes the images, and asks the host for the holes of
their files.

  vhd_reader.py info IMAGE
  vhd_reader.py map IMAGE         what 'nbdinfo --map --json' has to print
  vhd_reader.py layers IMAGE      with the layer that has each piece
  vhd_reader.py raw IMAGE OUTPUT  the disk's content, as a sparse file
"""

import argparse
import json
import os
import re
import stat
import sys
import uuid
from urllib.parse import unquote_to_bytes

DATA, HOLE, ZERO, HOLE_ZERO = 0, 1, 2, 3        # base:allocation


class VhdError(Exception):
    pass


def u32(data, at):
    return int.from_bytes(data[at:at + 4], "big")


def u64(data, at):
    return int.from_bytes(data[at:at + 8], "big")


def sums_up(data, at):
    """Is the checksum at 'at' right?  It is the ones' complement of the
    sum of all other bytes."""
    others = sum(data) - sum(data[at:at + 4])
    return u32(data, at) == (others ^ 0xffffffff) & 0xffffffff


class File:
    """A file of the host, and where it has data."""

    def __init__(self, path):
        self.path = path
        self.fd = os.open(path, os.O_RDONLY)
        self.is_device = not stat.S_ISREG(os.fstat(self.fd).st_mode)
        self.length = os.lseek(self.fd, 0, os.SEEK_END)

    def close(self):
        os.close(self.fd)

    def read(self, offset, count):
        if offset + count > self.length:
            raise VhdError(f"{self.path}: {count} bytes at {offset} are "
                           f"past its end")
        data = os.pread(self.fd, count, offset)
        if len(data) != count:
            raise VhdError(f"{self.path}: short read at {offset}")
        return data

    def extents(self, offset, count):
        """(offset, count, has data) that tile the range.  Devices have
        no holes."""
        end = offset + count
        if self.is_device:
            yield offset, count, True
            return
        while offset < end:
            try:
                data = os.lseek(self.fd, offset, os.SEEK_DATA)
            except OSError:
                data = end
            if data > offset:
                stop, has_data = min(data, end), False
            else:
                stop = min(os.lseek(self.fd, offset, os.SEEK_HOLE), end)
                has_data = True
            yield offset, stop - offset, has_data
            offset = stop


class RawLayer:
    """A raw file at the bottom of a chain."""

    kind = "raw"
    parent_names = ()

    def __init__(self, path):
        self.file = File(path)
        self.size = self.file.length

    def pieces(self, start, end):
        for offset, count, has_data in self.file.extents(start, end - start):
            yield offset, count, offset if has_data else None


class VhdLayer:
    """One VHD.  'size_field' is auto, current or chs."""

    def __init__(self, path, size_field="auto", ignore_bitmaps=False,
                 is_parent=False):
        self.file = File(path)
        self.read_footer()
        self.choose_size(size_field)
        self.parent_names = ()
        self.kind = {2: "fixed", 3: "dynamic", 4: "differencing"}.get(
            self.type)
        if self.kind is None:
            raise VhdError(f"{path}: type {self.type}")
        self.ignore_bitmaps = ignore_bitmaps and self.kind == "dynamic"
        self.placed = set()
        if self.kind == "fixed":
            if self.size > self.file.length:
                raise VhdError(f"{path}: shorter than its disk")
        else:
            self.read_header()
            self.read_batmap()
        self.find_true_size(size_field, is_parent)

    def find_true_size(self, field, is_parent):
        """A parent is as large as its current size; what lies beyond the
        geometry shows that it was not meant."""
        cut = self.size
        self.in_doubt = False
        if cut >= self.current_size:
            return
        if self.kind == "fixed":
            room = self.file.length - 511
        else:
            room = self.entries * self.block_size
        if self.current_size > room:
            return
        if is_parent:
            self.size = self.current_size
        elif field == "auto":
            self.in_doubt = True
            if self.has_from(cut):
                self.size = self.current_size

    def has_from(self, cut):
        """Is there a block, a sector or (fixed) a byte after 'cut'?"""
        if self.kind == "fixed":
            tail = self.file.read(cut, self.current_size - cut)
            return any(tail)
        last = -(-self.current_size // self.block_size)
        for block in range(-(-cut // self.block_size), last):
            if self.is_block(u32(self.bat, block * 4)):
                return True
        block, within = divmod(cut, self.block_size)
        end = min(self.current_size - block * self.block_size,
                  self.block_size)
        sector = u32(self.bat, block * 4)
        if not within or not self.is_block(sector):
            return False
        bitmap = self.file.read(sector * 512, self.bitmap_size)
        return any(self.bit(bitmap, n)
                   for n in range(within // 512, -(-end // 512)))

    def tables(self):
        """(start, end) of what is no block."""
        yield 0, 512
        yield self.header_at, self.header_at + 1024
        size = max(self.size, self.current_size)
        entries = min(-(-size // self.block_size), self.entries)
        yield self.bat_at, self.bat_at + 4 * entries
        if self.footer_at:
            yield self.footer_at, self.file.length

    def is_block(self, sector):
        """Does a BAT entry lead to where a bitmap could be?"""
        start, end = sector * 512, sector * 512 + self.bitmap_size
        return (sector != 0xffffffff and end <= self.file.length and
                not any(at < end and to > start
                        for at, to in self.tables()))

    def starts(self):
        """Where the blocks of the disk start, and their numbers."""
        if not hasattr(self, "all_starts"):
            count = -(-self.size // self.block_size)
            self.all_starts = sorted(
                (u32(self.bat, n * 4), n) for n in range(count)
                if self.is_block(u32(self.bat, n * 4)))
        return self.all_starts

    def demand_place(self, block, sector):
        """The bitmap lies in nothing else."""
        if not self.is_block(sector):
            raise VhdError(f"{self.file.path}: block {block}: no place")
        start, end = sector * 512, sector * 512 + self.bitmap_size
        for other, number in self.starts():
            data = min(self.size - number * self.block_size,
                       self.block_size)
            to = other * 512 + self.bitmap_size + -(-data // 512) * 512
            if number != block and other * 512 < end and to > start:
                raise VhdError(f"{self.file.path}: block {block}: its "
                               f"bitmap lies in block {number}")

    def read_footer(self):
        """The one at the end, else the copy at the start."""
        tail = self.file.length
        tries = [(tail - 512, 512), (tail - 511, 511), (0, 512)]
        for offset, count in tries:
            if offset < 0 or tail < offset + count:
                continue
            footer = self.file.read(offset, count).ljust(512, b"\0")
            if footer[:8] == b"conectix" and sums_up(footer, 64):
                self.footer_at = offset
                break
        else:
            raise VhdError(f"{self.file.path}: no footer")
        self.header_at = u64(footer, 16)
        self.creator = footer[28:32]
        self.current_size = u64(footer, 48)
        self.chs = (u32(footer, 56) >> 16, footer[58], footer[59])
        self.type = u32(footer, 60)
        self.uuid = footer[68:84]

    def choose_size(self, field):
        cylinders, heads, sectors = self.chs
        if field == "auto":
            field = "current"
            if self.creator in (b"vpc ", b"qemu"):
                if self.chs != (65535, 16, 255):
                    field = "chs"
        self.size = self.current_size
        if field == "chs":
            self.size = cylinders * heads * sectors * 512

    def read_header(self):
        header = self.file.read(self.header_at, 1024)
        if header[:8] != b"cxsparse" or not sums_up(header, 36):
            raise VhdError(f"{self.file.path}: no header")
        self.bat_at = u64(header, 16)
        self.entries = u32(header, 28)
        self.block_size = u32(header, 32)
        if self.block_size < 512 or self.block_size & self.block_size - 1:
            raise VhdError(f"{self.file.path}: block of {self.block_size}")
        if self.entries * self.block_size < self.size:
            raise VhdError(f"{self.file.path}: the BAT is too small")
        self.bat = self.file.read(self.bat_at, self.entries * 4)
        self.sectors_of_block = self.block_size // 512
        self.bitmap_size = -(-self.sectors_of_block // 4096) * 512
        self.parent_uuid = header[40:56]
        if self.kind == "differencing":
            self.parent_names = list(self.find_names(header))

    def find_names(self, header):
        """Where the parent might be, in the order to look."""
        locators = []
        for at in range(576, 576 + 8 * 24, 24):
            length = u32(header, at + 8)
            if u32(header, at) and length:
                data = self.file.read(u64(header, at + 16), length)
                locators.append((header[at:at + 4], data))
        for code in (b"W2ru", b"W2ku", b"MacX"):
            for found, data in locators:
                if found != code:
                    continue
                if code == b"MacX":
                    url = data.rstrip(b"\0")
                    if url.startswith(b"file://"):
                        url = url[7:]
                    yield os.fsdecode(url)
                    yield os.fsdecode(unquote_to_bytes(url))
                else:
                    name = data.decode("utf-16-le", "surrogatepass")
                    name = name.rstrip("\0").replace("\\", "/")
                    if re.match("[A-Za-z]:|//", name):
                        name = name.split("/")[-1]
                    yield name
        name = header[64:576].decode("utf-16-be", "surrogatepass")
        name = name.split("\0")[0].replace("\\", "/").split("/")[-1]
        if name:
            yield name

    def read_batmap(self):
        """Bits of blocks that are complete, as far as to be trusted."""
        self.batmap = b""
        head_at = self.bat_at + -(-self.entries * 4 // 512) * 512
        if head_at + 512 > self.file.length:
            return
        head = self.file.read(head_at, 512)
        map_at, sectors, checksum = u64(head, 8), u32(head, 16), u32(head, 24)
        covered = -(-(self.current_size >> 24) // 512)
        if head[:8] != b"tdbatmap" or sectors < covered:
            return
        if map_at + covered * 512 > self.file.length:
            return
        batmap = self.file.read(map_at, covered * 512)
        if sum(batmap) ^ 0xffffffff == checksum:
            self.batmap = batmap

    def is_complete(self, block):
        if self.ignore_bitmaps:
            return True
        if block // 8 >= len(self.batmap):
            return False
        return self.batmap[block // 8] >> (7 - block % 8) & 1 == 1

    def pieces(self, start, end):
        """(guest offset, count, file offset or None) that tile it."""
        if self.kind == "fixed":
            yield start, end - start, start
            return
        while start < end:
            block, within = divmod(start, self.block_size)
            count = min(self.block_size - within, end - start)
            sector = u32(self.bat, block * 4)
            if sector == 0xffffffff:
                yield start, count, None
            else:
                yield from self.pieces_of_block(block, sector * 512, start,
                                                count)
            start += count

    def pieces_of_block(self, block, place, start, count):
        data_at = place + self.bitmap_size
        first = start % self.block_size
        if block not in self.placed:
            if not self.ignore_bitmaps:
                self.demand_place(block, place // 512)
            self.placed.add(block)
        if self.is_complete(block):
            self.file.read(data_at + first + count - 1, 1)
            yield start, count, data_at + first
            return
        bitmap = self.file.read(place, self.bitmap_size)
        base = start - first
        offset, end = first, first + count
        while offset < end:
            present = self.bit(bitmap, offset // 512)
            stop = offset // 512 + 1
            while stop * 512 < end and self.bit(bitmap, stop) == present:
                stop += 1
            stop = min(stop * 512, end)
            if present:
                self.file.read(data_at + stop - 1, 1)
            yield (base + offset, stop - offset,
                   data_at + offset if present else None)
            offset = stop

    @staticmethod
    def bit(bitmap, sector):
        return bitmap[sector // 8] >> (7 - sector % 8) & 1


class Chain:
    """An image and all its parents."""

    def __init__(self, path, size_field="auto", ignore_bitmaps=False):
        self.options = (size_field, ignore_bitmaps)
        self.layers = [VhdLayer(path, *self.options)]
        seen = [os.path.realpath(path)]
        while self.layers[-1].kind == "differencing":
            parent = self.open_parent(self.layers[-1])
            here = os.path.realpath(parent.file.path)
            if here in seen:
                raise VhdError(f"{here}: is its own ancestor")
            seen.append(here)
            self.layers.append(parent)
        self.ask_parents()
        self.size = self.layers[0].size

    def ask_parents(self):
        """What they have beyond the geometry of the top counts too."""
        top = self.layers[0]
        if not top.in_doubt or top.size == top.current_size:
            return
        end = top.current_size
        for layer in self.layers[1:]:
            end = min(end, layer.size)
            if end <= top.size:
                return
            for _, count, place in layer.pieces(top.size, end):
                if place is not None and any(layer.file.read(place, count)):
                    top.size = top.current_size
                    return

    def close(self):
        for layer in self.layers:
            layer.file.close()

    def open_parent(self, child):
        directory = os.path.dirname(os.path.abspath(child.file.path))
        wrong = None
        for name in child.parent_names:
            path = os.path.join(directory, name)
            if not os.path.exists(path) or os.path.isdir(path):
                continue
            if child.parent_uuid == bytes(16):
                return RawLayer(path)
            parent = VhdLayer(path, *self.options, is_parent=True)
            if parent.uuid == child.parent_uuid:
                return parent
            wrong = path
        raise VhdError(f"{child.file.path}: "
                       f"{'wrong' if wrong else 'no'} parent")

    def pieces(self, depth=0, start=0, end=None):
        """(guest offset, count, depth or None, file offset) that tile
        the range."""
        if end is None:
            end = self.size
        if depth == len(self.layers):
            yield start, end - start, None, None
            return
        layer = self.layers[depth]
        inside = max(min(end, layer.size), start)
        for offset, count, place in layer.pieces(start, inside):
            if place is None:
                yield from self.pieces(depth + 1, offset, offset + count)
            else:
                yield offset, count, depth, place
        if inside < end:
            yield inside, end - inside, None, None

    def typed_pieces(self):
        """(guest offset, count, type, depth or None, file offset)."""
        for offset, count, depth, place in self.pieces():
            if depth is None:
                yield offset, count, HOLE_ZERO, None, None
                continue
            layer = self.layers[depth]
            for at, length, has_data in layer.file.extents(place, count):
                yield (offset + at - place, length,
                       DATA if has_data else ZERO, depth, at)

    def map(self):
        """(offset, length, type), neighbours of a type merged."""
        return merge((offset, count, kind)
                     for offset, count, kind, _, _ in self.typed_pieces())

    def depths(self):
        """(offset, length, depth or None), neighbours merged."""
        return merge((offset, count, depth)
                     for offset, count, depth, _ in self.pieces())

    def write_raw(self, path):
        with open(path, "wb") as output:
            output.truncate(self.size)
            for offset, count, depth, place in self.pieces():
                if depth is None:
                    continue
                file = self.layers[depth].file
                for at in range(0, count, 1 << 20):
                    part = file.read(place + at, min(1 << 20, count - at))
                    output.seek(offset + at)
                    output.write(part)


def merge(pieces):
    merged = []
    for offset, count, value in pieces:
        if merged and merged[-1][2] == value:
            merged[-1][1] += count
        elif count:
            merged.append([offset, count, value])
    return [tuple(piece) for piece in merged]


def print_json(rows, keys):
    print(json.dumps([dict(zip(keys, row)) for row in rows], indent=1))


def main():
    parser = argparse.ArgumentParser(description="read a VHD")
    parser.add_argument("--size", default="auto",
                        choices=["auto", "current", "chs"])
    parser.add_argument("--ignore-bitmaps", action="store_true")
    parser.add_argument("verb", choices=["info", "map", "layers", "raw"])
    parser.add_argument("image")
    parser.add_argument("output", nargs="?")
    args = parser.parse_args()
    try:
        chain = Chain(args.image, args.size, args.ignore_bitmaps)
        if args.verb == "info":
            for layer in chain.layers:
                print(layer.file.path, layer.kind, layer.size,
                      uuid.UUID(bytes=getattr(layer, "uuid", bytes(16))))
        elif args.verb == "map":
            print_json(chain.map(), ("offset", "length", "type"))
        elif args.verb == "layers":
            print_json(chain.depths(), ("offset", "length", "depth"))
        else:
            chain.write_raw(args.output)
    except VhdError as error:
        sys.exit(f"vhd_reader: {error}")


if __name__ == "__main__":
    main()
