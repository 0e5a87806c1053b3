# SPDX-License-Identifier: BSD-3-Clause
"""Write VHD images, good ones and bad ones.

Written from Microsoft's "Virtual Hard Disk Image Format Specification",
version 1.0, and from what is known of its dialects.  A Vhd says what an
image is to hold and how it is to be laid out; every detail can be set,
also to something wrong.  What a right reader must find is kept beside it,
and flatten() turns a chain of them into the expected disk.

This file shares nothing with vhd_reader.py, so that one checks the other.
"""

import os
import random
import struct
import subprocess
import urllib.parse

SECTOR = 512
KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
UNUSED = 0xffffffff
EPOCH = 946684800               # 2000-01-01, where VHD's time starts
MAX_CHS = (65535, 16, 255)
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4


def round_up(n, unit):
    return -(-n // unit) * unit


def complement_sum(data):
    """Ones' complement of the sum of the bytes."""
    return ~sum(data) & 0xffffffff


def set_checksum(structure, offset):
    """The same structure with the right checksum at 'offset'."""
    clear = structure[:offset] + bytes(4) + structure[offset + 4:]
    return (clear[:offset] + struct.pack(">I", complement_sum(clear)) +
            clear[offset + 4:])


def geometry(size):
    """Cylinders, heads and sectors by the specification's appendix."""
    total = min(size // SECTOR, 65535 * 16 * 255)
    if total >= 65535 * 16 * 63:
        return total // 255 // 16, 16, 255
    sectors = 17
    tracks = total // sectors
    heads = max((tracks + 1023) // 1024, 4)
    if tracks >= heads * 1024 or heads > 16:
        sectors, heads = 31, 16
        tracks = total // sectors
    if tracks >= heads * 1024:
        sectors, heads = 63, 16
        tracks = total // sectors
    return tracks // heads, heads, sectors


def chs_size(chs):
    return chs[0] * chs[1] * chs[2] * SECTOR


def size_by_creator(creator, size, chs):
    """Which of the two sizes the creator means."""
    if creator in (b"vpc ", b"qemu") and tuple(chs) != MAX_CHS:
        return chs_size(chs)
    return size


# --- What may become of a footer: its 512 bytes in, those written out ----

def whole(footer):
    return footer


def missing(footer):
    return b""


def cut_511(footer):
    """Very old images have one byte less."""
    return footer[:511]


def bad_cookie(footer):
    return b"conectiX" + footer[8:]


def bad_checksum(footer):
    return footer[:64] + bytes(b ^ 0x55 for b in footer[64:68]) + footer[68:]


def bad_reserved(footer):
    """A byte that says nothing, but that the checksum covers."""
    return footer[:300] + b"\x01" + footer[301:]


def zeroes(footer):
    return bytes(len(footer))


def garbage(footer):
    return random.Random(1).randbytes(len(footer))


def altered(offset, value):
    """Other bytes at 'offset', with the checksum made right again."""
    def alter(footer):
        footer = footer[:offset] + value + footer[offset + len(value):]
        return set_checksum(footer, 64)
    return alter


def header_with(offset, value, size=4):
    """The same of a header: a number at 'offset'."""
    def alter(header):
        header = (header[:offset] + value.to_bytes(size, "big") +
                  header[offset + size:])
        return set_checksum(header, 36)
    return alter


# --- Parent locators ----------------------------------------------------

class Locator:
    """A parent locator: its platform's code, and the bytes it leads to.

    'space' is what platform_data_space says.  The specification counts
    sectors there, Hyper-V counts bytes.
    """

    def __init__(self, code, data, space=None, length=None):
        self.code = code
        self.data = data
        self.room = max(round_up(len(data), SECTOR), SECTOR)
        self.space = self.room // SECTOR if space is None else space
        self.length = len(data) if length is None else length

    def in_bytes(self):
        """The same as Hyper-V writes it."""
        self.space = self.room
        return self


def w2ru(path, terminator=""):
    """A relative path with backslashes, as '.\\base.vhd'."""
    return Locator(b"W2ru", (path + terminator).encode("utf-16-le"))


def w2ku(path, terminator=""):
    """An absolute path with a drive letter, or whatever libvhd does."""
    return Locator(b"W2ku", (path + terminator).encode("utf-16-le"))


def macx(path):
    """'file://' and the path as it is: what libvhd writes."""
    return Locator(b"MacX", b"file://" + path.encode())


def macx_quoted(path):
    """A URL by the book, with '%20' for a space."""
    return Locator(b"MacX",
                   b"file://" + urllib.parse.quote(path).encode())


def wi2r(path):
    """The obsolete locator in a Windows code page."""
    return Locator(b"Wi2r", path.encode("cp1252", "replace"))


def libvhd_locators(name):
    """The three that libvhd writes, all relative, in its order."""
    windows = ".\\" + name.replace("/", "\\")
    locators = [macx("./" + name), w2ku(windows), w2ru(windows)]
    for locator in locators:
        locator.space = 512
    return locators


class Batmap:
    """Xen's map of the blocks that are complete.

    'bits': the numbers of the blocks whose bit is set; None takes those
    that are complete.  'sectors': what the header says of its length.
    """

    def __init__(self, bits=None, checksum=None, sectors=None,
                 cookie=b"tdbatmap", version=0x00010002, offset=None):
        self.bits = bits
        self.checksum = checksum
        self.sectors = sectors
        self.cookie = cookie
        self.version = version
        self.offset = offset


# --- The image ----------------------------------------------------------

class Block:
    """An allocated block: its bytes, and which sectors are there."""

    def __init__(self, block_size):
        self.data = bytearray(block_size)
        self.present = bytearray(block_size // SECTOR)


class Vhd:
    """A VHD to be written.

    kind          FIXED, DYNAMIC or DIFFERENCING
    size          current_size of the footer
    chs           geometry of the footer, by the specification if None
    block_size    of a dynamic or differencing disk
    header_offset, bat_offset, bat_entries, bat_extra
                  layout of the tables; bat_extra sets single entries
    footer_copy, end_footer
                  a function that damages that footer, or 'whole'
    padding       what follows the end footer
    batmap        a Batmap, or None
    locators, locators_first, parent_name, parent_uuid, parent_time
    bitmaps       block number to the bitmap on disk, where it is not to
                  say what is there
    stale         garbage in the sectors that are not there, else zeros
    order         'ascending', 'descending' or 'shuffled' blocks
    gaps          up to so many sectors of garbage before a block
    align         data of a block starts at a multiple of this
    header_change what becomes of the header's 1024 bytes
    virtual_size  what a right reader takes for the size of the disk; by
                  default what creator and evidence say
    """

    def __init__(self, kind, size, *, chs=None, original_size=None,
                 creator=b"tap\0", creator_version=0x00010003,
                 creator_os=b"\0\0\0\0", features=2, uuid=None,
                 time=725846400, saved_state=0, block_size=2 * MIB,
                 header_offset=512, bat_offset=None, bat_entries=None,
                 bat_extra=None, footer_copy=whole, end_footer=whole,
                 padding=b"", batmap=None, locators=(),
                 locators_first=False, parent_name="",
                 parent_uuid=bytes(16), parent_time=0, bitmaps=None,
                 stale=True, order="ascending", gaps=0, align=SECTOR,
                 header_change=whole, virtual_size=None, seed=0):
        self.random = random.Random(seed)
        self.kind = kind
        self.size = size
        self.chs = geometry(size) if chs is None else chs
        self.original_size = size if original_size is None else original_size
        self.creator = creator
        self.creator_version = creator_version
        self.creator_os = creator_os
        self.features = features
        self.uuid = self.random.randbytes(16) if uuid is None else uuid
        self.time = time
        self.saved_state = saved_state
        self.block_size = block_size
        self.header_offset = header_offset
        self.bat_offset = bat_offset
        self.bat_entries = bat_entries
        self.bat_extra = bat_extra or {}
        self.footer_copy = footer_copy
        self.end_footer = end_footer
        self.padding = padding
        self.batmap = batmap
        self.locators = list(locators)
        self.locators_first = locators_first
        self.parent_name = parent_name
        self.parent_uuid = parent_uuid
        self.parent_time = parent_time
        self.bitmaps = bitmaps or {}
        self.stale = stale
        self.order = order
        self.gaps = gaps
        self.align = align
        self.header_change = header_change
        self.forced_size = virtual_size
        self.blocks = {}
        self.placement = {}     # block number to its place in the file
        self.path = None

    # How large it is

    @property
    def virtual_size(self):
        if self.forced_size is not None:
            return self.forced_size
        size = size_by_creator(self.creator, self.size, self.chs)
        return self.size if self.has_more_than(size) else size

    @virtual_size.setter
    def virtual_size(self, size):
        self.forced_size = size

    @property
    def size_in_chain(self):
        """As a parent: a child only cuts."""
        return max(self.virtual_size, self.size)

    def has_more_than(self, size):
        """Is there a block, a sector or (fixed) a byte other than zero
        from 'size' on, and on a disk of the current size?"""
        for number, block in self.blocks.items():
            start = number * self.block_size
            end = min(start + self.block_size, self.size)
            first = max(size, start)
            if first >= end:
                continue
            if self.kind == FIXED:
                if any(block.data[first - start:end - start]):
                    return True
            elif start >= size or any(
                    self.present_on_disk(number)[(first - start) // SECTOR:
                                                 -(-(end - start)
                                                   // SECTOR)]):
                return True
        return False

    def present_on_disk(self, number):
        """What the bitmap says, a byte for each sector."""
        bits = "".join(f"{byte:08b}" for byte in self.bitmap_of(number))
        return bytes(map(int, bits))

    # What it holds

    def allocate(self, number, full=False):
        """Give block 'number' a place, with every sector or with none."""
        block = self.blocks.get(number)
        if block is None:
            block = self.blocks[number] = Block(self.block_size)
        if full:
            block.present = bytearray(b"\1" * len(block.present))
        return block

    def fill(self, offset, data):
        """Put whole sectors of data there, and say that they are there."""
        assert offset % SECTOR == 0
        data += bytes(-len(data) % SECTOR)
        while data:
            number, within = divmod(offset, self.block_size)
            block = self.allocate(number)
            part = data[:self.block_size - within]
            block.data[within:within + len(part)] = part
            first, count = within // SECTOR, len(part) // SECTOR
            block.present[first:first + count] = b"\1" * count
            offset += len(part)
            data = data[len(part):]

    def fill_random(self, offset, length):
        self.fill(offset, self.random.randbytes(length))

    def pieces(self):
        """(start, end, bytes) of all that is there, ascending."""
        for number in sorted(self.blocks):
            block = self.blocks[number]
            for first, end in runs_of_ones(block.present):
                start = number * self.block_size + first * SECTOR
                yield (start, start + (end - first) * SECTOR,
                       block.data[first * SECTOR:end * SECTOR])

    def ranges(self):
        """(start, end) of all that is there, ascending."""
        if self.kind == FIXED:
            return [(0, self.size)]
        return [(start, end) for start, end, _ in self.pieces()]

    # How it is written

    def footer(self):
        data_offset = self.header_offset
        if self.kind == FIXED:
            data_offset = 0xffffffffffffffff
        footer = struct.pack(
            ">8sIIQI4sI4sQQHBBII16sB427x", b"conectix", self.features,
            0x00010000, data_offset, self.time, self.creator,
            self.creator_version, self.creator_os, self.original_size,
            self.size, *self.chs, self.kind, 0, self.uuid,
            self.saved_state)
        assert len(footer) == 512
        return set_checksum(footer, 64)

    def header(self):
        name = self.parent_name.encode("utf-16-be")[:512]
        entries = b"".join(
            struct.pack(">4sIIIQ", locator.code, locator.space,
                        locator.length, 0, locator.offset)
            for locator in self.locators)
        header = struct.pack(
            ">8sQQIIII16sII512s192s256x", b"cxsparse",
            0xffffffffffffffff, self.bat_offset, 0x00010000,
            self.bat_entries, self.block_size, 0, self.parent_uuid,
            self.parent_time, 0, name, entries)
        assert len(header) == 1024
        return set_checksum(header, 36)

    def batmap_bytes(self):
        """The batmap's header and map, padded to sectors."""
        bits = self.batmap.bits
        if bits is None:
            bits = [n for n, block in self.blocks.items()
                    if all(block.present)]
        entries = max([self.bat_entries, *[n + 1 for n in bits]])
        bitmap = bytearray(round_up((entries + 7) // 8, SECTOR))
        for n in bits:
            bitmap[n // 8] |= 0x80 >> n % 8
        covered = max(round_up(self.size >> 24, SECTOR), SECTOR)
        bitmap += bytes(max(covered - len(bitmap), 0))
        checksum = self.batmap.checksum
        if checksum is None:
            checksum = complement_sum(bitmap[:covered])
        sectors = self.batmap.sectors
        if sectors is None:
            sectors = len(bitmap) // SECTOR
        head = struct.pack(">8sQIII", self.batmap.cookie,
                           self.batmap.offset, sectors,
                           self.batmap.version, checksum)
        return head + bytes(SECTOR - len(head)), bytes(bitmap)

    def bitmap_of(self, number):
        bitmap = self.bitmaps.get(number)
        if bitmap is None:
            present = self.blocks[number].present
            ones = present.translate(b"01" + bytes(254)).decode()
            ones += "0" * (-len(ones) % 8)
            bitmap = int(ones, 2).to_bytes(len(ones) // 8, "big")
        return bitmap + bytes(-len(bitmap) % SECTOR)

    def block_bytes(self, number):
        block = self.blocks[number]
        if not self.stale or all(block.present):
            return bytes(block.data)
        data = bytearray(self.random.randbytes(self.block_size))
        for first, end in runs_of_ones(block.present):
            first, end = first * SECTOR, end * SECTOR
            data[first:end] = block.data[first:end]
        return bytes(data)

    def lay_out(self):
        """All pieces of a dynamic or differencing file but the footers,
        as (offset, bytes), and where they end."""
        pieces = []
        cursor = max(512, self.header_offset + 1024
                     if self.header_offset < 64 * KIB else 512)
        if self.bat_entries is None:
            needed = max(self.size, self.virtual_size)
            self.bat_entries = round_up(needed,
                                        self.block_size) // self.block_size

        def place_locators():
            nonlocal cursor
            for locator in self.locators:
                locator.offset = cursor
                pieces.append((cursor, locator.data))
                cursor += locator.room

        if self.locators_first:
            place_locators()
        if self.bat_offset is None:
            self.bat_offset = cursor
        bat_room = round_up(self.bat_entries * 4, SECTOR)
        cursor = max(cursor, self.bat_offset + bat_room)
        if self.batmap:
            head_offset = self.bat_offset + bat_room
            if self.batmap.offset is None:
                self.batmap.offset = head_offset + SECTOR
            head, bitmap = self.batmap_bytes()
            pieces += [(head_offset, head), (self.batmap.offset, bitmap)]
            cursor = max(cursor, self.batmap.offset + len(bitmap))
        if not self.locators_first:
            place_locators()
        cursor = round_up(cursor, SECTOR)

        bat = [UNUSED] * (bat_room // 4)
        numbers = sorted(self.blocks, reverse=self.order == "descending")
        if self.order == "shuffled":
            self.random.shuffle(numbers)
        for number in numbers:
            bitmap = self.bitmap_of(number)
            gap = self.random.randrange(self.gaps + 1) * SECTOR
            if gap:
                pieces.append((cursor, self.random.randbytes(gap)))
                cursor += gap
            cursor = (round_up(cursor + len(bitmap), self.align) -
                      len(bitmap))
            self.placement[number] = cursor
            bat[number] = cursor // SECTOR
            pieces.append((cursor, bitmap))
            cursor += len(bitmap)
            pieces.append((cursor, self.block_bytes(number)))
            cursor += self.block_size
        for number, entry in self.bat_extra.items():
            bat[number] = entry
        pieces.append((self.bat_offset, struct.pack(f">{len(bat)}I", *bat)))
        pieces.append((self.header_offset,
                       self.header_change(self.header())))
        return pieces, cursor

    def write(self, path):
        """Write the file, with no holes of the host in it."""
        footer = self.footer()
        if self.kind == FIXED:
            pieces = [(number * self.block_size, bytes(block.data))
                      for number, block in self.blocks.items()]
            end = self.size
            pieces = [(start, data[:end - start]) for start, data in pieces]
        else:
            pieces, end = self.lay_out()
            pieces.append((0, self.footer_copy(footer)))
        pieces.append((end, self.end_footer(footer) + self.padding))
        with open(path, "wb") as file:
            for offset, data in sorted(pieces):
                write_zeroes(file, offset - file.tell())
                file.write(data)
        self.path = path
        return self

    def host_offset(self, offset):
        """Where in the file the guest's byte is stored."""
        if self.kind == FIXED:
            return offset
        number, within = divmod(offset, self.block_size)
        bitmap = round_up(self.block_size // SECTOR, SECTOR * 8) // 8
        return self.placement[number] + bitmap + within

    def punch(self, offset, length):
        """Make a hole in the file under guest bytes that are zeros, and
        lie in one block."""
        punch_hole(self.path, self.host_offset(offset), length)


class Raw:
    """A raw file, as Xen has them under chains of VHDs."""

    uuid = bytes(16)
    time = 0
    path = None

    def __init__(self, data):
        self.virtual_size = self.size_in_chain = len(data)
        self.data = data

    def write(self, path):
        with open(path, "wb") as file:
            file.write(self.data)
        self.path = path
        return self

    def pieces(self):
        for start, end in self.ranges():
            yield start, end, self.data[start:end]

    def ranges(self):
        """Where the file has no holes; devices have none."""
        if not os.path.isfile(self.path):
            return [(0, self.virtual_size)]
        ranges = []
        with open(self.path, "rb") as file:
            end = 0
            while True:
                try:
                    start = os.lseek(file.fileno(), end, os.SEEK_DATA)
                except OSError:
                    return ranges
                end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
                ranges.append((start, end))


def runs_of_ones(flags):
    """(first, end) of every run of ones in a bytearray of 0 and 1."""
    first = flags.find(1)
    while first != -1:
        end = flags.find(0, first)
        if end == -1:
            end = len(flags)
        yield first, end
        first = flags.find(1, end)


def write_zeroes(file, count):
    assert count >= 0, "pieces of the image overlap"
    while count > 0:
        count -= file.write(bytes(min(count, 16 * MIB)))


def punch_hole(path, offset, length):
    subprocess.run(["fallocate", "--punch-hole", "--offset", str(offset),
                    "--length", str(length), path], check=True)


# --- What a right reader finds ------------------------------------------

class Disk:
    """The expected disk: its size, and which layer has what.

    'map' is a list of (start, end, depth) that tiles the disk, ascending,
    neighbours different; depth is None where no layer has anything.  It
    knows nothing of holes of host files under allocated sectors.
    """

    def __init__(self, size, pieces):
        self.size = size
        self.map = pieces


def overlay(below, above, depth, size):
    """Merge sorted lists of (start, end, depth) and (start, end): those
    of the layer above win.  All is clipped to 'size'."""
    merged = []

    def add(start, end, value):
        end = min(end, size)
        if start >= end:
            return
        if merged and merged[-1][1] == start and merged[-1][2] == value:
            merged[-1] = (merged[-1][0], end, value)
        else:
            merged.append((start, end, value))

    position = 0                # where the part of 'below' not yet told is
    index = 0

    def add_below(until):
        nonlocal index, position
        while index < len(below) and below[index][0] < until:
            start, end, value = below[index]
            add(max(start, position), min(end, until), value)
            if end > until:
                break
            index += 1
        position = until

    for start, end in above:
        add_below(start)
        add(start, end, depth)
        position = max(position, end)
        while index < len(below) and below[index][1] <= position:
            index += 1
    add_below(size)
    return merged


def top_size(layers):
    """The size of the disk.  What parents have beyond the geometry of the
    top is evidence as well."""
    top = layers[0]
    size = top.virtual_size
    if (top.forced_size is not None or top.kind != DIFFERENCING or
            top.creator not in (b"vpc ", b"qemu")):
        return size
    end = top.size
    for layer in layers[1:]:
        end = min(end, layer.size_in_chain)
        if any(any(data[max(size - start, 0):end - start])
               for start, stop, data in layer.pieces()
               if stop > size and start < end):
            return top.size
    return size


def flatten(layers, path=None):
    """The Disk that a chain is, top first.  Its content goes to the file
    'path', which is sparse."""
    file = open(path, "wb") if path else None
    pieces = []
    for depth in reversed(range(len(layers))):
        layer = layers[depth]
        size = layer.size_in_chain if depth > 0 else top_size(layers)
        pieces = overlay(pieces, layer.ranges(), depth, size)
        if file is None:
            continue
        file.truncate(size)
        for start, end, data in layer.pieces():
            if start < size:
                file.seek(start)
                file.write(data[:size - start])
    if file:
        file.close()
    tiled = []
    position = 0
    for start, end, depth in pieces:
        if start > position:
            tiled.append((position, start, None))
        tiled.append((start, end, depth))
        position = end
    size = top_size(layers)
    if position < size:
        tiled.append((position, size, None))
    return Disk(size, tiled)
