#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""vdisk export --since: of QCOW2 images with a past of snapshots and resizing,
made by QEMU at random, any state becomes any other.

  export_since.py --count 8 [--backing]

--apply changes a copy of one state to another, as a file, as a server's disk
with something else beyond its end, and step by step from the first state to
the last.  So do increments in a chain of QCOW2 images, which QEMU reads, too;
in a chain of VHDs; and chunked streams.  Seeds as for random_images.py.
"""

import argparse
import itertools
import os
import random
import shlex
import sys

import chunked_reader
import qemu
import randomops
from random_images import SEED, remove, run
from verify import FAILURES, Mismatch, count_check
from views import resized, same_bytes
from views_random import History

PAIRS = 8
JUNK = b"\x99" * (192 << 10)
VDISK = os.environ["VDISK"]


def export(*args):
    qemu.run(VDISK, "export", "--no-flush", *args)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


class State:
    """A view, and what it must have."""

    def __init__(self, name, content):
        self.name = name
        self.content = content


def states_of(history):
    states = [State(name, history.snapshots[number][1])
              for number, name in history.snapshot_names().items()]
    return states + [State("active", history.content())]


def pair(old, new):
    return ["--view=" + new.name, "--since=" + old.name]


def apply_to_file(history, old, new):
    write("copy.raw", old.content)
    export(*pair(old, new), *history.rng.choice([
        [], ["--threads=1"], ["--detect-zeroes"], ["--compare"]]), "--apply",
           history.path, "copy.raw")
    same_bytes(read("copy.raw"), new.content,
               "%s applied to %s" % (new.name, old.name))


def apply_to_server(history, old, new):
    """Beyond what was there is something; what is beyond both stays."""
    size = max(len(old.content), len(new.content)) + len(JUNK)
    size = -(-size // 65536) * 65536
    write("server.raw", (old.content + JUNK * (size // len(JUNK) + 1))[:size])
    after = read("server.raw")[len(new.content):]
    block = history.rng.choice([1, 512, 65536])
    export_to = shlex.join([VDISK, "export", "--no-flush", *pair(old, new),
                            "--apply", history.path])
    qemu.run("nbdkit", "-U", "-", "--filter=blocksize-policy", "file",
             "server.raw", "blocksize-minimum=%d" % block,
             "blocksize-preferred=65536", "blocksize-maximum=1M",
             "blocksize-error-policy=error", "--run", export_to + ' "$uri"')
    same_bytes(read("server.raw"), new.content + after,
               "%s applied to %s in a server" % (new.name, old.name))


def chunks(history, old, new):
    export(*pair(old, new), "-O", "chunked", history.path, "out.chunked")
    measured = qemu.run(VDISK, "export", *pair(old, new), "-O", "chunked",
                        "--measure", history.path)
    if int(measured) != os.path.getsize("out.chunked"):
        raise Mismatch("chunked: measured %s" % measured)
    made = bytearray(resized(old.content, len(new.content)))
    with open("out.chunked", "rb") as f:
        for offset, data in chunked_reader.chunks(f, len(made)):
            made[offset:offset + len(data)] = data
    same_bytes(bytes(made), new.content, "chunks of %s" % new.name)


def all_pairs(history, states):
    pairs = list(itertools.product(states, repeat=2))
    chosen = history.rng.sample(pairs, min(len(pairs), PAIRS))
    for n, (old, new) in enumerate(chosen):
        apply_to_file(history, old, new)
        if n % 2 == 0:
            apply_to_server(history, old, new)
        chunks(history, old, new)
    count_check(0, len(chosen) * 2)


def step_by_step(history, states):
    """From each state to the next one."""
    write("steps.raw", states[0].content)
    for old, new in zip(states, states[1:]):
        export(*pair(old, new), "--apply", history.path, "steps.raw")
        same_bytes(read("steps.raw"), new.content, "steps to " + new.name)


def qcow2_chain(history, states, prefix):
    below = [prefix + ".full.raw", "raw"]
    write(below[0], states[0].content)
    for n, (old, new) in enumerate(zip(states, states[1:])):
        path = "%s.%d.qcow2" % (prefix, n)
        export(*pair(old, new), "-O", "qcow2", "--backing=" + below[0],
               "--backing-format=" + below[1], *history.rng.choice([
                   [], ["-c"], ["--detect-zeroes"], ["--cluster-size=512"],
                   ["--cluster-size=2M"]]), history.path, path)
        below = [path, "qcow2"]
        qemu.img("convert", "-f", "qcow2", "-O", "raw", path, "theirs.raw")
        same_bytes(read("theirs.raw"), new.content, path + " as QEMU reads it")
        export(path, "ours.raw")
        same_bytes(read("ours.raw"), new.content, path)
        qemu.img("check", "-q", "-f", "qcow2", path)


def vhd_chain(history, states, prefix):
    below = prefix + ".full.vhd"
    export("-O", "vhd", "--view=" + states[0].name, history.path, below)
    for n, (old, new) in enumerate(zip(states, states[1:])):
        path = "%s.%d.vhd" % (prefix, n)
        export(*pair(old, new), "-O", "vhd", "--parent=" + below,
               *history.rng.choice([[], ["--detect-zeroes"],
                                    ["--block-size=4k"]]),
               history.path, path)
        export(path, "ours.raw")
        same_bytes(read("ours.raw"), new.content, path)
        below = path


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--backing", action="store_true")
    args = parser.parse_args()
    args.bitmaps = False
    patterns = randomops.make_patterns(random.Random(SEED))

    def one(number, rng):
        prefix = "since%d" % number
        history = History(args, rng, prefix, patterns)
        try:
            history.live()
            states = states_of(history)
            all_pairs(history, states)
            step_by_step(history, states)
            qcow2_chain(history, states, prefix)
            vhd_chain(history, states, prefix)
            count_check(1, 3 * len(states))
        except FAILURES:
            print("%s: %s" % (history.path, "; ".join(history.told)))
            raise
        finally:
            remove(prefix)

    return run(args.count, one, shlex.join(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
