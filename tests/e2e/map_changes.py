#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What vdisk map says has changed, in all dialects, of images with a random
past.

  map_changes.py --count 12 KIND

KIND is qcow2 (a snapshot, bitmaps, another file), vhd or raw (another file).
One dialect, nbdinfo-dirty, is held against the bytes and, of bitmaps, against
QEMU; the others are made of it here, as who reads them expects.  Seeds as
for random_images.py.
"""

import argparse
import json
import os
import random
import shlex
import subprocess
import sys

import cbt_twin
import qemu
import randomops
import servers
import views
from random_images import SEED, remove, run
from randomops import RandomOps
from verify import Mismatch, count_check

WEIGHTS = {"write": 5, "zero": 2, "unmap": 1, "discard": 1}
COMPARED = 4096                   # bytes that --compare compares at a time


def vdisk_map(*arguments):
    """What the tool prints, as bytes."""
    done = subprocess.run([os.environ["VDISK"], "map", *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != 0 or done.stderr:
        raise Mismatch("vdisk map %s: status %d: %s" % (
            shlex.join(arguments), done.returncode, done.stderr.decode()))
    return done.stdout


def must_be(what, ours, wanted):
    if ours != wanted:
        raise Mismatch("%s: %.300r, expected %.300r" % (what, ours, wanted))


class Changes:
    """What one command line finds, in any dialect."""

    def __init__(self, *arguments):
        self.arguments = arguments
        self.text = self.dialect("nbdinfo-dirty").decode()
        self.extents = [(e["offset"], e["length"], e["type"] == 1)
                        for e in json.loads(self.text)]
        self.ranges = [(offset, length)
                       for offset, length, dirty in self.extents if dirty]
        self.start = self.extents[0][0] if self.extents else 0
        end = self.start
        for offset, length, _ in self.extents:
            must_be("offset", offset, end)
            end += length
        self.end = end

    def dialect(self, name, *options):
        return vdisk_map("--output=" + name, *options, *self.arguments)

    def bits(self, unit):
        """One byte for each piece, from where the map starts."""
        return views.bits_of([(offset - self.start, length)
                              for offset, length in self.ranges],
                             unit, self.end - self.start)

    def packed(self, unit, msb_first):
        """Eight pieces to a byte."""
        bits = self.bits(unit)
        packed = bytearray(-(-len(bits) // 8))
        for n, bit in enumerate(bits):
            packed[n // 8] |= bit << (7 - n % 8 if msb_first else n % 8)
        return bytes(packed)


# --- Dialects -------------------------------------------------------------

def check_nbdinfo_dirty(changes, _):
    lines = ['{ "offset": %d, "length": %d, "type": %d, "description": "%s"}'
             % (offset, length, dirty, ["clean", "dirty"][dirty])
             for offset, length, dirty in changes.extents]
    must_be("nbdinfo-dirty", changes.text,
            "[\n" + ",\n".join(lines) + "\n]\n")


def check_imageio_dirty(changes, data):
    text = changes.dialect("imageio-dirty").decode()
    extents = json.loads(text)
    must_be("imageio-dirty", text, json.dumps(extents) + "\n")
    joined = []
    for e in extents:
        start, length, dirty = e["start"], e["length"], e["dirty"]
        if e["zero"] and (not dirty or any(data[start:start + length])):
            raise Mismatch("imageio-dirty: %r is not zero" % e)
        if joined and joined[-1][2] == dirty:
            start, more, _ = joined.pop()
            length += more
        joined.append((start, length, dirty))
    must_be("imageio-dirty, joined", joined, changes.extents)


def check_csi(changes, data):
    must_be("csi", json.loads(changes.dialect("csi")), [{
        "block_metadata_type": 2, "volume_capacity_bytes": len(data),
        "block_metadata": [{"byte_offset": offset, "size_bytes": length}
                           for offset, length in changes.ranges]}])


def check_cbt(changes, _):
    log = cbt_twin.Log(changes.dialect("cbt"))
    must_be("cbt", (log.consistent, log.size, log.parent, log.child),
            (1, changes.end - changes.start, bytes(16), bytes(16)))
    must_be("cbt", log.blocks(), [
        n for n, bit in enumerate(changes.bits(cbt_twin.BLOCK)) if bit])
    must_be("cbt-base64", changes.dialect("cbt-base64").decode(),
            cbt_twin.list_changed_blocks(log) + "\n")


def check_bitmap(changes, _):
    for unit, order in ((512, "msb"), (4096, "lsb"), (65536, "msb"),
                        (1 << 31, None)):
        must_be("bitmap of %d, %s" % (unit, order),
                changes.dialect("bitmap", "--cluster-size=%d" % unit,
                                *(["--bit-order=" + order] if order else [])),
                changes.packed(unit, order == "msb"))


def check_qemu(changes, _):
    """Present is what has changed."""
    ranges = []
    for e in json.loads(changes.dialect("qemu")):
        if e["present"] and e["length"] > 0:
            if ranges and sum(ranges[-1]) == e["start"]:
                ranges[-1] = (ranges[-1][0], ranges[-1][1] + e["length"])
            else:
                ranges.append((e["start"], e["length"]))
    must_be("qemu", ranges, changes.ranges)


def check_block_status(changes, _):
    """As the plugin serves it: what has become zeros is to be written."""
    flags = [(offset, length, 0 if dirty else 3)
             for offset, length, dirty in changes.extents]
    must_be("nbdinfo", [(e["offset"], e["length"], e["type"])
                        for e in json.loads(changes.dialect("nbdinfo"))],
            flags)
    must_be("nbd-extents", [(e["length"], e["flags"]) for e in json.loads(
        changes.dialect("nbd-extents"))], [f[1:] for f in flags])
    must_be("imageio", [
        (e["start"], e["length"], 3 if e["hole"] and e["zero"] else
         1 if e["hole"] else 2 if e["zero"] else 0)
        for e in json.loads(changes.dialect("imageio"))], flags)


def check_clusters(changes, data):
    """Readers copy what is listed: of what has changed nothing may miss."""
    unit = 4096
    size = "--cluster-size=%d" % unit
    wanted = [n for n, bit in enumerate(
        views.bits_of(changes.ranges, unit, len(data))) if bit]
    must_be("clusters", json.loads(changes.dialect("clusters", size))
            ["data_clusters"], wanted)
    must_be("intervals", [
        n for first, last in json.loads(changes.dialect(
            "intervals", size))["data_clusters"]
        for n in range(first, last + 1)], wanted)


def check_dialects(changes, data):
    for check in (check_nbdinfo_dirty, check_imageio_dirty, check_csi,
                  check_cbt, check_bitmap, check_qemu, check_block_status,
                  check_clusters):
        check(changes, data)
        count_check(0, 1)


# --- The bytes ------------------------------------------------------------

def check_applied(changes, then, now):
    """What was, with what has changed put in, is what is."""
    made = bytearray(views.resized(then, len(now)))
    for offset, length in changes.ranges:
        made[offset:offset + length] = now[offset:offset + length]
    views.same_bytes(bytes(made), now, "applied")
    must_be("end", changes.end, len(now))


def check_compared(changes, then, now):
    """No piece is listed that is the same."""
    then = views.resized(then, len(now))
    for offset, length in changes.ranges:
        end = offset + length
        while offset < end:
            stop = min((offset // COMPARED + 1) * COMPARED, end)
            if then[offset:stop] == now[offset:stop]:
                raise Mismatch("--compare: %d to %d is the same" % (offset,
                                                                    stop))
            offset = stop


def check_part(rng, data, *arguments):
    start = rng.randrange(len(data) + 1)
    length = rng.choice([0, 1, rng.randrange(len(data) - start + 1)])
    length = min(length, len(data) - start)
    whole = Changes(*arguments)
    part = Changes("--start=%d" % start, "--length=%d" % length, *arguments)
    clipped = [(max(offset, start), min(offset + more, start + length))
               for offset, more in whole.ranges]
    must_be("ranges of a part", part.ranges, [
        (offset, end - offset) for offset, end in clipped if offset < end])
    # One whose map is of no bytes starts nowhere.
    part.start, part.end = start, start + length
    check_dialects(part, data)


def check_difference(rng, then, now, *arguments):
    changes = Changes(*arguments)
    check_applied(changes, then, now)
    check_dialects(changes, now)
    compared = Changes("--compare", *arguments)
    check_applied(compared, then, now)
    check_compared(compared, then, now)
    check_dialects(compared, now)
    check_part(rng, now, *arguments)


# --- Images ---------------------------------------------------------------

def content(path, image_format):
    if image_format != "raw":
        qemu.img("convert", "-f", image_format, "-O", "raw", path, "now.raw")
        path = "now.raw"
    with open(path, "rb") as f:
        return f.read()


class Past:
    """An image, and a copy of what it was."""

    def __init__(self, args, rng, prefix, patterns):
        self.args, self.rng, self.patterns = args, rng, patterns
        self.kind = {"vhd": "vpc"}.get(args.kind, args.kind)
        self.path, self.copy = prefix + ".img", prefix + ".copy"
        self.cluster = rng.choice([512, 4096, 65536, 65536, 1 << 21])
        options = []
        if self.kind == "qcow2":
            options = ["cluster_size=%d" % self.cluster]
        elif self.kind == "vpc":
            options, self.cluster = ["force_size=on"], 1 << 21
        size = rng.randrange(1, 3 << 20)
        if rng.random() < 0.2:
            size = rng.randrange(1, 16) * cbt_twin.BLOCK + \
                rng.choice([-512, 0, 512])
        self.create(options, size)

    def create(self, options, size):
        qemu.create(self.path, self.kind, -(-size // 512) * 512, options)
        if self.kind == "raw":
            os.truncate(self.path, size)
        self.write()
        with open(self.copy, "wb") as f:
            f.write(self.content())

    def content(self):
        return content(self.path, self.kind)

    def write(self):
        size = len(self.content()) // 512 * 512
        ops = RandomOps(self.rng, size, self.cluster, WEIGHTS, self.patterns)
        commands = ops.commands(self.rng.randrange(1, 8))
        if self.kind == "vpc":
            # QEMU's VHDs have sectors.
            commands = [c for c in commands
                        if int(c.split()[-2]) % 512 == 0 and
                        int(c.split()[-1]) % 512 == 0]
        if commands:
            qemu.io(self.path, self.kind, commands,
                    unmap=self.rng.random() < 0.5)

    def resize(self):
        size = len(self.content()) + self.rng.choice([1, -1, 0]) * \
            self.rng.choice([512, 65536, 300 * 512])
        if size < 512 or self.kind == "vpc":
            return
        if self.kind == "raw":
            os.truncate(self.path, size)
        else:
            qemu.img("resize", "-q", "--shrink", "-f", self.kind, self.path,
                     str(size))


def check_file(past, then):
    image_format = {"vpc": "vhd"}.get(past.kind, past.kind)
    check_difference(past.rng, then, past.content(),
                     "--since=" + past.copy, "--since-format=raw",
                     "--format=" + image_format, past.path)
    if past.kind == "raw":
        return
    # Nothing of it is in the copy.
    check_dialects(Changes("--since=layer/0", past.path), past.content())


def check_bitmaps(past, names):
    now = past.content()
    for name in names:
        changes = Changes("--view=bitmap/" + name, past.path)
        with servers.qemu_nbd(past.path, "qcow2", "-B", name) as server:
            theirs = qemu.run("nbdinfo", "--json",
                              "--map=qemu:dirty-bitmap:" + name, server.uri)
        must_be("nbdinfo", changes.text, theirs.decode())
        must_be("--since", Changes("--since=bitmap/" + name,
                                   past.path).text, changes.text)
        check_dialects(changes, now)
        check_part(past.rng, now, "--view=bitmap/" + name, past.path)


def one_past(args, patterns):
    def one(number, rng):
        prefix = "past%d" % number
        try:
            past = Past(args, rng, prefix, patterns)
            names = []
            with open(past.copy, "rb") as f:
                then = f.read()
            if past.kind == "qcow2":
                qemu.img("snapshot", "-c", "then", past.path)
                for n, bits in enumerate((9, rng.randrange(10, 20))):
                    names.append("b%d" % n)
                    qemu.img("bitmap", "--add", "-g", str(1 << bits),
                             past.path, names[-1])
                    past.write()
            if rng.random() < 0.5 and not names:
                past.resize()
            past.write()
            if past.kind == "qcow2":
                check_difference(rng, then, past.content(),
                                 "--since=snapshot/then", past.path)
                check_bitmaps(past, names)
            check_file(past, then)
            count_check(1, 0)
        finally:
            remove(prefix)
    return one


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("kind", choices=["qcow2", "vhd", "raw"])
    args = parser.parse_args()
    patterns = randomops.make_patterns(random.Random(SEED))
    return run(args.count, one_past(args, patterns), shlex.join(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
