#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compare vdisk with QEMU on damaged images.

  differential.py [--format FORMAT] [--time SECONDS] [--images N]
                  [--corpus DIRECTORY] [--only NUMBER]

Images are made (by qemu-img and vhd_image.py), some bytes of their
metadata are changed, and both programs read them:

  where 'qemu-img convert' succeeds, our bytes are the same, or we say why
  not, and the reason is in WE_REFUSE;
  where only we succeed, what QEMU says is in THEY_REFUSE.

Anything else is a failure, and so is a program that crashes or hangs,
unless it is QEMU's.  With --corpus the images are inputs of a fuzz target
(qcow2, vhd or qed) instead.

Image NUMBER of a seed (VDISK_SEED) is always the same; --only makes it
alone and keeps it.  A table of what happened comes last.

Environment: COMPARE is the program compare.c.
"""

import argparse
import collections
import os
import random
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../e2e"))

import qemu
import vhd_image

# Disks that a change has made larger are left out.
DISK_MAX = 16 << 20
QEMU_SECONDS = 10
OUR_SECONDS = 20

QEMU_FORMAT = {"qcow2": "qcow2", "vhd": "vpc", "qed": "qed"}

# QEMU ignores the bitmaps of dynamic VHDs.
OUR_OPTIONS = {"qcow2": "format=qcow2", "qed": "format=qed",
               "vhd": "format=vhd sector-bitmaps=ignore"}

# What we say where QEMU reads the image, and why.
WE_REFUSE = {
    r"beyond the end of":
    "QEMU reads zeros beyond the end of a file; here lost data is an error",
    r"L[12] table: .* has reserved bits set":
    "QEMU ignores bits that are reserved",
    r"backing_file(name)?_size 0, must be":
    "QEMU takes an empty name for no backing file",
    r"header_length .* must be a multiple of 8":
    "QEMU does not look at this rule of the specification",
    r"header_size 0, must be": "QEMU does not look at it",
    r"name of the backing file has a NUL byte":
    "QEMU ends the name there",
    r"there are only \d+ before the footer":
    "QEMU reads zeros where a fixed disk is cut short",
    r"footer: no cookie .* footer copy: no cookie":
    "QEMU takes for zeros what a footer lacks at the end of the file",
    r"(header|footer): version .* must be 1.x":
    "QEMU does not look at the versions of VHDs",
    r"header: checksum":
    "QEMU does not look at the checksum of the dynamic header",
    r"footer: type .* must be":
    "QEMU takes all types but 2 for dynamic",
    r"do not cover the disk":
    "the creator is one whose size QEMU takes from the geometry",
    r"format of the backing file is not recorded":
    "QEMU takes for raw what it does not recognize",
}

# What QEMU says where we read the image, and why that is so.
THEY_REFUSE = {
    r"[Ss]napshot table": "reading the disk does not need snapshots",
    r"[Rr]eference count table": "reading does not need refcounts",
    r"Header extension too large":
    "the end of the extensions has no use for a length",
    r"error while reading block status .*Invalid argument":
    "QEMU cannot map a QED file whose last cluster is cut short",
    r"free_data_block_offset points after the end of file":
    "QEMU opens no VHD with a block that is cut short; here it is read as "
    "far as the disk needs it",
    r"Max Table Entries too large":
    "a BAT may be larger than the disk needs",
    r"Page table too small":
    "the creator is one whose size QEMU takes from the geometry",
    r"invalid VPC image":
    "QEMU looks for a footer only where a sector of the file starts",
    r"CRYPTO header extension only expected with LUKS":
    "nothing is encrypted",
    r"bitmaps_ext: |Bitmap '.*' doesn't satisfy":
    "reading does not need bitmaps",
    r"QED table offset is invalid":
    "QEMU opens no QED image whose tables have one cluster, though they may",
    r"data-file-raw requires a data file":
    "without a data file the bit means nothing",
}


class Failure(Exception):
    """The two do not agree, and nothing explains it."""


# --- Subjects: images before they are damaged ---------------------------

class Subject:
    """A good image, and where its metadata is: (offset, size) pairs."""

    def __init__(self, name, kind, data, places, others=()):
        self.name = name
        self.kind = kind
        self.data = data
        self.places = places
        self.others = others    # (name, bytes) of files it refers to


def number(data, layout, at):
    return struct.unpack_from(layout, data, at)[0]


def qcow2_places(data):
    """Header, L1, L2 and refcount tables, snapshots."""
    cluster = 1 << number(data, ">I", 20)
    l1 = number(data, ">Q", 40)
    l1_size = number(data, ">I", 36) * 8
    table = number(data, ">Q", 48)
    places = [(0, 112), (0, 112), (112, 64), (l1, l1_size), (table, 16),
              (number(data, ">Q", table), 64)]
    if number(data, ">I", 60):
        places.append((number(data, ">Q", 64), 120))
    for at in range(l1, l1 + l1_size, 8):
        l2 = number(data, ">Q", at) & 0x00fffffffffffe00
        if l2:
            places += [(l2, 128), (l2, min(cluster, 1024))] * 2
    return places


def vhd_places(data):
    footer = len(data) - 512
    places = [(footer, 85), (0, 85)]
    if number(data, ">I", footer + 60) == vhd_image.FIXED:
        return places
    header = number(data, ">Q", footer + 16)
    bat = number(data, ">Q", header + 16)
    entries = number(data, ">I", header + 28)
    places += [(header, 60)] * 2 + [(bat, min(entries * 4, 256))] * 4
    return places


def qed_places(data):
    l1 = number(data, "<Q", 40)
    places = [(0, 64), (0, 64), (l1, 64)]
    table = number(data, "<I", 4) * number(data, "<I", 8)
    for at in range(l1, l1 + table, 8):
        l2 = number(data, "<Q", at)
        if l2:
            places += [(l2, 128), (l2, 1024)] * 2
    return places


PLACES = {"qcow2": qcow2_places, "vhd": vhd_places, "qed": qed_places}


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def make_qemu(path, kind, size, writes, backing=None, **options):
    qemu.create(path, QEMU_FORMAT[kind], size,
                ["%s=%s" % option for option in options.items()], backing)
    if writes:
        qemu.io(path, QEMU_FORMAT[kind], writes)
    return read_file(path)


WRITES = ["write -P 1 0 70k", "write -P 2 200k 3k", "write -z 100k 64k",
          "write -P 3 600k 100k"]
PACKED = ["write -c -P 4 0 64k", "write -c -P 5 128k 64k",
          "write -P 6 300k 64k"]


def qcow2_images(directory):
    path = os.path.join(directory, "image")
    base = os.path.join(directory, "base")
    with open(base, "wb") as file:
        file.write(b"base image" * 60000)
    base = ("base", "raw")

    def make(writes, size="1M", backing=None, **options):
        return make_qemu(path, "qcow2", size, writes, backing, **options)

    yield "v2", make(WRITES[:2] + WRITES[3:], compat="0.10",
                     cluster_size=4096)
    yield "v3", make(WRITES)
    yield "v3-512", make(WRITES, cluster_size=512)
    yield "v3-4k", make(WRITES, cluster_size=4096, refcount_bits=1)
    yield "odd", make(WRITES, size=1000500, cluster_size=4096)
    yield "zlib", make(PACKED)
    yield "zlib-4k", make(["write -c -P 4 0 4k", "write -c -P 5 8k 4k"],
                          cluster_size=4096)
    yield "zstd", make(PACKED, compression_type="zstd")
    yield "extended", make(WRITES, extended_l2="on")
    yield "extended-16k", make(WRITES, extended_l2="on", cluster_size=16384)
    yield "backed", make(WRITES, backing=base, cluster_size=4096)
    yield "data-file", make(WRITES, data_file="data")
    yield "raw-data-file", make(WRITES, data_file="data",
                                data_file_raw="on")
    make(WRITES)
    qemu.img("snapshot", "-c", "one", path)
    yield "snapshot", read_file(path)


def vhd_images(directory):
    path = os.path.join(directory, "image")

    def make(writes, size="1M", **options):
        return make_qemu(path, "vhd", size, writes, **options)

    yield "dynamic", make(WRITES[:2] + WRITES[3:], force_size="on")
    yield "dynamic-chs", make(WRITES[:2], size="5M")
    yield "fixed", make(WRITES[:2], subformat="fixed", force_size="on")
    yield "fixed-chs", make(WRITES[:2], subformat="fixed")
    for creator in b"win ", b"tap\0", b"vpc ", b"caml":
        vhd = vhd_image.Vhd(vhd_image.DYNAMIC, 512 << 10, block_size=65536,
                            creator=creator, order="shuffled")
        vhd.fill(0, b"zero" * 5000)
        vhd.fill(100 << 10, b"more" * 20000)
        yield creator.decode().strip("\0 "), read_file(vhd.write(path).path)


def qed_images(directory):
    path = os.path.join(directory, "image")
    base = os.path.join(directory, "base")
    with open(base, "wb") as file:
        file.write(b"base image" * 60000)

    def make(writes, size="1M", backing=None, **options):
        return make_qemu(path, "qed", size, writes, backing, **options)

    yield "4k", make(WRITES, cluster_size=4096, table_size=2)
    yield "64k", make(WRITES[:2])
    yield "backed", make(WRITES, backing=("base", "raw"),
                         cluster_size=4096, table_size=2)


IMAGES = {"qcow2": qcow2_images, "vhd": vhd_images, "qed": qed_images}


def subjects(kind):
    """All subjects of a format."""
    with tempfile.TemporaryDirectory() as directory:
        here = os.getcwd()
        os.chdir(directory)
        try:
            for name, data in IMAGES[kind](directory):
                others = [(other, read_file(other))
                          for other in ("base", "data")
                          if os.path.exists(other)]
                yield Subject(name, kind, data, PLACES[kind](data), others)
                if os.path.exists("data"):
                    os.unlink("data")
        finally:
            os.chdir(here)


# --- Damage -------------------------------------------------------------

def damage_byte(data, at, rng):
    data[at] = rng.choice([data[at] ^ 1 << rng.randrange(8), 0, 0xff,
                           rng.randrange(256), (data[at] + 1) & 0xff])


def damage_word(data, at, rng, order):
    """Change a number of 4 or 8 bytes, or put an offset there."""
    width, layout = rng.choice([(8, "Q"), (8, "Q"), (4, "I")])
    at -= at % width
    layout = order + layout
    old = number(data, layout, at)
    unit = rng.choice([512, 4096, 65536])
    place = rng.randrange(len(data) // unit + 2) * unit
    new = rng.choice([0, 1, place, place, place | old & (0xff << 56),
                      place // 512, old + unit, old - unit, old ^ 1,
                      old ^ 1 << rng.randrange(width * 8),
                      rng.getrandbits(width * 8)])
    struct.pack_into(layout, data, at, new % (1 << width * 8))


def settle_vhd(data):
    """Make the checksums of a damaged VHD right."""
    def settle(start, size, at):
        if 0 <= start <= len(data) - size:
            data[at:at + 4] = bytes(4)
            total = vhd_image.complement_sum(data[start:start + size])
            data[at:at + 4] = struct.pack(">I", total)

    footer = len(data) - 512
    header = number(data, ">Q", footer + 16)
    if header <= len(data) - 1024:
        settle(header, 1024, header + 36)
    settle(footer, 512, footer + 64)
    if data[:8] == b"conectix":
        settle(0, 512, 64)


def sync_footers(data, rng):
    """Make one footer of a dynamic VHD a copy of the other: QEMU goes by
    the one at the start, we by the one at the end."""
    if data[-512:-504] != b"conectix" or rng.random() < 0.5:
        data[-512:] = data[:512]
    else:
        data[:512] = data[-512:]


def damage(subject, rng):
    """A damaged copy of the image."""
    data = bytearray(subject.data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        start, size = rng.choice(subject.places)
        at = start + rng.randrange(max(size, 1))
        if at + 8 > len(data):
            continue
        if rng.random() < 0.5:
            damage_byte(data, at, rng)
        else:
            damage_word(data, at, rng,
                        "<" if subject.kind == "qed" else ">")
    if rng.random() < 0.05:
        del data[rng.randrange(len(data) - 1024, len(data)):]
    if subject.kind == "vhd":
        if not subject.name.startswith("fixed"):
            sync_footers(data, rng)
        if rng.random() < 0.9:
            settle_vhd(data)
    return bytes(data)


def disk_sizes(kind, data):
    """All that some program may take for the size of the disk."""
    if kind == "qcow2" and len(data) >= 32:
        yield number(data, ">Q", 24)
    if kind == "qed" and len(data) >= 56:
        yield number(data, "<Q", 48)
    if kind == "vhd":
        for at in 0, len(data) - 512, len(data) - 511:
            if at >= 0 and data[at:at + 8] == b"conectix":
                yield number(data, ">Q", at + 48)
                cylinders, heads, sectors = struct.unpack_from(
                    ">HBB", data, at + 56)
                yield cylinders * heads * sectors * 512


def why_left_out(kind, data):
    """Why the image is not compared, or None."""
    if any(size > DISK_MAX for size in disk_sizes(kind, data)):
        return "the disk is too large"
    if kind == "vhd" and vhd_image.DIFFERENCING in (
            number(data, ">I", at + 60) for at in (0, len(data) - 512)
            if 0 <= at <= len(data) - 64):
        return "QEMU reads differencing VHDs without their parent"
    return None


# --- Running both -------------------------------------------------------

def limit_qemu():
    """No core, no endless output, not all memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * DISK_MAX, 4 * DISK_MAX))
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))


