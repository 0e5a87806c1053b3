#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""QCOW2 images with a past of snapshots, resizing and bitmaps, made by QEMU at
random: every view of each, and differences of them.

  views_random.py --count 12 [--backing] [--bitmaps]

What a snapshot must have was read by QEMU when it was made; later QEMU shows
it with the size that the disk has by then.  Bitmaps must be QEMU's bit for
bit.  Of clusters that nobody has touched since a snapshot a difference must
say that they are the same.  Seeds as for random_images.py.
"""

import argparse
import itertools
import json
import random
import shlex
import shutil
import sys

import expect
import qemu
import randomops
import servers
import views
from random_images import SEED, remove, run
from randomops import RandomOps
from verify import FAILURES, Mismatch, count_check

CLUSTERS = [512, 1024, 4096, 16384, 65536, 65536, 1 << 18, 1 << 21]
WEIGHTS = {"write": 5, "zero": 2, "unmap": 1, "discard": 2}
NAMES = ["monday", "a..b", "b", "a", "x+y", "with space", "..", "1", "2",
         "+", "snapshot/x", "diff/a..b", "m\u00e4rz", "100%", "active"]
DIFFERENCES = 10


def touched_by(command):
    """The range that a command of qemu-io changes."""
    words = command.split()
    return int(words[-2]), int(words[-1])


class History:
    """One image and its past."""

    def __init__(self, args, rng, prefix, patterns):
        self.args = args
        self.rng = rng
        self.patterns = patterns
        self.path = prefix + ".qcow2"
        self.told = []
        self.snapshots = {}       # by ID: (name, content then)
        self.touched = {}         # by ID: ranges since then, if it is known
        self.bitmaps = []
        self.touched_before = False
        self._create(prefix)

    def _create(self, prefix):
        rng = self.rng
        self.cluster = rng.choice(CLUSTERS)
        size = rng.randrange(1, 6) * max(self.cluster, 1 << 17)
        self.size = max(size + rng.choice([0, 512, -512]), 512)
        options = ["cluster_size=%d" % self.cluster]
        if self.cluster >= 16384 and rng.random() < 0.4:
            options.append("extended_l2=on")
        if rng.random() < 0.4:
            options.append("compression_type=zstd")
        elif not self.args.bitmaps and rng.random() < 0.3 and \
                "extended_l2=on" not in options:
            options.append("compat=0.10")
        backing = None
        if self.args.backing:
            kind = rng.choice(["raw", "qcow2"])
            backing = (prefix + ".base", kind)
            below = rng.randrange(1, self.size // 512 + 1) * 512
            qemu.create(*backing, below)
            self._write(*backing, below, self.cluster, 8)
        qemu.create(self.path, "qcow2", self.size, options, backing)
        self.told.append("%d %s %s" % (self.size, " ".join(options), backing))

    def _write(self, path, image_format, size, cluster, count):
        weights = dict(WEIGHTS)
        if path == self.path and not self.touched_before:
            # QEMU writes compressed clusters only where there are none.
            weights["compressed"] = 6
            self.touched_before = True
        ops = RandomOps(self.rng, size, cluster, weights, self.patterns,
                        longest=max(1 << 17, cluster))
        commands = ops.commands(self.rng.randrange(1, count))
        packed = [c for c in commands if c.startswith("write -c")]
        others = [c for c in commands if not c.startswith("write -c")]
        for turn in filter(None, (packed, others)):
            qemu.io(path, image_format, turn, unmap=self.rng.random() < 0.7)
        return [touched_by(c) for c in commands]

    def content(self):
        qemu.img("convert", "-f", "qcow2", "-O", "raw", self.path, "now.raw")
        with open("now.raw", "rb") as f:
            return f.read()

    # --- Steps ------------------------------------------------------------

    def write(self):
        ranges = self._write(self.path, "qcow2", self.size, self.cluster, 8)
        for since in self.touched.values():
            if since is not None:
                since += ranges

    def snapshot(self):
        before = set(self.snapshots)
        name = self.rng.choice(NAMES)
        qemu.img("snapshot", "-c", name, self.path)
        for number in self._ids() - before:
            self.snapshots[number] = (name, self.content())
            self.touched[number] = []

    def _ids(self):
        info = json.loads(qemu.img("info", "--output=json", self.path))
        return {s["id"] for s in info.get("snapshots", [])}

    def _pick(self):
        """A snapshot that QEMU finds by its ID."""
        ids = [i for i in self.snapshots
               if i not in (name for name, _ in self.snapshots.values())]
        return self.rng.choice(ids) if ids else None

    def apply(self):
        number = self._pick()
        if number is None:
            return
        qemu.img("snapshot", "-a", number, self.path)
        self.size = json.loads(qemu.img(
            "info", "--output=json", self.path))["virtual-size"]
        # QEMU gives it the size it had, or not.
        then = len(self.snapshots[number][1])
        self.touched = dict.fromkeys(self.touched)
        if self.size == then:
            self.touched[number] = []

    def delete(self):
        number = self._pick()
        if number is not None:
            qemu.img("snapshot", "-d", number, self.path)
            del self.snapshots[number], self.touched[number]

    def resize(self):
        size = self.size + self.rng.choice([1, -1]) * self.rng.choice(
            [512, self.cluster, self.size // 3 // 512 * 512])
        if size < 512:
            return
        qemu.img("resize", "-q", "--shrink", "-f", "qcow2", self.path,
                 str(size))
        low, high = sorted((self.size, size))
        self.size = size
        for since in self.touched.values():
            if since is not None:
                since.append((low, high - low))

    def bitmap(self):
        name = "%s%d" % (self.rng.choice(["b", "b+", "b..", "b b"]),
                         len(self.bitmaps))
        options = ["-g", str(1 << self.rng.randrange(9, 18))]
        if self.rng.random() < 0.3:
            options = []
        qemu.img("bitmap", "--add", *options, self.path, name)
        self.bitmaps.append(name)

    def switch(self):
        if self.bitmaps:
            qemu.img("bitmap", self.rng.choice(["--enable", "--disable",
                                                "--disable", "--clear"]),
                     self.path, self.rng.choice(self.bitmaps))

    def merge(self):
        if len(self.bitmaps) >= 2:
            one, other = self.rng.sample(self.bitmaps, 2)
            qemu.img("bitmap", "--merge", one, self.path, other)

    def live(self):
        steps = {"write": 8, "snapshot": 4, "apply": 1, "delete": 1,
                 "resize": 2}
        if self.args.bitmaps:
            steps = {"write": 8, "snapshot": 2, "bitmap": 4, "switch": 1,
                     "merge": 1, "resize": 1}
        kinds = self.rng.choices(list(steps), steps.values(), k=14)
        for kind in ["write"] + kinds + ["write"]:
            try:
                getattr(self, kind)()
            except qemu.QemuError as e:
                # Some steps QEMU does not do: old versions do not resize
                # with snapshots, and so on.
                if kind in ("write", "snapshot"):
                    raise
                self.told.append("(%s: %s)" % (kind, str(e)[-60:].strip()))
            self.told.append(kind)

    # --- What must come of it ---------------------------------------------

    def snapshot_names(self):
        """ID -> the name of its view: its own, if it means nobody else."""
        names = {}
        for number, (name, _) in self.snapshots.items():
            others = [n for i, (n, _) in self.snapshots.items()
                      if i != number] + [i for i in self.snapshots
                                         if i != number]
            names[number] = "snapshot/" + (number if name in others else name)
        return names


def check_names(history, server, layers):
    wanted = ["active", *history.snapshot_names().values(),
              *("bitmap/" + name for name in history.bitmaps),
              *("layer/%d" % n for n in range(layers))]
    told = views.names_of(server)
    if sorted(told) != sorted(wanted):
        raise Mismatch("exports %s, expected %s" % (told, wanted))


def check_snapshot(history, view, number):
    """The content, and QEMU's of today as far as both sizes go."""
    _, then = history.snapshots[number]
    view.must_have(then, "what was when it was made")
    qemu.img("convert", "-f", "qcow2", "-l", "snapshot.id=" + number, "-O",
             "raw", history.path, "then.raw")
    with open("then.raw", "rb") as f:
        theirs = f.read(len(then))
    views.same_bytes(view.data[:len(theirs)], theirs[:view.size],
                     view.name + " and qemu-img convert -l")


