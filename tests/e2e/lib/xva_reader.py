#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Read an XVA as strictly as it can be read.

  xva_reader.py [--ova-xml FILE] [--checksum KIND] [--raw PREFIX=FILE]...
                XVA

The tar is taken apart by hand: plain files only, ustar, nothing behind the
two blocks of zeros that end it but zeros.  The order of members is
demanded: ova.xml (exactly if a FILE is given, with its bytes), then disk
by disk in the string order of their prefixes, the blocks ascending, each
followed by its checksum, which is verified.  Every block of a disk has
1 MiB but the last; the first and the last are there.

Prints a line "PREFIX SIZE BLOCKS OMITTED" for each disk, OMITTED being
ranges of block numbers, or "-".  --raw rebuilds a disk, placing blocks as
xapi's import does: by counting, not by multiplying.
"""

import argparse
import functools
import hashlib
import re
import sys

from xxh64 import xxh64

TAR_BLOCK = 512
BLOCK = 1 << 20
MAX_BLOCKS = 99_999_999


class XvaError(Exception):
    pass


@functools.lru_cache(maxsize=64)
def xxhash_text(data):
    return b"%016X" % xxh64(data)


def sha1_text(data):
    return hashlib.sha1(data).hexdigest().encode()


CHECKSUMS = {"xxhash": ("xxhash", xxhash_text),
             "sha1": ("checksum", sha1_text)}


# --- The tar -------------------------------------------------------------

def octal(field, what):
    """A number as ustar has it: octal digits, then a space or a NUL."""
    if not re.fullmatch(rb" *[0-7]+[ \0]*", field):
        raise XvaError(f"{what} is {field!r}, not octal")
    return int(field.strip(b" \0"), 8)


def check_header(header, at):
    """One header block of a plain file: its name and size."""
    where = f"header at {at}"
    wanted = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    if octal(header[148:156], f"{where}: checksum") != wanted:
        raise XvaError(f"{where}: checksum is not {wanted:o}")
    if header[257:265] != b"ustar\x0000":
        raise XvaError(f"{where}: magic is {header[257:265]!r}")
    if header[156:157] != b"0":
        raise XvaError(f"{where}: type is {header[156:157]!r}, not a file")
    for name, start, end in (("mode", 100, 108), ("uid", 108, 116),
                             ("gid", 116, 124), ("mtime", 136, 148)):
        octal(header[start:end], f"{where}: {name}")
    if any(header[345:500]) or any(header[157:257]) or any(header[500:]):
        raise XvaError(f"{where}: has a prefix, a link or padding")
    name = header[:100].rstrip(b"\0")
    if b"\0" in name or not name:
        raise XvaError(f"{where}: name is {name!r}")
    return name.decode(), octal(header[124:136], f"{where}: size")


def members(file):
    """(name, bytes) of each member, in order."""
    at = 0
    while True:
        header = file.read(TAR_BLOCK)
        if len(header) != TAR_BLOCK:
            raise XvaError(f"ends at {at}, in the middle of the archive")
        if not any(header):
            break
        name, size = check_header(header, at)
        data = file.read(size)
        padding = file.read(-size % TAR_BLOCK)
        if len(data) != size or len(padding) != -size % TAR_BLOCK:
            raise XvaError(f"{name}: ends in the middle")
        if any(padding):
            raise XvaError(f"{name}: is not padded with zeros")
        at = file.tell()
        yield name, data
    rest = file.read()
    if len(rest) < TAR_BLOCK or any(rest):
        raise XvaError(f"what ends the archive at {at} is not zeros")
    if len(rest) % TAR_BLOCK or len(rest) > 10240:
        raise XvaError(f"{len(rest)} bytes of zeros end the archive")


# --- The disks -----------------------------------------------------------

class Disk:
    """One disk, as it comes out of the archive.  Blocks are placed by
    counting, as xapi does; where that differs from the plain product of
    number and length, the archive is wrong."""

    def __init__(self, prefix, raw):
        self.prefix = prefix
        self.numbers = []
        self.offset = 0         # where the next block goes
        self.first_length = None
        self.last_length = None
        self.raw = open(raw, "wb") if raw else None

    def add(self, number, data):
        name = f"{self.prefix}/{number:08d}"
        if not data or len(data) > BLOCK:
            raise XvaError(f"{name}: {len(data)} bytes")
        last = self.numbers[-1] if self.numbers else -1
        if number <= last:
            raise XvaError(f"{name}: comes after {last:08d}")
        if self.first_length is None:
            if number != 0:
                raise XvaError(f"{name}: the first block is not there")
            self.first_length = len(data)
        elif self.last_length != BLOCK:
            raise XvaError(f"{name}: the block before it has "
                           f"{self.last_length} bytes")
        self.offset += (number - last - 1) * self.first_length
        if self.offset != number * BLOCK:
            raise XvaError(f"{name}: is counted to {self.offset}")
        if self.raw:
            self.raw.seek(self.offset)
            if any(data):
                self.raw.write(data)
        self.numbers.append(number)
        self.last_length = len(data)
        self.offset += len(data)

    def close(self):
        if not self.numbers:
            raise XvaError(f"{self.prefix}: has no blocks")
        if self.numbers[-1] >= MAX_BLOCKS:
            raise XvaError(f"{self.prefix}: more than {MAX_BLOCKS} blocks")
        if self.raw:
            self.raw.truncate(self.offset)
            self.raw.close()

    @property
    def size(self):
        return self.offset

    def omitted(self):
        """[first, last] of the runs of blocks that are left out."""
        return [(a + 1, b - 1) for a, b in
                zip(self.numbers, self.numbers[1:]) if b > a + 1]


def take_ova_xml(archive, expected):
    """The bytes of ova.xml have to be these; returns what follows."""
    name, data = next(archive, (None, None))
    if name != "ova.xml":
        raise XvaError(f"the first member is {name}, not ova.xml")
    if data != expected:
        raise XvaError("ova.xml: is not what it should be")


def take_checksum(archive, name, data, checksum):
    suffix, function = CHECKSUMS[checksum]
    found, text = next(archive, ("nothing", b""))
    if found != f"{name}.{suffix}":
        raise XvaError(f"{name}: followed by {found}, not its checksum")
    wanted = function(data)
    if text != wanted:
        raise XvaError(f"{found}: {text!r}, expected {wanted!r}")


def read(path, checksum="xxhash", ova_xml=None, raws=None):
    """The Disks of an archive, in its order.  'ova_xml' are the bytes of
    that member, None if there must not be one.  'raws' maps prefixes to
    files to rebuild."""
    raws = raws or {}
    disks = []
    with open(path, "rb") as file:
        archive = members(file)
        if ova_xml is not None:
            take_ova_xml(archive, ova_xml)
        for name, data in archive:
            match = re.fullmatch(r"([^/]+)/([0-9]{8})", name)
            if not match:
                raise XvaError(f"unexpected member {name}")
            prefix, number = match[1], int(match[2])
            if not disks or disks[-1].prefix != prefix:
                if disks:
                    disks[-1].close()
                    if disks[-1].prefix > prefix:
                        raise XvaError(f"{prefix} comes after "
                                       f"{disks[-1].prefix}")
                disks.append(Disk(prefix, raws.get(prefix)))
            disks[-1].add(number, data)
            take_checksum(archive, name, data, checksum)
    if disks:
        disks[-1].close()
    prefixes = [disk.prefix for disk in disks]
    missing = set(raws) - set(prefixes)
    if not disks or missing:
        raise XvaError(f"no disk {' '.join(missing)}")
    if len(set(prefixes)) != len(prefixes):
        raise XvaError(f"a disk comes in pieces: {prefixes}")
    return disks


def main():
    parser = argparse.ArgumentParser(description="read an XVA")
    parser.add_argument("--ova-xml", metavar="FILE")
    parser.add_argument("--checksum", default="xxhash",
                        choices=list(CHECKSUMS))
    parser.add_argument("--raw", action="append", default=[],
                        metavar="PREFIX=FILE")
    parser.add_argument("xva")
    args = parser.parse_args()
    ova_xml = None
    if args.ova_xml:
        with open(args.ova_xml, "rb") as file:
            ova_xml = file.read()
    try:
        for disk in read(args.xva, args.checksum, ova_xml,
                         dict(item.split("=", 1) for item in args.raw)):
            omitted = ",".join(f"{a}-{b}" for a, b in disk.omitted())
            print(disk.prefix, disk.size, len(disk.numbers), omitted or "-")
    except XvaError as error:
        sys.exit(f"xva_reader: {args.xva}: {error}")


if __name__ == "__main__":
    main()
