#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Damage QCOW2 images at random: entries of tables, refcounts, the end of
the file.  'vdisk check' must say what 'qemu-img check' says, but for the
differences that check_damage.py has a reason for.

VDISK_ONLY=NUMBER damages that image alone.
"""

import shutil
import sys

import check_damage
import check_verdict
import random_images
from check_qcow2 import COMPRESSED, COPIED, OFFSET_MASK, ZERO, Image
from verify import Mismatch, count_check

# Findings of what QEMU does not look at.
UNKNOWN_TO_QEMU = ("the zero flag is set", "must be the guest offset",
                   "flags are set, but there is no offset",
                   "the table is cut short by the end of the file")
OVERLAP = "holds other metadata"


def entry_places(image):
    """Kinds of entries, and how to choose one."""
    def any_l2(rng):
        used = [at for at in image.entries() if image.get(at)]
        return rng.choice(used)

    places = [any_l2] * 4
    places.append(lambda rng: image.l1(rng.randrange(image.header(
        "l1_size"))))
    places.append(lambda rng: image.refcount_entry(rng.randrange(2)))
    if image.header("snapshots"):
        places.append(lambda rng: image.snapshot(rng.randrange(3)))
        places.append(lambda rng: image.snapshot_l1(rng.randrange(3),
                                                    rng.randrange(4)))
    if image.version >= 3 and image.header("autoclear") & 1:
        places.append(lambda rng: image.bitmap(0))
        places.append(lambda rng: image.bitmap_table(0))
    return places


def noise(image, rng, old):
    """A number in place of another."""
    clusters = image.size() // image.cluster
    flags = old & ~OFFSET_MASK
    return rng.choice([
        old ^ COPIED, old ^ ZERO, old ^ COMPRESSED, 0,
        old ^ 1 << rng.randrange(64),
        flags | rng.randrange(clusters) * image.cluster,
        flags | rng.randrange(clusters) * image.cluster,
        flags | rng.randrange(image.size()) // 512 * 512,
        flags | rng.randrange(clusters, clusters + 3) * image.cluster,
        rng.getrandbits(64) & OFFSET_MASK | COPIED])


def damage(image, rng):
    """Change something; gives what."""
    if rng.random() < 0.2:
        cluster = rng.randrange(image.size() // image.cluster)
        return "refcount of %d: %d" % (
            cluster, image.refcount(cluster, rng.randrange(4)))
    at = rng.choice(entry_places(image))(rng)
    old = image.get(at)
    image.put(at, noise(image, rng, old))
    return "at %#x: %#x, was %#x" % (at, image.get(at), old)


def is_excused(ours, theirs):
    """Do we differ for one of the reasons there are?"""
    if ours.status == 2 and theirs.status == 1:
        return True
    if ours.document is None or theirs.document is None:
        return False
    findings = ours.findings()
    if any(text in f for text in UNKNOWN_TO_QEMU for f in findings):
        return ours.status == 2
    overlaps = sum(OVERLAP in f for f in findings)
    more = ours.counts["errors"] - theirs.counts["errors"]
    return (check_verdict.differences(ours, theirs) == ["errors"]
            and 0 < more <= overlaps)


def one(number, rng):
    path = "noise.qcow2"
    subject = rng.choice(list(check_damage.SUBJECTS))
    shutil.copy(subject + ".qcow2", path)
    told = [subject]
    with Image(path) as image:
        try:
            for _ in range(rng.choice([1, 1, 1, 2, 4])):
                told.append(damage(image, rng))
        except (OSError, ValueError, IndexError):
            pass                # damaged so that no more can be
        if rng.random() < 0.1:
            image.truncate(image.size() - rng.randrange(image.cluster * 2))
            told.append("size %d" % image.size())
    try:
        check_verdict.agree(path, "qcow2")
    except Mismatch:
        if not is_excused(check_verdict.vdisk(path, "qcow2"),
                          check_verdict.qemu(path, "qcow2")):
            print("\n".join(told))
            raise
    count_check(1)


def main():
    for name, make in check_damage.SUBJECTS.items():
        make(name + ".qcow2")
    return random_images.run(int(sys.argv[1]), one, "noise")


if __name__ == "__main__":
    sys.exit(main())
