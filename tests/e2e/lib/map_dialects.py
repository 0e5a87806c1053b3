#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the dialects of vdisk map owe each other.

  map_dialects.py IMAGE [OPTION...]

One dialect, imageio, is taken as it is, and the others are made of it here
from what their consumers expect.
"""

import json
import os
import subprocess
import sys

from verify import Mismatch

TYPES = {(False, False): 0, (False, True): 1, (True, False): 2,
         (True, True): 3}
NAMES = {0: "data", 1: "hole", 2: "zero", 3: "hole,zero"}


def vdisk_map(path, *options, command="map"):
    """What the tool prints."""
    done = subprocess.run([os.environ["VDISK"], command, *options, path],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != 0 or done.stderr:
        raise Mismatch("vdisk map %s %s: status %d: %s" % (
            " ".join(options), path, done.returncode,
            done.stderr.decode(errors="replace")))
    return done.stdout.decode()


def expect_equal(what, ours, expected):
    if ours != expected:
        raise Mismatch("%s: %.300r, expected %.300r" % (what, ours,
                                                        expected))


def nbdinfo(extents):
    """The text of nbdinfo --map --json."""
    lines = []
    for e in extents:
        kind = TYPES[e["zero"], e["hole"]]
        lines.append('{ "offset": %d, "length": %d, "type": %d, '
                     '"description": "%s"}' % (e["start"], e["length"],
                                               kind, NAMES[kind]))
    return "[\n" + ",\n".join(lines) + "\n]\n"


def data_clusters(extents, cluster):
    """Intervals of clusters in which anything is data."""
    intervals = []
    for e in extents:
        if e["zero"]:
            continue
        first = e["start"] // cluster
        last = (e["start"] + e["length"] - 1) // cluster
        if intervals and first <= intervals[-1][1] + 1:
            intervals[-1][1] = last
        else:
            intervals.append([first, last])
    return intervals


def check_clusters(path, options, extents, size, cluster):
    """Both of vhd-tool's documents."""
    document = {"virtual_size": size,
                "cluster_bits": cluster.bit_length() - 1,
                "data_clusters": data_clusters(extents, cluster)}
    expect_equal("intervals", vdisk_map(path, "--output=intervals",
                                        "--cluster-size=%d" % cluster,
                                        *options),
                 json.dumps(document, separators=(",", ":")))
    document["data_clusters"] = [
        n for first, last in document["data_clusters"]
        for n in range(first, last + 1)]
    expect_equal("clusters", vdisk_map(path, "--output=clusters",
                                       "--cluster-size=%d" % cluster,
                                       *options),
                 json.dumps(document, separators=(",", ":")))


def check_qemu(path, options, extents):
    """The key that newer versions have adds no more than itself, and data
    is where it is."""
    old = json.loads(vdisk_map(path, "--output=qemu", "--qemu-version=7.2",
                               *options))
    new = json.loads(vdisk_map(path, "--output=qemu", *options))
    merged = []
    for entry in new:
        compressed = entry.pop("compressed")
        if compressed and ("offset" in entry or not entry["data"]):
            raise Mismatch("compressed: %r" % entry)
        last = merged[-1] if merged else None
        if last and "offset" not in entry and \
                {**last, "start": 0, "length": 0} == \
                {**entry, "start": 0, "length": 0}:
            last["length"] += entry["length"]
        else:
            merged.append(entry)
    expect_equal("qemu without 'compressed'", merged, old)

    allocated = data_clusters([{**e, "zero": not e["data"]} for e in old], 1)
    end = old[-1]["start"] + old[-1]["length"]
    for first, last in data_clusters(extents, 1):
        # QEMU's disks may end at the sector before.
        last = min(last, end - 1)
        if not any(a <= first and last <= b for a, b in allocated):
            raise Mismatch("%d to %d is data, but not for QEMU"
                           % (first, last))


def agree(path, *options):
    """All dialects of one image."""
    text = vdisk_map(path, "--output=imageio", *options)
    extents = json.loads(text)
    expect_equal("imageio", text, json.dumps(extents) + "\n")
    end = 0
    for extent in extents:
        expect_equal("start of an extent", extent["start"], end)
        end += extent["length"]
    size = json.loads(vdisk_map(path, "--output=clusters",
                                "--cluster-size=1T",
                                *options))["virtual_size"]
    expect_equal("end of the last extent", end, size)

    expect_equal("nbdinfo", vdisk_map(path, "--output=nbdinfo", *options),
                 nbdinfo(extents))
    expect_equal("nbd-extents",
                 vdisk_map(path, "--output=nbd-extents", *options),
                 json.dumps([{"length": e["length"],
                              "flags": TYPES[e["zero"], e["hole"]]}
                             for e in extents]) + "\n")
    for cluster in (512, 65536, 2 << 20):
        check_clusters(path, options, extents, size, cluster)
    check_qemu(path, options, extents)


if __name__ == "__main__":
    agree(sys.argv[1], *sys.argv[2:])
