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
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../e2e/lib"))
sys.dont_write_bytecode = True

import vhd_image
from damage import (IMAGES, QEMU_FORMAT, damage, disk_sizes, number,
                    read_file, subjects)

# Disks that a change has made larger are left out.
DISK_MAX = 16 << 20
QEMU_SECONDS = 30
OUR_SECONDS = 60

# QEMU ignores the bitmaps of dynamic VHDs.
OUR_OPTIONS = {"qcow2": "format=qcow2", "qed": "format=qed",
               "vhd": "format=vhd sector-bitmaps=ignore"}

# What we say where QEMU reads the image, and why.
WE_REFUSE = {
    r"beyond the end of":
    "QEMU reads zeros beyond the end of a file; here lost data is an error",
    r"L[12] table: .* has reserved bits set":
    "QEMU ignores bits that are reserved",
    r"header_length .* must be a multiple of 8":
    "QEMU does not look at this rule of the specification",
    r"header_size 0, must be": "QEMU does not look at it",
    r"name of the external data file has \d+ bytes, must be":
    "QEMU ends the name at a NUL byte",
    r"compressed cluster .* where the file ends: the":
    "QEMU inflates the zeros that it reads beyond the end of the file",
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
    r"block at sector .*: its (bitmap|data) lies (in|over) ":
    "QEMU does not ask whether blocks lie over something else",
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
}


class Failure(Exception):
    """The two do not agree, and nothing explains it."""


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
    for pattern, why in table.items():
        if re.search(pattern, text):
            return why
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


def mark_end(said, data):
    """Say if the compressed cluster that is told of is the file's last."""
    def mark(match):
        count, offset = map(int, match.groups())
        if count + offset == len(data):
            return match[0] + ", where the file ends"
        return match[0]
    return re.sub(r"(\d+) bytes at offset (\d+)(?=: the)", mark, said)


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
            said = mark_end(said, data)
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

    def restart(self):
        """After a failure our program may be gone, or hang."""
        self.ours.process.kill()
        self.ours.process.wait()
        self.ours = Ours()

    def print(self):
        for (kind, what), n in sorted(self.counts.items()):
            print("%-6s %8d  %s" % (kind, n, what))
            for (k, w, reason), m in sorted(self.reasons.items()):
                if (k, w) == (kind, what):
                    print("       %8d    %s" % (m, reason))
        print("images compared: %d" % sum(
            n for (_, what), n in self.counts.items()
            if not what.startswith("left out")))


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


def tell_failure(failure, n, kind, name, keep, seed):
    """Say what is wrong, and keep the image."""
    print("image %d (%s, %s): %s" % (n, kind, name, failure))
    kept = os.path.join(keep, "%s-%d" % (kind, n))
    shutil.copy("image", kept)
    print("kept: %s" % kept)
    print("again: VDISK_SEED=%s %s --only %d" % (seed, " ".join(sys.argv),
                                                 n), flush=True)


def compare_one(comparison, image, args, seed):
    """Compare one image; False if they do not agree."""
    n, kind, name, data, others = image
    why = why_left_out(kind, data)
    if why:
        comparison.count(kind, "left out: " + why)
        return True
    for other, content in (("image", data), *others):
        with open(other, "wb") as file:
            file.write(content)
    try:
        theirs, said = comparison.compare(kind, data)
    except Failure as failure:
        tell_failure(failure, n, kind, name, args.keep, seed)
        comparison.count(kind, "FAILED")
        comparison.restart()
        return False
    if args.only is not None:
        shutil.copy("image", os.path.join(args.keep, "image"))
        print("QEMU: %s\nvdisk: %s" % (theirs, said))
    return True


def cpu_seconds():
    """Of this and QEMU: a busy machine compares as many."""
    return sum(usage.ru_utime + usage.ru_stime for usage in
               (resource.getrusage(resource.RUSAGE_SELF),
                resource.getrusage(resource.RUSAGE_CHILDREN)))


def run(args, seed):
    """Compare images in the present directory; gives the exit status."""
    comparison = Comparison()
    end = cpu_seconds() + args.time if args.time else float("inf")
    kinds = [args.format] if args.format else list(IMAGES)
    status = 0
    for image in (generate_from(args.corpus, args.format) if args.corpus
                  else generate(kinds, args, seed)):
        if cpu_seconds() > end:
            break
        if not compare_one(comparison, image, args, seed):
            status = 1
            if not args.all:
                break
    comparison.print()
    return status


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--format", choices=list(IMAGES))
    parser.add_argument("--time", type=float,
                        help="seconds of the processor")
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
        status = run(args, seed)
        os.chdir(args.keep)
    return status


if __name__ == "__main__":
    sys.exit(main())