def run_qemu(kind, image, raw):
    """qemu-img convert: None, or what it says.  It may have been killed."""
    try:
        done = subprocess.run(
            ["qemu-img", "convert", "-U", "-f", QEMU_FORMAT[kind],
             "-O", "raw", image, raw], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            timeout=QEMU_SECONDS, check=False, preexec_fn=limit_qemu)
    except subprocess.TimeoutExpired:
        return "killed after %d s" % QEMU_SECONDS
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return "killed by " + signal.Signals(-done.returncode).name
    return done.stderr.decode(errors="replace").strip()


class Ours:
    """The program that reads images with libvdisk."""

    def __init__(self):
        program = os.environ.get("COMPARE") or os.path.join(
            HERE, "../../build/replay/compare")
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)

    def compare(self, kind, image, raw):
        """What it says of an image."""
        line = "%s\t%s\t%s\n" % (image, OUR_OPTIONS[kind], raw or "-")
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [],
                                    OUR_SECONDS)
        if not ready:
            self.process.kill()
            raise Failure("vdisk takes more than %d s" % OUR_SECONDS)
        said = self.process.stdout.readline().decode(errors="replace")
        if not said:
            raise Failure("vdisk ended: %s" % self.process.stderr.read()
                          .decode(errors="replace"))
        return said.rstrip("\n")