def check_untouched(history, number, ranges, name):
    """What has changed since a snapshot lies in clusters that were
    written."""
    since = history.touched[number]
    if since is None:
        return
    unit = history.cluster
    allowed = views.bits_of(since, unit, 1 << 26)
    for offset, length in ranges:
        if not all(allowed[offset // unit:
                           (offset + length - 1) // unit + 1]):
            raise Mismatch("%s: %d+%d was not touched: %s" % (
                name, offset, length, since))


def check_layers(history, server, active, layers):
    together = views.View(server, "layer/0-%d" % (len(layers) - 1))
    together.must_have(active.data, "all layers")
    top = views.View(server, "layer/0")
    top.must_have(views.whole_layer(history.path, "qcow2"), "the layer")
    if len(layers) > 1:
        base = layers[1]
        below = views.View(server, "layer/1")
        below.must_have(views.whole_layer(base.path, base.format),
                        "the layer")
        return [top, below]
    return [top]


def check_bitmaps(history, server, active):
    """Bit for bit, and their bytes; and unions."""
    sets = {}
    for name in history.bitmaps:
        view = views.View(server, "bitmap/" + name)
        sets[name] = view.changed()
        wanted = views.dirty(history.path, name)
        if sets[name] != wanted:
            raise Mismatch("%s: %s, QEMU has %s" % (name, sets[name],
                                                    wanted))
        check_bytes(view, active, wanted)
    if len(sets) < 2:
        return
    chosen = history.rng.sample(history.bitmaps,
                                history.rng.randrange(2, len(sets) + 1))
    view = views.View(server, "bitmap/" + "+".join(chosen))
    wanted = views.bits_of(sum((sets[n] for n in chosen), []), 512,
                           active.size)
    if views.bits_of(view.changed(), 512, active.size) != wanted:
        raise Mismatch("%s is not the union" % view.name)
    merged = "merged.qcow2"
    shutil.copy(history.path, merged)
    qemu.img("bitmap", "--add", "-g", "512", merged, "all")
    for name in chosen:
        qemu.img("bitmap", "--merge", name, merged, "all")
    if views.dirty(merged, "all") != view.changed():
        raise Mismatch("%s is not what QEMU merges" % view.name)


def check_bytes(view, active, ranges):
    wanted = bytearray(active.size)
    for offset, length in ranges:
        wanted[offset:offset + length] = active.data[offset:offset + length]
    view.must_have(bytes(wanted), "what has changed")


def check(history):
    rng = history.rng
    layers = qemu.chain(history.path, "qcow2")
    expect.settle_chain(layers)
    params = rng.choice([[], ["cache-size=64k"], ["host-holes=off"]])
    if len(layers) > 1:
        params.append("backing-dir=/")
    with servers.vdisk(history.path, *params) as server:
        check_names(history, server, len(layers))
        active = views.View(server, "active")
        active.must_have(history.content(), "what QEMU reads")
        several = [active]
        for number, name in history.snapshot_names().items():
            view = views.View(server, name)
            check_snapshot(history, view, number)
            ranges = views.check_difference(server, view, active)
            check_untouched(history, number, ranges, name)
            several.append(view)
        several += check_layers(history, server, active, layers)
        check_bitmaps(history, server, active)
        pairs = list(itertools.product(several, repeat=2))
        for a, b in rng.sample(pairs, min(len(pairs), DIFFERENCES)):
            views.check_difference(server, a, b)
    if server.errors:
        raise Mismatch("nbdkit printed: " + server.errors)
    count_check(1, len(several) + DIFFERENCES + len(history.bitmaps))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--backing", action="store_true")
    parser.add_argument("--bitmaps", action="store_true")
    args = parser.parse_args()
    patterns = randomops.make_patterns(random.Random(SEED))

    def one(number, rng):
        prefix = "views%d" % number
        history = History(args, rng, prefix, patterns)
        try:
            history.live()
            check(history)
        except FAILURES:
            print("%s: %s" % (history.path, "; ".join(history.told)))
            raise
        finally:
            remove(prefix)

    return run(args.count, one, shlex.join(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
