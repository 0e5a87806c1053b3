#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Check everything vdisk says of an image against QEMU.

  verify.py [--format FORMAT] [--size BYTES] [--param KEY=VALUE]...
            [--warning REGEX] IMAGE...

Checked for each image: the size; the block status of the whole disk
(equal to the expected map, every reply non-empty, tiling, merged and
inside the request); the bytes, all of them or, of a disk too big for
that, those of all data and samples of the rest; ranges reported as zeros
read as zeros; block status and reads of random odd ranges; and that the
block status is qemu-nbd's, in both flags: where QEMU does not look for holes
of the host file, with host-holes=off.

Prints what differs and exits with 1; a line is added to the file named by
VDISK_COUNTS for each image.
"""

import argparse
import os
import random
import re
import sys

import expect
import qemu
import servers
from nbdclient import (FLAG_CACHE, FLAG_MULTI_CONN, FLAG_READ_ONLY,
                       NbdError, ProtocolError, STATE_HOLE, STATE_ZERO,
                       STATUS_MAX)

CHUNK = 2 << 20

# Disks are read whole up to this size; of bigger ones at most so much
# data is read.
READ_WHOLE = 96 << 20
READ_DATA = 256 << 20

ZEROS = bytes(CHUNK)

# QEMU's names of formats, and ours.
FORMATS = {"vpc": "vhd"}

QEMU_NBD_STATUS_MAX = (1 << 31) - (1 << 20)


class Mismatch(Exception):
    """vdisk and the oracle do not agree."""


# What can go wrong with one image.
FAILURES = (Mismatch, servers.ServerError, qemu.QemuError, NbdError,
            ProtocolError, OSError)


def count_check(images=0, comparisons=1):
    """Note for the shell how much was checked."""
    path = os.environ.get("VDISK_COUNTS")
    if path:
        with open(path, "a", encoding="ascii") as f:
            f.write("%d %d\n" % (images, comparisons))


def walk(client, step, merged=True):
    """The whole map, asked for in steps: [offset, length, state]."""
    extents = []
    offset = 0
    while offset < client.size:
        count = min(step, client.size - offset)
        reply = client.status(offset, count)
        before = None
        covered = 0
        for length, state in reply:
            if length == 0:
                raise Mismatch("empty extent at %d" % (offset + covered))
            if state & ~(STATE_HOLE | STATE_ZERO):
                raise Mismatch("state %d at %d" % (state, offset + covered))
            if merged and state == before:
                raise Mismatch("two extents that should be one at %d"
                               % (offset + covered))
            expect.append(extents, length, state)
            covered += length
            before = state
        if merged and covered > count:
            raise Mismatch("block status of %d bytes at %d tells of %d bytes"
                           % (count, offset, covered))
        offset += covered
    if offset != client.size and merged:
        raise Mismatch("the map ends at %d, the disk at %d"
                       % (offset, client.size))
    return expect.clip(extents, client.size)


def map_without_holes(path, params, size):
    """The block status of vdisk when it does not look for host holes."""
    with servers.vdisk(path, *params, "host-holes=off") as ours:
        return expect.clip(walk(ours.client, STATUS_MAX), size)


def check_flags(theirs, looking, plain, looks):
    """qemu-nbd's block status has to be ours, in both flags: with holes of
    the host file where QEMU looks for them ('looking'; None if we were not
    to look, and there is nothing to compare), without elsewhere ('plain').
    'looks' tells where, as a map."""
    wanted = []
    for offset, length, state in looks:
        ours = plain if not state else looking or theirs
        for piece, flags in expect.clip_range(ours, offset, length):
            expect.append(wanted, piece, flags)
    problem = expect.difference(wanted, theirs)
    if problem:
        raise Mismatch("block status is not that of qemu-nbd, which is "
                       "expected here: " + problem)


def ranges_to_read(extents, size, rng):
    """What to read: (offset, count), each at most CHUNK.  The cuts are at
    odd places."""
    if size <= READ_WHOLE:
        offset = 0
        count = rng.choice([CHUNK, rng.randrange(CHUNK // 2, CHUNK)])
        while offset < size:
            yield offset, min(count, size - offset)
            offset += count
        return
    budget = READ_DATA
    for offset, length, state in extents:
        # All data, and a little at both ends of everything else.
        if state == expect.DATA:
            start = max(offset - rng.randrange(5000), 0)
            end = min(offset + length + rng.randrange(5000), size)
        else:
            end = offset + length
            yield offset, min(length, 4096)
            start = offset + rng.randrange(length)
            end = min(start + 65536, end)
        while start < end and budget > 0:
            count = min(CHUNK, end - start)
            yield start, count
            start += count
            budget -= count


def check_zeros(data, offset, extents):
    """Bytes of ranges with the zero bit are zeros."""
    at = 0
    for length, state in expect.clip_range(extents, offset, len(data)):
        if state & STATE_ZERO and not data.startswith(ZEROS[:length], at):
            bad = next(i for i in range(length) if data[at + i])
            raise Mismatch("offset %d is reported as zero and is not"
                           % (offset + at + bad))
        at += length


def first_difference(a, b):
    for i, (x, y) in enumerate(zip(a, b)):
        if x != y:
            return i
    return min(len(a), len(b))


def check_content(client, oracle, extents, rng):
    for offset, data in client.read_many(
            ranges_to_read(extents, client.size, rng), in_flight=4):
        wanted = oracle.read(offset, len(data))
        if data != wanted:
            at = first_difference(data, wanted)
            raise Mismatch("bytes differ at offset %d: %#04x, expected %#04x"
                           % (offset + at, data[at], wanted[at]))
        check_zeros(data, offset, extents)


def interesting_offset(extents, size, rng):
    """A place near a border, or anywhere."""
    if rng.random() < 0.3:
        return rng.randrange(size)
    offset, length, _ = rng.choice(extents)
    offset += rng.choice([0, length])
    offset += rng.choice([0, 0, -1, 1, 511, -511, rng.randrange(-4096, 4096)])
    return min(max(offset, 0), size - 1)


def starts_like(reply, wanted):
    """A reply may end early, and is the map up to there."""
    *whole, (last, state) = reply
    i = len(whole)
    return (whole == wanted[:i] and i < len(wanted)
            and state == wanted[i][1] and 0 < last <= wanted[i][0])


def check_odd_ranges(client, oracle, extents, rng, count=12):
    """Block status and bytes of ranges that are aligned to nothing."""
    size = client.size
    for _ in range(count):
        offset = interesting_offset(extents, size, rng)
        length = min(rng.choice([1, 511, 512, 4097, 70001, 1 << 20,
                                 rng.randrange(1, 3 << 20)]), size - offset)
        if rng.random() < 0.2:
            length = min(STATUS_MAX, size - offset)
        wanted = expect.clip_range(extents, offset, length)
        reply = client.status(offset, length)
        if not starts_like(reply, wanted):
            raise Mismatch("block status of %d+%d: %s, expected %s"
                           % (offset, length, reply[:8], wanted[:8]))
        one = client.status(offset, length, req_one=True)
        if len(one) != 1:
            raise Mismatch("REQ_ONE at %d: %d extents" % (offset, len(one)))
        if one[0][1] != wanted[0][1] or not 0 < one[0][0] <= wanted[0][0]:
            raise Mismatch("REQ_ONE of %d+%d: %s, expected %s"
                           % (offset, length, one[0], wanted[0]))
        length = min(length, CHUNK)
        data = client.read(offset, length)
        if data != oracle.read(offset, length):
            raise Mismatch("bytes of %d+%d differ" % (offset, length))
        check_zeros(data, offset, extents)


def check_export(client, size):
    if client.size != size:
        raise Mismatch("the size is %d, expected %d" % (client.size, size))
    if not client.flags & FLAG_READ_ONLY:
        raise Mismatch("the export is not read-only")
    if not client.flags & FLAG_MULTI_CONN:
        raise Mismatch("the export does not allow multi-conn")
    if not client.flags & FLAG_CACHE:
        raise Mismatch("the export has no cache command")
    if client.context is None:
        raise Mismatch("the export has no base:allocation")


def verify(path, image_format, params=(), size=None, oracle_path=None,
           host_holes=True, warning=None, rng=None):
    """Compare vdisk's view of an image with QEMU's.

    'image_format' is QEMU's name.  'oracle_path' is the image QEMU is to
    read, if not the same; 'size' the size wanted, if not what QEMU says
    (it may be less).  'warning' is a regular expression that must match
    what nbdkit prints; without it, nbdkit must be silent.  Returns the
    map."""
    rng = rng or random.Random(path)
    oracle_path = oracle_path or path
    params = list(params)
    if image_format in ("raw", "vpc") and \
            not any(p.startswith("format=") for p in params):
        params.append("format=" + image_format)

    layers = qemu.chain(oracle_path, image_format)
    expect.settle_chain(layers)
    if path != oracle_path:
        expect.settle(path)
    with servers.qemu_nbd(oracle_path, image_format) as theirs:
        if size is None:
            size = theirs.client.size
        wanted, looks = expect.expected_map(oracle_path, layers, size,
                                            host_holes)
        with servers.vdisk(path, *params) as ours:
            client = ours.client
            check_export(client, size)
            step = rng.choice([STATUS_MAX, STATUS_MAX, 64 << 20, 5 << 20,
                               rng.randrange(1 << 20, 100 << 20)])
            step = max(step, size // 256)
            extents = walk(client, min(step, STATUS_MAX))
            problem = expect.difference(extents, wanted)
            if problem:
                raise Mismatch(problem)
            check_flags(
                expect.clip(walk(theirs.client, QEMU_NBD_STATUS_MAX,
                                 merged=False), size),
                extents if host_holes else None,
                map_without_holes(path, params, size), looks)
            if size > 0:
                check_content(client, theirs.client, extents, rng)
                check_odd_ranges(client, theirs.client, extents, rng)
    if warning is None and ours.errors:
        raise Mismatch("nbdkit printed: " + ours.errors)
    if warning is not None and not re.search(warning, ours.errors):
        raise Mismatch("nbdkit did not warn of %r: %r"
                       % (warning, ours.errors))
    count_check(1, 4)
    return extents


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--format", default="qcow2",
                        help="QEMU's name of the format")
    parser.add_argument("--size", type=int)
    parser.add_argument("--param", action="append", default=[])
    parser.add_argument("--warning")
    parser.add_argument("--no-host-holes", action="store_true")
    parser.add_argument("images", nargs="+")
    args = parser.parse_args()
    failed = 0
    for image in args.images:
        try:
            verify(image, args.format, args.param, args.size,
                   warning=args.warning,
                   host_holes=not args.no_host_holes)
        except FAILURES as e:
            print("%s: %s" % (image, e))
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