def explain(table, text):
    for pattern in table:
        if re.search(pattern, text):
            return pattern
    return None


def why_size_differs(kind, data, said):
    """Why the disk has another size with QEMU, or None."""
    word, *numbers = said.split()
    if word != "size":
        return None
    ours, theirs = map(int, numbers)
    if theirs == ours // 512 * 512:
        return "QEMU counts sectors"
    if kind == "vhd" and {ours, theirs} <= set(disk_sizes(kind, data)):
        return "the creator is one whose size QEMU takes from the geometry"
    return None


class Comparison:
    """Compares images, and counts what happens."""

    def __init__(self):
        self.ours = Ours()
        self.counts = collections.Counter()
        self.reasons = collections.Counter()

    def count(self, kind, what):
        self.counts[kind, what] += 1

    def excuse(self, kind, what, table, text, said):
        reason = explain(table, text)
        if reason is None:
            raise Failure("%s, and nothing explains it: %s" % (what, said))
        self.count(kind, what)
        self.reasons[kind, what, reason] += 1

    def compare(self, kind, data):
        """Compare one image, the file "image"."""
        theirs = run_qemu(kind, "image", "raw")
        said = self.ours.compare(kind, "image", None if theirs else "raw")
        word = said.split()[0]
        if theirs is None and word == "same":
            self.count(kind, "the same bytes")
        elif theirs is None and word in ("open", "read"):
            self.excuse(kind, "only we refuse", WE_REFUSE, said, said)
        elif theirs is None:
            why = why_size_differs(kind, data, said)
            if why is None:
                raise Failure("the bytes are not the same: %s" % said)
            self.count(kind, "the same bytes, more or less of them")
            self.reasons[kind, "the same bytes, more or less of them",
                         why] += 1
        elif word != "same":
            self.count(kind, "both refuse")
        elif theirs.startswith("killed"):
            self.count(kind, "QEMU was " + theirs)
        else:
            self.excuse(kind, "only QEMU refuses", THEY_REFUSE, theirs,
                        theirs)
        return theirs, said

    def print(self):
        for (kind, what), n in sorted(self.counts.items()):
            print("%-6s %8d  %s" % (kind, n, what))
            for (k, w, reason), m in sorted(self.reasons.items()):
                if (k, w) == (kind, what):
                    print("       %8d    %s" % (m, reason))


def generate(kinds, args, seed):
    """(number, kind, name, bytes, files it refers to), for ever."""
    made = {kind: list(subjects(kind)) for kind in kinds}
    numbers = range(args.images or 10 ** 9)
    if args.only is not None:
        numbers = [args.only]
    for n in numbers:
        rng = random.Random("%s/%d" % (seed, n))
        subject = rng.choice(made[kinds[n % len(kinds)]])
        data = damage(subject, rng)
        yield n, subject.kind, subject.name, data, subject.others


def generate_from(directory, kind):
    """The same from inputs of a fuzz target."""
    for n, name in enumerate(sorted(os.listdir(directory))):
        data = bytearray(read_file(os.path.join(directory, name))[8:])
        if kind == "vhd" and data[:8] == b"conectix" and len(data) > 1024:
            data[-512:] = data[:512]
        yield n, kind, name, bytes(data), [("b", b"base" * 4000)]


def run(args, seed):
    comparison = Comparison()
    end = time.monotonic() + args.time if args.time else None
    kinds = [args.format] if args.format else list(IMAGES)
    images = (generate_from(args.corpus, args.format) if args.corpus
              else generate(kinds, args, seed))
    for n, kind, name, data, others in images:
        if end and time.monotonic() > end:
            break
        why = why_left_out(kind, data)
        if why:
            comparison.count(kind, "left out: " + why)
            continue
        for other, content in (("image", data), *others):
            with open(other, "wb") as file:
                file.write(content)
        try:
            said = comparison.compare(kind, data)
        except Failure as failure:
            print("image %d (%s, %s): %s" % (n, kind, name, failure))
            print("again: VDISK_SEED=%s %s --only %d" % (
                seed, " ".join(sys.argv), n))
            kept = os.path.join(args.keep, "%s-%d" % (kind, n))
            shutil.copy("image", kept)
            print("kept: %s" % kept)
            comparison.count(kind, "FAILED")
            if not args.all:
                break
            comparison.ours.process.kill()
            comparison.ours = Ours()
        if args.only is not None:
            shutil.copy("image", os.path.join(args.keep, "image"))
            print("QEMU: %s\nvdisk: %s" % said)
    comparison.print()
    total = sum(n for (_, what), n in comparison.counts.items()
                if not what.startswith("left out"))
    print("images compared: %d" % total)
    return any(what == "FAILED" for _, what in comparison.counts)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--format", choices=list(IMAGES))
    parser.add_argument("--time", type=float)
    parser.add_argument("--images", type=int)
    parser.add_argument("--only", type=int)
    parser.add_argument("--corpus")
    parser.add_argument("--all", action="store_true",
                        help="go on after a failure")
    args = parser.parse_args()
    if args.corpus:
        args.corpus = os.path.abspath(args.corpus)
    args.keep = os.getcwd()
    seed = os.environ.get("VDISK_SEED", "1")
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        failed = run(args, seed)
        os.chdir(args.keep)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
